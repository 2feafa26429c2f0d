"""Endpoints and lasting addresses of any platform: found again by name, renewed, replaced, swept, never left half-made."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.platforms.contract import Alias, Endpoint, EndpointSpec, Platform
from tests.support.quick_work import an_endpoint, labels

Again = Callable[[], Platform]


@pytest.fixture
def spec(tmp_path: Path) -> EndpointSpec:
    return an_endpoint(tmp_path)


def another_model(spec: EndpointSpec, name: str = "r-1") -> EndpointSpec:
    folder = spec.model.with_name("another model")
    folder.mkdir()
    for file in ("config.json", "more.json"):
        (folder / file).write_text("{}")
    return spec.model_copy(update={"name": name, "model": folder, "model_digest": "d2"})


def until(spec: EndpointSpec, seconds: float) -> EndpointSpec:
    return spec.model_copy(update={"labels": labels(seconds)})


def ask(platform: Platform, endpoint: Endpoint, **body: object) -> httpx.Response:
    with platform.connection(endpoint).client(30) as client:
        return client.post("/v1/chat/completions", json=body)


def behind(alias: Alias) -> Endpoint:
    """The address as something that can be asked."""
    return Endpoint(name=alias.name, url=alias.url, model_digest="", labels=alias.labels)


def test_an_endpoint_answers_is_found_again_and_is_deleted(
    platform: Platform, again: Again, spec: EndpointSpec
) -> None:
    endpoint = platform.start_endpoint(spec)
    reply = ask(platform, endpoint, question=1)
    assert (reply.json()["asked"], reply.json()["model"]) == ({"question": 1}, ["config.json"])
    assert ask(platform, endpoint, fail=503).status_code == 503, "the server's own status"
    assert platform.endpoints() == again().endpoints() == [endpoint]
    log = platform.endpoint_log("r-1")
    assert log.read_text(encoding="utf-8").strip()

    assert platform.delete_endpoint("r-1")
    assert not log.exists(), "it may hold what users asked"
    assert not platform.delete_endpoint("r-1")
    assert platform.endpoints() == []
    with pytest.raises((httpx.HTTPError, AssertionError)):
        assert ask(platform, endpoint).status_code < 400


def test_one_that_runs_is_taken_and_expires_no_sooner(platform: Platform, spec: EndpointSpec) -> None:
    endpoint = platform.start_endpoint(spec)
    later = platform.start_endpoint(until(spec, 1200))
    assert later.url == endpoint.url
    assert later.labels.expires_at > endpoint.labels.expires_at
    assert platform.start_endpoint(until(spec, 60)) == later
    assert platform.endpoints() == [later]


def test_another_model_under_the_name_takes_its_place(platform: Platform, spec: EndpointSpec) -> None:
    platform.start_endpoint(spec)
    other = platform.start_endpoint(another_model(spec))
    assert ask(platform, other).json()["model"] == ["config.json", "more.json"]
    assert [endpoint.model_digest for endpoint in platform.endpoints()] == ["d2"]


def test_one_that_cannot_start_is_told_with_its_last_words_and_leaves_nothing(
    platform: Platform, spec: EndpointSpec
) -> None:
    (spec.model / "config.json").rename(spec.model / "other.json")
    with pytest.raises(EndpointFailed, match=r"(?s)r-1.*no model here"):
        platform.start_endpoint(spec)
    assert platform.endpoints() == []
    assert not platform.delete_endpoint("r-1")


def test_sweep_deletes_what_has_expired_and_leaves_the_rest(platform: Platform, spec: EndpointSpec) -> None:
    platform.start_endpoint(spec.model_copy(update={"name": "old"}))
    platform.start_endpoint(until(spec, 5000).model_copy(update={"name": "new"}))
    [line] = platform.sweep(datetime.now(UTC) + timedelta(seconds=1000))
    assert "endpoint old (expired)" in line
    assert [endpoint.name for endpoint in platform.endpoints()] == ["new"]
    assert platform.sweep(datetime.now(UTC)) == []


def test_the_address_of_a_recipe_leads_to_its_champion(platform: Platform, again: Again, spec: EndpointSpec) -> None:
    alias = platform.point_alias("r", platform.start_endpoint(spec), spec)
    assert ask(platform, behind(alias), question=1).json()["model"] == ["config.json"]
    assert again().aliases() == [alias]
    other = another_model(spec, "r-2")
    moved = platform.point_alias("r", platform.start_endpoint(other), other)
    assert moved.url == alias.url
    assert ask(platform, behind(moved)).json()["model"] == ["config.json", "more.json"]
    assert platform.delete_alias("r")
    assert not platform.delete_alias("r")
    assert platform.aliases() == []


def test_what_it_did_can_be_looked_at(platform: Platform, spec: EndpointSpec) -> None:
    endpoint = platform.start_endpoint(spec)
    seen = platform.window(endpoint)
    assert seen.endpoint == "r-1"
    assert seen.since <= seen.until
