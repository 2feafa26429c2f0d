"""The parts of a request that say which form an answer must have, by the names that OpenAI's and vLLM's clients use."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from finetune_flows.containers.serving.bodies import Body, JsonObject, ShortText, Text, encodable
from finetune_flows.containers.serving.structure import choice_rule, json_rule, regex_rule

Grammar = Annotated[str, Field(min_length=1, max_length=200_000), AfterValidator(encodable)]
Regex = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(encodable)]
Choices = Annotated[
    list[Annotated[ShortText, Field(min_length=1)]], Field(min_length=1, max_length=1000, fail_fast=True)
]


RULES: Mapping[str, Callable[[Any], str]] = {
    "json": json_rule,
    "regex": regex_rule,
    "choice": choice_rule,
    "json_object": lambda asked: json_rule({"type": "object"}),
}


class Form(NamedTuple):
    """The form that an answer must have: one rule, or a whole grammar. `field` is the part of the request that asks for it."""

    field: str
    rule: str | None = None
    whole: str | None = None

    @property
    def grammar(self) -> str:
        """The grammar in the notation of llguidance."""
        return self.whole or f"start: {self.rule}"


class JsonSchema(Body):
    """A named schema."""

    name: Text
    schema_: JsonObject = Field(default_factory=dict, alias="schema")
    description: Text | None = None
    strict: bool | None = None  # an answer always keeps to the schema


class ResponseFormat(Body):
    """OpenAI's field of that name."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _with_its_schema(self) -> Self:
        if (self.json_schema is not None) != (self.type == "json_schema"):
            raise PydanticCustomError("schema", "json_schema comes with the type json_schema, and only with it")
        return self

    def form(self) -> Form | None:
        """What it asks for."""
        if self.type == "text":
            return None
        schema = self.json_schema.schema_ if self.json_schema else {"type": "object"}
        return Form("response_format", json_rule(schema))


class StructuredOutputs(Body):
    """vLLM's field of that name: exactly one form."""

    unsupported: ClassVar = {
        "structural_tag": (), "whitespace_pattern": (), "disable_fallback": (True, False),
        "disable_any_whitespace": (False,), "disable_additional_properties": (False,),
    }  # fmt: skip

    grammar: Grammar | None = None
    json_: JsonObject | None = Field(None, alias="json")
    regex: Regex | None = None
    choice: Choices | None = None
    json_object: bool = False

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if len(self.forms()) != 1:
            raise PydanticCustomError("one_form", "give exactly one of grammar, json, regex, choice, json_object")
        return self

    def forms(self) -> list[Form]:
        """What it asks for."""
        return forms("structured_outputs.", self.model_dump(by_alias=True))


class GuidedFields(Body):
    """The names of the same forms in older versions of vLLM."""

    guided_grammar: Grammar | None = None
    guided_json: JsonObject | None = None
    guided_regex: Regex | None = None
    guided_choice: Choices | None = None

    def guided_forms(self) -> list[Form]:
        """What they ask for."""
        given = self.model_dump(include=set(GuidedFields.model_fields))
        return forms("guided_", {name.removeprefix("guided_"): value for name, value in given.items()})


def forms(prefix: str, asked: Mapping[str, Any]) -> list[Form]:
    """The forms that these fields ask for, by the names of vLLM. `prefix` comes before the name in a refusal."""
    given = {name: value for name, value in asked.items() if value is not None and value is not False}
    whole = [Form(f"{prefix}{name}", whole=given[name]) for name in given if name == "grammar"]
    return whole + [Form(f"{prefix}{name}", RULES[name](given[name])) for name in given if name in RULES]
