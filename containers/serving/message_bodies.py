"""The conversation of a chat: its messages, and the tools that the model may call."""

import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, Discriminator, Field, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from finetune_flows.containers.serving.bodies import Body, JsonObject, ShortText, Text

ANY_OBJECT = {"type": "object"}
ROLES = {"developer": "system", "function": "tool"}
"""Other names of roles. The rows of a data set are read in the same way (tasks/problems/chat/turns.py)."""


class TextPart(BaseModel):
    """A part of a message's content."""

    type: Literal["text"]
    text: str


class CalledFunction(Body):
    """The function of a call, and its arguments: a JSON object, written as text."""

    name: ShortText
    arguments: Text

    @field_validator("arguments")
    @classmethod
    def _a_json_object(cls, arguments: str) -> str:
        try:
            valid = isinstance(json.loads(arguments or "{}"), dict)
        except (ValueError, RecursionError):
            valid = False
        if not valid:
            raise PydanticCustomError("arguments", "it is not a JSON object")
        return arguments


class ToolCall(Body):
    """A call that the model has made in an earlier turn."""

    id: ShortText = ""
    type: Literal["function"] = "function"
    function: CalledFunction
    index: int | None = None  # some clients keep it from a stream

    def as_read(self) -> dict[str, Any]:
        """What chat templates expect: the arguments are an object, not text."""
        function = {"name": self.function.name, "arguments": json.loads(self.function.arguments or "{}")}
        return {"id": self.id, "type": "function", "function": function}


class Message(Body):
    """One turn of the conversation."""

    unsupported: ClassVar = {
        "function_call": (), "refusal": (), "audio": (), "annotations": ([],), "reasoning_content": ("",),
        "reasoning": ("",),
    }  # fmt: skip

    role: Annotated[ShortText, Field(min_length=1)]
    content: Text = ""
    name: ShortText | None = None
    tool_calls: Annotated[tuple[ToolCall, ...], Field(max_length=128, fail_fast=True)] = ()
    tool_call_id: ShortText | None = None

    @field_validator("content", mode="before", json_schema_input_type=str | list[TextPart] | None)
    @classmethod
    def _join_text_parts(cls, content: Any) -> Any:
        if not isinstance(content, list):
            return content
        if not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            raise PydanticCustomError("not_text", "only text is supported, no images, sound or files")
        texts = [part.get("text") for part in content]
        if not all(isinstance(text, str) for text in texts):
            raise PydanticCustomError("not_text", "a part of the type text needs its text, as a string")
        return "".join(texts)

    @model_validator(mode="after")
    def _something_said(self) -> Self:
        if "content" not in self.model_fields_set and self.role != "assistant":
            raise PydanticCustomError("missing", "Field required", {"field": "content"})
        return self

    def as_read(self) -> dict[str, Any]:
        """What chat templates expect."""
        read: dict[str, Any] = {"role": ROLES.get(self.role, self.role), "content": self.content}
        if self.tool_calls:
            read["tool_calls"] = [call.as_read() for call in self.tool_calls]
        return read | self.model_dump(include={"name", "tool_call_id"}, exclude_none=True)


Messages = Annotated[list[Message], Field(min_length=1, max_length=4096, fail_fast=True)]


class Function(Body):
    """A function that the model may call. `parameters` is a JSON schema."""

    name: Annotated[str, Field(pattern=r"^[\w.-]{1,128}$")]
    description: Text | None = None
    parameters: JsonObject = ANY_OBJECT
    strict: bool | None = None  # the arguments of a call that is asked for always keep to the schema


class Tool(Body):
    """A tool that the model may call."""

    type: Literal["function"]
    function: Function

    def as_read(self) -> dict[str, Any]:
        """What chat templates expect."""
        function = self.function.model_dump(include={"name", "description", "parameters"}, exclude_none=True)
        return {"type": "function", "function": function}


class NamedFunction(Body):
    """The name of a function."""

    name: ShortText


class NamedTool(Body):
    """The tool that the model must call."""

    type: Literal["function"] = "function"
    function: NamedFunction


Tools = Annotated[tuple[Tool, ...], Field(max_length=128, fail_fast=True)]
ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("a mode")] | Annotated[NamedTool, Tag("a tool")],
    Discriminator(lambda choice: "a mode" if isinstance(choice, str) else "a tool"),
]
