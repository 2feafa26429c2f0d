"""docs/clients.md says of every field what the server does with it."""

import json
import re
from pathlib import Path

import pytest

from finetune_flows.containers.serving.bodies import Body
from finetune_flows.containers.serving.form_bodies import StructuredOutputs
from finetune_flows.containers.serving.message_bodies import Message
from finetune_flows.containers.serving.openai_bodies import ChatBody, CompletionBody
from finetune_flows.containers.serving.tgi_bodies import Parameters
from tests import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
SECTIONS: dict[str, type[Body]] = {
    "`POST /v1/chat/completions` and `/invocations`": ChatBody,
    "A message of a chat": Message,
    "`POST /v1/completions`": CompletionBody,
    "`structured_outputs`": StructuredOutputs,
    "`parameters` of TGI's routes": Parameters,
}


def rows(title: str) -> dict[str, list[str]]:
    """The cells of each row after its field."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {first.strip().strip("`"): [cell.strip() for cell in rest] for first, *rest in cells}


@pytest.mark.parametrize("title", SECTIONS)
def test_every_field_is_listed_as_the_server_treats_it(title: str) -> None:
    body, listed = SECTIONS[title], rows(title)
    fields = {field.alias or name for name, field in body.model_fields.items()}
    assert {name for name, cells in listed.items() if cells[0] in ("yes", "no effect")} == fields
    assert {name for name, cells in listed.items() if cells[0] == "no"} == set(body.unsupported)
    assert all(cells[1] for name, cells in listed.items() if name in fields), "since when"
    for name, neutral in body.unsupported.items():
        values = [json.loads(value) for value in re.findall(r"`([^`]*)`", listed[name][2])]
        assert values == [json.loads(json.dumps(value)) for value in neutral], name


def test_the_page_has_its_place_in_the_index() -> None:
    assert "clients.md" in Path(ROOT / "docs" / "README.md").read_text(encoding="utf-8")
