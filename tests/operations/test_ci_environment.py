"""What each CI service's variables become."""

from __future__ import annotations

import pytest

from qadb.operations.ci_environment import BuildFacts, read_build_facts

SERVICES: dict[str, tuple[dict[str, str], BuildFacts]] = {
    "github push": (
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_HEAD_REF": "",
            "GITHUB_REF_NAME": "main",
            "GITHUB_SHA": "abc",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_RUN_ID": "7",
            "GITHUB_EVENT_NAME": "push",
        },
        BuildFacts("github", "main", "abc", "https://github.com/o/r/actions/runs/7", "push"),
    ),
    "github pull request": (
        {"GITHUB_ACTIONS": "true", "GITHUB_HEAD_REF": "fix", "GITHUB_REF_NAME": "12/merge"},
        BuildFacts("github", "fix"),
    ),
    "azure": (
        {
            "TF_BUILD": "True",
            "BUILD_SOURCEBRANCH": "refs/heads/feature/x",
            "BUILD_SOURCEBRANCHNAME": "x",
            "BUILD_SOURCEVERSION": "abc",
            "SYSTEM_COLLECTIONURI": "https://dev.azure.com/o/",
            "SYSTEM_TEAMPROJECT": "p",
            "BUILD_BUILDID": "7",
            "BUILD_REASON": "Manual",
        },
        BuildFacts(
            "azure",
            "feature/x",
            "abc",
            "https://dev.azure.com/o/p/_build/results?buildId=7",
            "Manual",
        ),
    ),
    "gitlab merge request": (
        {
            "GITLAB_CI": "true",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix",
            "CI_COMMIT_REF_NAME": "refs/merge-requests/1/head",
            "CI_COMMIT_SHA": "abc",
            "CI_JOB_URL": "https://gitlab.com/j/7",
            "CI_PIPELINE_SOURCE": "merge_request_event",
        },
        BuildFacts("gitlab", "fix", "abc", "https://gitlab.com/j/7", "merge_request_event"),
    ),
    "jenkins": (
        {
            "JENKINS_URL": "https://j/",
            "GIT_BRANCH": "origin/main",
            "GIT_COMMIT": "abc",
            "BUILD_URL": "https://j/job/7/",
        },
        BuildFacts("jenkins", "main", "abc", "https://j/job/7/"),
    ),
    "circleci": (
        {
            "CIRCLECI": "true",
            "CIRCLE_BRANCH": "main",
            "CIRCLE_SHA1": "abc",
            "CIRCLE_BUILD_URL": "https://c/7",
        },
        BuildFacts("circleci", "main", "abc", "https://c/7"),
    ),
    "travis pull request": (
        {
            "TRAVIS": "true",
            "TRAVIS_PULL_REQUEST_BRANCH": "fix",
            "TRAVIS_BRANCH": "main",
            "TRAVIS_PULL_REQUEST_SHA": "abc",
            "TRAVIS_COMMIT": "merge",
            "TRAVIS_JOB_WEB_URL": "https://t/7",
            "TRAVIS_EVENT_TYPE": "pull_request",
        },
        BuildFacts("travis", "fix", "abc", "https://t/7", "pull_request"),
    ),
    "buildkite": (
        {
            "BUILDKITE": "true",
            "BUILDKITE_BRANCH": "main",
            "BUILDKITE_COMMIT": "abc",
            "BUILDKITE_BUILD_URL": "https://b/7",
            "BUILDKITE_SOURCE": "webhook",
        },
        BuildFacts("buildkite", "main", "abc", "https://b/7", "webhook"),
    ),
    "bitbucket": (
        {
            "BITBUCKET_BUILD_NUMBER": "7",
            "BITBUCKET_BRANCH": "main",
            "BITBUCKET_COMMIT": "abc",
            "BITBUCKET_REPO_FULL_NAME": "o/r",
        },
        BuildFacts("bitbucket", "main", "abc", "https://bitbucket.org/o/r/pipelines/results/7"),
    ),
    "service that states nothing": ({"TRAVIS": "true"}, BuildFacts("travis")),
    "no service": ({"BUILD_URL": "https://x", "GIT_COMMIT": "abc"}, BuildFacts()),
}


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_recognised_and_its_facts_are_read(name: str) -> None:
    environ, facts = SERVICES[name]

    assert read_build_facts(environ) == facts
