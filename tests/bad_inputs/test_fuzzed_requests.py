"""Requests that schemathesis makes from /openapi.json: answered or refused, and never a failure of the server.

Few in a usual run. Many: pytest tests/bad_inputs --hypothesis-profile=many
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from tests.bad_inputs.served import Served, classifier_server, text_server
from tests.bad_inputs.test_fuzzed_files import MANY, TREES

SECONDS = 60
fuzzed = settings(
    deadline=None, max_examples=500 if MANY else 8, suppress_health_check=list(HealthCheck), database=None
)  # fmt: skip


@pytest.fixture(scope="module", params=[text_server, classifier_server], ids=["text", "classifier"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with request.param(tmp_path_factory.mktemp("fuzzed")) as served:
        before = served.answers()
        yield served
        assert served.answers() == before


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_makes_a_route_fail(served: Served, mode: GenerationMode) -> None:
    """With requests that fit the description, and with requests that do not."""
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    operations = [each.ok() for each in schema.get_all_operations()]
    assert operations
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and operation.method.upper() == "GET":
            continue  # nothing of it can be wrong

        @fuzzed
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            response = case.call(timeout=SECONDS)
            assert response.status_code < 500, response.text[:500]

        ask()


@fuzzed
@given(st.data())
def test_any_json_in_any_field_is_answered_or_refused(served: Served, data: st.DataObject) -> None:
    route = data.draw(st.sampled_from(sorted(served.bodies)))
    body = dict(served.bodies[route])
    for name in data.draw(
        st.lists(st.sampled_from([*body, "stop", "n", "seed", "logprobs", "tools", "parameters"]), max_size=3)
    ):
        body[name] = data.draw(TREES)
    reply = served.post(route, json.dumps(body, default=str))
    assert reply.status_code in (200, 400, 422), reply.text[:500]
