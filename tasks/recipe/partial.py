"""A recipe with wrong fields, as far as it can be read: so that the rules whose fields are right are checked too."""

from collections.abc import Callable, Iterable, Iterator
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from finetune_flows.tasks.base.errors import EnvironmentProblem, TryLater
from finetune_flows.tasks.recipe.recipe import Recipe
from finetune_flows.tasks.sections.section import Section, rules_of

Model = TypeVar("Model", bound=BaseModel)


def broken_rules(content: object, checks: Iterable[Callable[[Recipe], Iterable[str]]] = ()) -> Iterator[str]:
    """Every rule that `content` breaks, and what `checks` find. A rule that reads a wrong or missing field is left out."""
    recipe = _read(Recipe, content if isinstance(content, dict) else {})
    yield from _broken_in(recipe, "")
    for check in checks:
        yield from _as_far_as_it_goes(check, recipe)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a field's type permits."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else [annotation]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _read(model: type[Model], content: dict[str, Any]) -> Model:
    """An object without its wrong fields: who asks for one gets an AttributeError, not a default that nobody wrote."""
    right = {
        name: value for name in content.keys() & model.model_fields.keys() for value in _value(model, name, content)
    }
    read = model.model_construct(**right)
    for name, field in model.model_fields.items():
        if name not in right and (name in content or field.is_required()):
            read.__dict__.pop(name, None)
    return read


def _value(model: type[BaseModel], name: str, content: dict[str, Any]) -> list[Any]:
    """The value of a field as pydantic reads it; none where it is wrong."""
    field, value = model.model_fields[name], content[name]
    if isinstance(value, dict) and (section := _section(field, value)):
        return [_read(section, value)]
    if isinstance(value, dict) and get_origin(field.annotation) is dict:
        (section,) = models_in(get_args(field.annotation)[1]) or (None,)
        if section:
            return [{key: _read(section, each) for key, each in value.items() if isinstance(each, dict)}]
    try:
        reader: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
        return [reader.validate_python(value)]
    except ValidationError:
        return []


def _section(field: FieldInfo, value: dict[str, Any]) -> type[BaseModel] | None:
    """Which section the value is; of several kinds, the one that it names."""
    models = models_in(field.annotation)
    if len(models) > 1:
        models = [model for model in models if model.model_fields["kind"].default == value.get("kind")]
    return models[0] if models else None


def _broken_in(section: BaseModel, path: str) -> Iterator[str]:
    """Of a section and those below it."""
    for rule in _rules(section):
        for problem in _as_far_as_it_goes(rule, section):
            yield f"{path}: {problem}" if path else problem
    for name, value in list(section.__dict__.items()):
        below = value if isinstance(value, dict) else {"": value}
        for key, each in below.items():
            if isinstance(each, BaseModel):
                yield from _broken_in(each, ".".join(str(part) for part in (path, name, key) if part != ""))


def _rules(section: BaseModel) -> Iterator[Callable[[Any], Iterable[str]]]:
    """Those that it collects itself, and pydantic's validators, which stop at the first."""
    yield from rules_of(type(section))
    for name, validator in type(section).__pydantic_decorators__.model_validators.items():
        if validator.info.mode == "after" and not (isinstance(section, Section) and name == "_keeps_its_rules"):
            yield _as_rule(getattr(type(section), name))


def _as_rule(validate: Callable[[Any], object]) -> Callable[[Any], Iterable[str]]:
    def broken(section: Any) -> Iterator[str]:
        try:
            validate(section)
        except ValueError as error:
            yield str(error)

    return broken


def _as_far_as_it_goes(rule: Callable[[Any], Iterable[str]], section: Any) -> Iterator[str]:
    try:
        yield from rule(section)
    except AttributeError:  # it reads a field that is not there; that is reported already
        return
    except (
        EnvironmentProblem,
        TryLater,
    ) as error:  # of a server that the recipe names; the recipe is wrong in any case
        yield str(error)
