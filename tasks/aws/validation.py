"""Checks every request against AWS's own API model before it is sent, and reports all problems together.

botocore checks types, required members and minima. Its model also has enums, maxima and patterns, but only the service
checks those, one at a time and after the upload. This module checks them, and rules that the model lacks (rules.py).
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from finetune_flows.tasks.aws.errors import NEEDS_BOTO3
from finetune_flows.tasks.aws.rules import broken_rules
from finetune_flows.tasks.base.errors import EnvironmentProblem, RecipeError

try:
    import botocore.session
    import regex
    from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StringShape, StructureShape
    from botocore.validate import ParamValidator
except ImportError as error:  # boto3 is an optional extra, and nothing here works without it
    raise EnvironmentProblem(NEEDS_BOTO3) from error


def problems_of(operation: str, request: Mapping[str, Any]) -> list[str]:
    """One line for each problem that AWS would refuse, such as `TrainingJobName: 'a_b' does not match ...`."""
    return _problems(_service().operation_model(operation), request)


def check_requests_of(client: Any) -> None:
    """Makes a SageMaker client raise RecipeError instead of sending a request that AWS would refuse."""
    client.meta.events.register("provide-client-params.sagemaker.*", _refuse_bad_request)


def _refuse_bad_request(params: Mapping[str, Any], model: OperationModel, **_: Any) -> None:
    problems = _problems(model, params)
    if problems:
        raise RecipeError(f"AWS would refuse this {model.name} request", problems)


@lru_cache(maxsize=1)
def _service() -> ServiceModel:
    return botocore.session.Session().get_service_model("sagemaker")


def _problems(model: OperationModel, request: Mapping[str, Any]) -> list[str]:
    shape = model.input_shape
    if shape is None:
        return []
    report = ParamValidator().validate(request, shape)
    if report.has_errors():  # the checks below rely on right types and on required members
        return str(report.generate_report()).splitlines()
    return [*_walk(shape, request, ""), *broken_rules(model.name, request)]


def _walk(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from _walk(shape.members[name], member, f"{path}.{name}".lstrip("."))
    elif isinstance(shape, ListShape):
        yield from _too_many(shape, value, path)
        for index, item in enumerate(value):
            yield from _walk(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        yield from _too_many(shape, value, path)
        for key, item in value.items():
            yield from _walk(shape.key, key, f"{path}, key {key!r}")
            yield from _text(shape.value, item, f"{path}[{key}]", shown=False)  # the value may be confidential
    else:
        yield from _text(shape, value, path, shown=True)


def _too_many(shape: Shape, value: Any, path: str) -> Iterator[str]:
    most = shape.metadata.get("max")
    if most is not None and len(value) > most:
        yield f"{path}: {len(value)} entries, at most {most} are permitted"


def _text(shape: Shape, value: Any, path: str, shown: bool) -> Iterator[str]:
    """Problems of one string or number."""
    most = shape.metadata.get("max")
    if not isinstance(value, str):
        if most is not None and isinstance(value, int | float) and value > most:
            yield f"{path}: {value} is above {most}"
        return
    what = f"{value[:80]!r}" if shown else "its value"
    if most is not None and len(value) > most:
        yield f"{path}: {len(value)} characters, at most {most} are permitted"
    permitted = shape.enum if isinstance(shape, StringShape) else []
    if permitted and value not in permitted:
        yield f"{path}: {what} is not one of {_some(permitted, value)}"
    pattern = shape.metadata.get("pattern")
    if pattern and not matches(pattern, value):
        lines = " (it has a line break)" if "\n" in value else ""
        yield f"{path}: {what} does not match {pattern}{lines}"


def matches(pattern: str, value: str) -> bool:
    r"""Whether the whole of `value` matches a pattern of the API model.

    The patterns are written for Java (`\p{L}`, `\p{Alnum}`). `regex` supports these classes and `re` does not.
    """
    try:
        return regex.fullmatch(pattern, value) is not None
    except regex.error:  # four patterns of the model fail; a test checks that no operation that we call uses them
        return True


def _some(permitted: list[str], value: str) -> str:
    """The permitted values; of a long list, only those with the same beginning as `value`."""
    if len(permitted) <= 12:
        return ", ".join(permitted)
    family = ".".join(value.split(".")[:2])
    near = [name for name in permitted if name.startswith(family)]
    return f"the {len(permitted)} values that AWS permits" + (f", such as {', '.join(near[:6])}" if near else "")
