"""The `openai` package as its users call it: schemas, tools, streams of both, completions, choices, probabilities."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

from tests.containers.serving.running_server import Server
from tests.containers.serving.test_tool_calls import QUESTION, TOOLS, folder  # noqa: F401  # a fixture


class Port(BaseModel):
    name: Literal["Oslo", "Lima"]
    ships: Literal[1, 2]


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[openai.OpenAI]:  # noqa: F811
    server = Server(folder)
    with openai.OpenAI(
        base_url=f"{server.wait_until_ready()}/v1", api_key="none", timeout=120, max_retries=0
    ) as client:
        yield client
    assert server.stop() == 0


ASKED: dict[str, Any] = {"model": "model", "messages": [QUESTION], "max_tokens": 200, "seed": 1, "temperature": 1.0}


def test_parse_gives_an_object_of_the_schema(client: openai.OpenAI) -> None:
    reply = client.chat.completions.parse(**ASKED, response_format=Port)
    port = reply.choices[0].message.parsed
    assert isinstance(port, Port)
    assert port.name in ("Oslo", "Lima")


def test_a_tool_is_called_whole_and_streamed(client: openai.OpenAI) -> None:
    asked = {**ASKED, "tools": TOOLS, "tool_choice": "required"}
    message = client.chat.completions.create(**asked).choices[0].message
    assert message.tool_calls
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls]
    assert calls[0][1]["city"] in ("Oslo", "Lima")
    with client.chat.completions.stream(**asked) as stream:
        final = stream.get_final_completion().choices[0].message
    assert final.tool_calls
    assert [(call.function.name, json.loads(call.function.arguments)) for call in final.tool_calls] == calls
    turns = [QUESTION, message.model_dump(exclude_none=True)]
    turns += [{"role": "tool", "tool_call_id": call.id, "content": "12"} for call in message.tool_calls]
    assert client.chat.completions.create(**{**asked, "messages": turns, "tool_choice": "auto"}).choices


def test_completions_choices_probabilities_and_fields_of_vllm(client: openai.OpenAI) -> None:
    completion = client.completions.create(model="model", prompt=["Which", "port"], max_tokens=5, logprobs=2, n=2)
    assert [choice.index for choice in completion.choices] == [0, 1, 2, 3]
    assert completion.choices[0].logprobs
    reply = client.chat.completions.create(
        **ASKED,
        n=2,
        logprobs=True,
        top_logprobs=2,
        extra_body={"guided_choice": ["yes", "no"], "min_p": 0.0, "top_k": -1},
    )
    assert {choice.message.content for choice in reply.choices} <= {"yes", "no"}
    assert reply.choices[1].logprobs
    assert client.models.retrieve("model").id == "model"
    with pytest.raises(openai.BadRequestError, match="logit_bias: not supported"):
        client.chat.completions.create(**ASKED, logit_bias={"5": 1})
