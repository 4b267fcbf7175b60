"""Retention in TOML files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.errors import ConfigurationError
from qadb.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_days_never_and_a_last_are_read_with_their_source(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.qadb.retention]\n"
        "audit_logs = 1095\n"
        'message_history = "never"\n'
        "test_runs = { days = 365, keep_last = 20 }\n"
    )

    settings = load_settings(environ={}, working_dir=tmp_path)

    found = settings.retention
    assert found["audit_logs"].days == 1095
    assert found["message_history"].is_for_ever
    assert (found["test_runs"].days, found["test_runs"].keep_last) == (365, 20)
    shown = settings.values["retention.test_runs"]
    assert shown.value == "days = 365, keep_last = 20"
    assert shown.source == f"{tmp_path / 'pyproject.toml'} [tool.qadb]"


@pytest.mark.parametrize(
    "content",
    [
        "retention = 3",
        "[retention]\ntest_runs = 0",
        "[retention]\ntest_runs = true",
        "[retention]\ntest_runs = 'always'",
        "[retention]\ntest_runs = { years = 3 }",
        "[retention]\ntest_runs = { keep_last = -1 }",
    ],
)
def test_what_is_no_retention_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "qadb.toml").write_text(content)

    with pytest.raises(ConfigurationError, match="retention"):
        load_settings(environ={}, working_dir=tmp_path)
