"""A candidate that needs a person: a run waits with the question, and takes the answer that its form permits."""

import httpx
import pytest

from finetune_flows.tasks.evaluation.registry import Registry
from tests.support.prefect_server import PrefectServer, wait_for

pytestmark = pytest.mark.slow


def answer(server: PrefectServer, run: str, **given: str) -> str:
    """What the server says to the answer: ACCEPT or REJECT."""
    reply = httpx.post(f"{server.url}/api/flow_runs/{run}/resume", json={"run_input": given}, timeout=60)
    return str(reply.json()["status"])


def question(server: PrefectServer, run: str) -> str:
    inputs = server.post(f"flow_runs/{run}/input/filter", prefix="", limit=10)
    return str(next(each["value"] for each in inputs if each["key"].endswith("description")))


def test_what_a_person_rejects_does_not_serve_and_the_reason_is_kept(server: PrefectServer, waiting: str) -> None:
    registry = Registry(server.folder / "home" / "registry")
    asked = question(server, waiting)
    assert "Decision of the gate: **passed**" in asked
    assert "| tuned | " in asked
    assert answer(server, waiting, decision="perhaps", reason="who knows") == "REJECT"
    assert answer(server, waiting, decision="reject", reason="") == "REJECT"
    assert server.ended(waiting) == "PAUSED", "a wrong answer changes nothing"

    assert answer(server, waiting, decision="reject", reason="it invents tables") == "ACCEPT"
    wait_for(lambda: server.ended(waiting) not in ("", "PAUSED"), 180, "the end of the run")
    assert server.ended(waiting) == "COMPLETED", (server.folder / "worker.log").read_text(encoding="utf-8")
    record = registry.read("asked")
    assert record.champion is None
    assert [(each.action, each.reason) for each in record.switches] == [("rejected", "it invents tables")]


def test_what_a_person_approves_serves(server: PrefectServer, waiting: str) -> None:
    assert answer(server, waiting, decision="approve", reason="read the report") == "ACCEPT"
    wait_for(lambda: server.ended(waiting) not in ("", "PAUSED"), 240, "the end of the run")
    assert server.ended(waiting) == "COMPLETED", (server.folder / "worker.log").read_text(encoding="utf-8")
    record = Registry(server.folder / "home" / "registry").read("asked")
    assert record.champion is not None
    assert record.switches[-1].reason == "approved: read the report"
