"""What the set-up says where there is no server."""

import asyncio

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from finetune_flows.flows.setup import set_up_prefect
from finetune_flows.tasks.base.errors import EnvironmentProblem


def test_a_server_that_does_not_answer_is_named() -> None:
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(EnvironmentProblem, match=r"127\.0\.0\.1:9/api does not answer"),
    ):
        asyncio.run(set_up_prefect())


def test_without_a_server_it_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(EnvironmentProblem, match="prefect server start"),
    ):
        asyncio.run(set_up_prefect())
