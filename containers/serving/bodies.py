"""The common parts of the request bodies of all APIs: checked types, and refusals by name."""

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

MOST_FIELDS = 200  # of one object
LARGEST_JSON = 200_000  # characters of a schema or of another object of the client's own
DEEPEST_JSON = 64


def encodable(text: str) -> str:
    """The text itself, if it can be written in UTF-8."""
    text.encode()  # JSON can contain half a character, such as "\\ud800", which no tokenizer accepts
    return text


def _of_limited_size(value: dict[str, Any]) -> dict[str, Any]:
    """The object itself. Its size is counted without recursion, because its depth is what may be too much."""
    level: list[Any] = [value]
    size = depth = 0
    while level:
        depth += 1
        size += sum(len(each) if isinstance(each, str) else 8 for each in level)
        if depth > DEEPEST_JSON or size > LARGEST_JSON:
            limits = {"depth": DEEPEST_JSON, "size": LARGEST_JSON}
            raise PydanticCustomError("too_large", "more than {depth} levels deep or {size} characters long", limits)
        level = [
            item
            for each in level
            if isinstance(each, dict | list)
            for item in ([*each.keys(), *each.values()] if isinstance(each, dict) else each)
        ]
    return value


Text = Annotated[str, AfterValidator(encodable)]
ShortText = Annotated[str, Field(max_length=10_000), AfterValidator(encodable)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_of_limited_size)]
StopString = Annotated[str, Field(min_length=1, max_length=1000)]
Stops = Annotated[
    tuple[StopString, ...],
    Field(max_length=16, fail_fast=True),
    BeforeValidator(  # OpenAI accepts a single stop string without a list
        lambda stop: [stop] if isinstance(stop, str) else stop,
        json_schema_input_type=StopString | tuple[StopString, ...],
    ),
]
NewTokens = Annotated[int, Field(ge=1)]
Temperature = Annotated[float, Field(ge=0, le=100)]  # 0: always the likeliest token
TopP = Annotated[float, Field(gt=0, le=1)]
TopK = Annotated[int, Field(ge=-1)]  # -1 and 0: no limit
Penalty = Annotated[float, Field(ge=-2, le=2)]


class Body(BaseModel):
    """A request body. A misspelt key is an error, and not a setting without effect. null means not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    # Fields that this server does not support, with the values that ask for nothing: clients send those by default.
    unsupported: ClassVar[Mapping[str, tuple[Any, ...]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_asked(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        if len(body) > MOST_FIELDS:
            raise PydanticCustomError("too_many", "more than {most} fields", {"most": MOST_FIELDS})
        given = {name: value for name, value in body.items() if value is not None}
        for name, neutral in cls.unsupported.items():
            if name in given and given.pop(name) not in neutral:
                raise PydanticCustomError("unsupported", "not supported by this server", {"field": name})
        return given


class SamplingFields(Body):
    """What all APIs call by the same names."""

    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    frequency_penalty: Penalty = 0.0
    stop: Stops = ()
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None

    def own_or_new_seed(self) -> int:
        """The request's seed. Without one, each answer has a new one."""
        return secrets.randbits(62) if self.seed is None else self.seed
