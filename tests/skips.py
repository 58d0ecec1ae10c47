"""In CI a skipped test fails, unless it is marked `skipped_in_ci`: a plugin of `conftest.py`."""

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI."""
    report = yield
    is_allowed = item.get_closest_marker("skipped_in_ci") or hasattr(report, "wasxfail")
    if report.skipped and "CI" in os.environ and not is_allowed:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: CI can run this test, but it was skipped ({reason})"
    return report
