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


@dataclass(frozen=True, slots=True)
class _Service:
    """Which variables a service states things in; of several the first that is set counts.

    Attributes:
        proof: the variable that tells the service.
        url: parts of the build's URL that are joined; where one is missing there is no URL.
    """

    name: str
    proof: str
    branch: tuple[str, ...]
    commit: tuple[str, ...]
    url: tuple[str, ...] = ()
    trigger: str = ""


# Source: each service's page of predefined variables. In a URL, words in capitals are variables.
_SERVICES = (
    _Service(
        "github",
        "GITHUB_ACTIONS",
        ("GITHUB_HEAD_REF", "GITHUB_REF_NAME"),
        ("GITHUB_SHA",),
        ("GITHUB_SERVER_URL", "/", "GITHUB_REPOSITORY", "/actions/runs/", "GITHUB_RUN_ID"),
        "GITHUB_EVENT_NAME",
    ),
    _Service(
        "azure",
        "TF_BUILD",
        ("SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH", "BUILD_SOURCEBRANCHNAME"),
        ("BUILD_SOURCEVERSION",),
        ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "/_build/results?buildId=", "BUILD_BUILDID"),
        "BUILD_REASON",
    ),
    _Service(
        "gitlab",
        "GITLAB_CI",
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH", "CI_COMMIT_REF_NAME"),
        ("CI_COMMIT_SHA",),
        ("CI_JOB_URL",),
        "CI_PIPELINE_SOURCE",
    ),
    _Service(
        "jenkins",
        "JENKINS_URL",
        ("CHANGE_BRANCH", "BRANCH_NAME", "GIT_BRANCH"),
        ("GIT_COMMIT",),
        ("BUILD_URL",),
        "BUILD_CAUSE",
    ),
    _Service("circleci", "CIRCLECI", ("CIRCLE_BRANCH",), ("CIRCLE_SHA1",), ("CIRCLE_BUILD_URL",)),
    _Service(
        "travis",
        "TRAVIS",
        ("TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"),
        ("TRAVIS_PULL_REQUEST_SHA", "TRAVIS_COMMIT"),
        ("TRAVIS_JOB_WEB_URL",),
        "TRAVIS_EVENT_TYPE",
    ),
    _Service(
        "buildkite",
        "BUILDKITE",
        ("BUILDKITE_BRANCH",),
        ("BUILDKITE_COMMIT",),
        ("BUILDKITE_BUILD_URL",),
        "BUILDKITE_SOURCE",
    ),
    _Service(
        "bitbucket",
        "BITBUCKET_BUILD_NUMBER",
        ("BITBUCKET_BRANCH", "BITBUCKET_TAG"),
        ("BITBUCKET_COMMIT",),
        (
            "https://bitbucket.org/",
            "BITBUCKET_REPO_FULL_NAME",
            "/pipelines/results/",
            "BITBUCKET_BUILD_NUMBER",
        ),
    ),
)
_REF_PREFIXES = ("refs/heads/", "refs/tags/", "origin/")


def read_build_facts(environ: Mapping[str, str]) -> BuildFacts:
    """Recognise the CI service and read what it states."""
    for service in _SERVICES:
        if environ.get(service.proof):
            return BuildFacts(
                service=service.name,
                branch=_branch(environ, service.branch),
                commit_sha=_first(environ, service.commit),
                build_url=_joined(environ, service.url),
                trigger=environ.get(service.trigger) or None,
            )
    return BuildFacts()


def _branch(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """A branch's plain name: some services state the ref, or the remote's name before it."""
    branch = _first(environ, names)
    for prefix in _REF_PREFIXES:
        branch = branch and branch.removeprefix(prefix)
    return branch or None


def _joined(environ: Mapping[str, str], parts: tuple[str, ...]) -> str | None:
    texts = [environ.get(part, "") if part.isupper() else part for part in parts]
    return "".join(texts) if parts and all(texts) else None


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)
