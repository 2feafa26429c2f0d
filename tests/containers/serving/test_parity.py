"""The check of a server against the trainer's probes, for prompts that leave little room for an answer."""

import json
from pathlib import Path

import httpx
import pytest

from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.endpoints.connect import Http
from finetune_flows.tasks.endpoints.parity import check_parity


def test_a_probe_that_nearly_fills_the_window_is_checked(url: str, tmp_path: Path) -> None:
    def asked(words: int) -> tuple[list[dict[str, str]], list[int]]:
        messages = [{"role": "user", "content": "Lima " * words}]
        return messages, httpx.post(f"{url}/tokenize", json={"messages": messages}).json()["tokens"]

    ten, twenty = len(asked(10)[1]), len(asked(20)[1])
    messages, ids = asked(10 + 10 * (490 - ten) // (twenty - ten))
    assert 460 < len(ids) < 512
    probe = {"messages": messages, "prompt_token_ids": ids, "text": ""}
    (tmp_path / "probes.json").write_text(json.dumps([probe]))
    assert check_parity(Http(url), "tiny", tmp_path / "probes.json").startswith("the trainer's token ids, 1 of 1")
    (tmp_path / "probes.json").write_text(json.dumps([{**probe, "prompt_token_ids": ids[1:]}]))
    with pytest.raises(EndpointFailed, match="different tokens"):
        check_parity(Http(url), "tiny", tmp_path / "probes.json")
