"""The common parts of the request bodies of both APIs."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


def _encodable(text: str) -> str:
    text.encode()  # JSON can contain half a character, such as "\\ud800", which no tokenizer accepts
    return text


Text = Annotated[str, AfterValidator(_encodable)]
StopString = Annotated[str, Field(min_length=1, max_length=1000)]
Stops = Annotated[
    tuple[StopString, ...],
    Field(max_length=16),
    BeforeValidator(  # OpenAI accepts a single stop string without a list
        lambda stop: [stop] if isinstance(stop, str) else stop,
        json_schema_input_type=StopString | tuple[StopString, ...],
    ),
]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
NewTokens = Annotated[int, Field(ge=1)]
Temperature = Annotated[float, Field(ge=0, le=100)]  # 0: always the likeliest token
TopP = Annotated[float, Field(gt=0, le=1)]
TopK = Annotated[int, Field(ge=0)]
RepetitionPenalty = Annotated[float, Field(ge=0.01, le=100)]


class Body(BaseModel):
    """A request body. A misspelt key is an error, and not a setting without effect. null means not given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Fields that this server does not support, with the values that ask for nothing: clients send those by default.
    unsupported: ClassVar[Mapping[str, tuple[Any, ...]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_asked(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        given = {name: value for name, value in body.items() if value is not None}
        for name, neutral in cls.unsupported.items():
            if name in given and given.pop(name) not in neutral:
                raise PydanticCustomError("unsupported", "not supported by this server", {"field": name})
        return given
