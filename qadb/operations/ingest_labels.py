"""What a run is called: by the user, else by the build, within what a column holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from qadb.operations.ci_environment import BuildFacts
from qadb.repositories.ingesting.runs import RunLabels

LONGEST_LABELS = {
    "--application": 100,
    "--environment": 255,
    "--run-key": 255,
    "--branch": 255,
    "--commit": 64,
}
"""Characters that a label may have, by its option."""

_LONGEST_TRIGGER = 100


@dataclass(frozen=True, slots=True)
class RunLabelling:
    """The labels of every run that one ingest makes or adds to.

    Attributes:
        run_key: None names each run by its report's SHA-256.
    """

    tenant_id: str
    application: str
    environment: str | None = None
    run_key: str | None = None
    branch: str | None = None
    commit_sha: str | None = None
    build: BuildFacts = field(default_factory=BuildFacts)

    def labels(self, run_key: str) -> RunLabels:
        """The labels of one run.

        What the user states was checked; what the build states is shortened, and a commit that is
        too long for one is left out.
        """
        build = self.build
        commit = build.commit_sha
        if commit is not None and len(commit) > LONGEST_LABELS["--commit"]:
            commit = None
        return RunLabels(
            tenant_id=self.tenant_id,
            application=storable(self.application),
            run_key=storable(run_key),
            environment=_storable(self.environment),
            branch=_storable(self.branch or _cut(build.branch, LONGEST_LABELS["--branch"])),
            commit_sha=_storable(self.commit_sha or commit),
            build_url=_storable(build.build_url),
            trigger_type=_storable(_cut(build.trigger, _LONGEST_TRIGGER)),
        )


def storable(text: str) -> str:
    """Write bytes that are no UTF-8 (lone surrogates, in Python) in a way that can be stored."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _storable(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _cut(text: str | None, length: int) -> str | None:
    return None if text is None else text[:length]
