"""Random requests that follow the description, and some that do not, get what it says."""

from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.serving.servers import MeanColors, running, service_of

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    ignored_auth,
]
TOKEN = {"Authorization": "Bearer s3cret"}
UNCHECKED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
SLOWLY = settings(deadline=None, derandomize=True, database=None, suppress_health_check=UNCHECKED)


def ask_all(port: int, examples: int, headers: dict[str, str]) -> None:
    """Ask each address of a server in many ways, and check the answers."""
    schema: Any = schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
    operations = [each.ok() for each in schema.get_all_operations()]
    assert {each.label for each in operations} == {
        *("GET /v1/labels", "POST /v1/segment", "GET /healthz", "GET /metrics")
    }
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(SLOWLY, max_examples=examples)
            @given(case=operation.as_strategy(generation_mode=mode))
            def check(case: Any) -> None:
                case.call_and_validate(checks=CHECKS, headers=headers)

            with suppress(Unsatisfiable):  # An address without parameters has no wrong ones.
                check()


def test_answers_follow_the_description() -> None:
    with service_of(MeanColors(), MeanColors()) as service, running(service) as port:
        ask_all(port, 12, {})


def test_answers_with_a_token_follow_the_description() -> None:
    with service_of() as service, running(service, token="s3cret") as port:  # noqa: S106
        ask_all(port, 5, TOKEN)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_answers_follow_the_description() -> None:
    with service_of(MeanColors(), MeanColors()) as service, running(service) as port:
        ask_all(port, 400, {})
