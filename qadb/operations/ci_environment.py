"""What a CI service states about a build in the environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """A build as its CI service names it; what is not stated is None.

    Attributes:
        service: the CI service, such as ``github``.
        trigger: what set the build off, in the service's words.
    """

    service: str | None = None
    branch: str | None = None
    commit_sha: str | None = None
    build_url: str | None = None
    trigger: str | None = None


# service: (variable that proves it, branch, commit, build URL, trigger); the first that is set
# counts. Source: each service's page of predefined variables.
_SERVICES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...], str]] = {
    "gitlab": (
        "GITLAB_CI",
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH", "CI_COMMIT_REF_NAME"),
        ("CI_COMMIT_SHA",),
        ("CI_JOB_URL", "CI_PIPELINE_URL"),
        "CI_PIPELINE_SOURCE",
    ),
    "jenkins": (
        "JENKINS_URL",
        ("CHANGE_BRANCH", "BRANCH_NAME", "GIT_BRANCH"),
        ("GIT_COMMIT",),
        ("BUILD_URL",),
        "BUILD_CAUSE",
    ),
    "circleci": ("CIRCLECI", ("CIRCLE_BRANCH",), ("CIRCLE_SHA1",), ("CIRCLE_BUILD_URL",), ""),
    "travis": (
        "TRAVIS",
        ("TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"),
        ("TRAVIS_COMMIT",),
        ("TRAVIS_JOB_WEB_URL",),
        "TRAVIS_EVENT_TYPE",
    ),
    "buildkite": (
        "BUILDKITE",
        ("BUILDKITE_BRANCH",),
        ("BUILDKITE_COMMIT",),
        ("BUILDKITE_BUILD_URL",),
        "BUILDKITE_SOURCE",
    ),
    "bitbucket": ("BITBUCKET_BUILD_NUMBER", ("BITBUCKET_BRANCH",), ("BITBUCKET_COMMIT",), (), ""),
}


def read_build_facts(environ: Mapping[str, str]) -> BuildFacts:
    """Recognise the CI service and read what it states."""
    if environ.get("GITHUB_ACTIONS"):
        return _github(environ)
    if environ.get("TF_BUILD"):
        return _azure(environ)
    for service, (proof, branch, commit, url, trigger) in _SERVICES.items():
        if environ.get(proof):
            return BuildFacts(
                service=service,
                branch=_first(environ, branch),
                commit_sha=_first(environ, commit),
                build_url=_first(environ, url),
                trigger=environ.get(trigger) or None,
            )
    return BuildFacts()


def _github(environ: Mapping[str, str]) -> BuildFacts:
    server, repository = environ.get("GITHUB_SERVER_URL"), environ.get("GITHUB_REPOSITORY")
    run_id = environ.get("GITHUB_RUN_ID")
    known = server and repository and run_id
    return BuildFacts(
        service="github",
        branch=_first(environ, ("GITHUB_HEAD_REF", "GITHUB_REF_NAME")),
        commit_sha=_first(environ, ("GITHUB_SHA",)),
        build_url=f"{server}/{repository}/actions/runs/{run_id}" if known else None,
        trigger=environ.get("GITHUB_EVENT_NAME") or None,
    )


def _azure(environ: Mapping[str, str]) -> BuildFacts:
    server, project = environ.get("SYSTEM_COLLECTIONURI"), environ.get("SYSTEM_TEAMPROJECT")
    build_id = environ.get("BUILD_BUILDID")
    known = server and project and build_id
    return BuildFacts(
        service="azure",
        branch=_first(environ, ("SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCHNAME")),
        commit_sha=_first(environ, ("BUILD_SOURCEVERSION",)),
        build_url=f"{server}{project}/_build/results?buildId={build_id}" if known else None,
        trigger=environ.get("BUILD_REASON") or None,
    )


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)
