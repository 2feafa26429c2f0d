"""Checks a message against AWS's own API model: required, unknown, type, min, max, enum, pattern, one member of a union.

botocore itself checks only type, required, unknown members and min. This walker is not the product's: an emulator that
shared the product's would prove less.
"""

import functools
import re
from typing import Any

import botocore.session
import regex
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StringShape, StructureShape

Payload = dict[str, Any]
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "character": (str,),
    "blob": (str, bytes),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
}
# Required in the model of an answer, yet AWS leaves it out of the description of a job that has made nothing.
_ABSENT_AT_FIRST = ["'ModelArtifacts' is required"]


@functools.cache
def service_model(service: str) -> ServiceModel:
    """The model that botocore carries of a service, such as `sagemaker`."""
    return botocore.session.get_session().get_service_model(service)


@functools.cache
def operation_model(service: str, operation: str) -> OperationModel:
    """The model of one operation."""
    return service_model(service).operation_model(operation)


def request_problems(service: str, operation: str, payload: Payload) -> list[str]:
    """What AWS would refuse in a request, a sentence each."""
    shape = operation_model(service, operation).input_shape
    return problems(shape, payload) if shape else []


def answer_problems(service: str, operation: str, answer: Payload) -> list[str]:
    """What is wrong with an answer of ours."""
    shape = operation_model(service, operation).output_shape
    return [each for each in problems(shape, answer) if each not in _ABSENT_AT_FIRST] if shape else []


def problems(shape: Shape, value: Any, path: str = "") -> list[str]:
    """Everything in `value` that `shape` does not allow."""
    if isinstance(shape, StructureShape):
        return _structure(shape, value, path)
    if isinstance(shape, ListShape):
        return _list(shape, value, path)
    if isinstance(shape, MapShape):
        return _map(shape, value, path)
    return _scalar(shape, value, path)


def _structure(shape: StructureShape, value: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [_wrong_type(value, path, shape)]
    inside = f"{path}." if path else ""
    found = [f"'{inside}{name}' is required" for name in shape.required_members if name not in value]
    found += [f"'{inside}{name}' is not in the API" for name in value if name not in shape.members]
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        found.append(f"'{path}' is a union: exactly one member, not {sorted(value)}")
    for name, member in shape.members.items():
        if name in value:
            found += problems(member, value[name], inside + name)
    return found


def _list(shape: ListShape, value: Any, path: str) -> list[str]:
    if not isinstance(value, list):
        return [_wrong_type(value, path, shape)]
    found = _size(shape, len(value), path)
    for position, item in enumerate(value):
        found += problems(shape.member, item, f"{path}.{position + 1}.member")
    return found


def _map(shape: MapShape, value: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [_wrong_type(value, path, shape)]
    found = _size(shape, len(value), path)
    for key, item in value.items():
        found += problems(shape.key, key, f"{path} key")
        found += problems(shape.value, item, f"{path}.{key}")
    return found


def _scalar(shape: Shape, value: Any, path: str) -> list[str]:
    expected = _PYTHON_TYPES[shape.type_name]
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        return [_wrong_type(value, path, shape)]
    found = _size(shape, len(value) if isinstance(value, str | bytes) else value, path)
    pattern = shape.metadata.get("pattern")
    if pattern and not _pattern(pattern).fullmatch(value):
        found.append(_unsatisfied(value, path, f"satisfy regular expression pattern: {pattern}"))
    if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        found.append(_unsatisfied(value, path, f"satisfy enum value set: {shape.enum}"))
    return found


def _size(shape: Shape, size: Any, path: str) -> list[str]:
    if isinstance(size, str):
        return []  # a timestamp
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    word = "value" if shape.type_name in ("integer", "long", "float", "double") else "length"
    found = []
    if least is not None and size < least:
        found.append(_unsatisfied(size, path, f"have {word} greater than or equal to {least}"))
    if most is not None and size > most:
        found.append(_unsatisfied(size, path, f"have {word} less than or equal to {most}"))
    return found


@functools.cache
def _pattern(pattern: str) -> Any:
    """Java's patterns: a few, such as those with \\p{L}, need the `regex` package."""
    try:
        return re.compile(pattern)
    except re.error:
        return regex.compile(pattern, regex.V1)


def _wrong_type(value: Any, path: str, shape: Shape) -> str:
    return f"Value of type {type(value).__name__} at '{path}' is not a {shape.type_name}"


def _unsatisfied(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: Member must {constraint}"
