"""In CI a skipped test fails, unless CI cannot run it: a plugin that `conftest.py` loads."""

import os
from collections.abc import Generator

import pytest

# Test (without its parameters) and why CI cannot run it.
ALLOWED_IN_CI = {
    "tests/test_accuracy.py::test_a_peer_learns_and_is_scored_until_the_time_is_over": (
        "needs segmentation_models_pytorch, which is in the environment of `make bench` alone"
    ),
}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI."""
    report = yield
    is_allowed = item.nodeid.partition("[")[0] in ALLOWED_IN_CI or hasattr(report, "wasxfail")
    if report.skipped and "CI" in os.environ and not is_allowed:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: CI can run this test, but it was skipped ({reason})"
    return report
