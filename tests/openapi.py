"""What ``openapi.json`` says, and whether a value is what it promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

SPEC: dict[str, Any] = json.loads((Path(__file__).parent.parent / "openapi.json").read_text(encoding="utf-8"))
TYPES = {
    "string": str,
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
    "number": (int, float),
    "integer": int,
}


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found: Any = SPEC
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {(method.upper(), path): each for path, methods in SPEC["paths"].items() for method, each in methods.items()}


def parameters(operation: dict[str, Any], place: str) -> set[str]:
    return {each["name"] for each in map(resolved, operation["parameters"]) if each["in"] == place}


def body_schema(operation: dict[str, Any]) -> dict[str, Any]:
    return resolved(operation["requestBody"]["content"]["application/json"]["schema"])


def answer_schema(method: str, path: str, status: int) -> dict[str, Any]:
    """The schema of a JSON answer. Raises ``KeyError`` for a status that is not described."""
    return resolved(operations()[method, path]["responses"][str(status)])["content"]["application/json"]["schema"]


def faults(value: Any, schema: dict[str, Any], where: str = "") -> Iterator[str]:
    """Where ``value`` is not what ``schema`` says."""
    schema = resolved(schema)
    if "anyOf" in schema:
        tries = [list(faults(value, each, where)) for each in schema["anyOf"]]
        if all(tries):
            yield from min(tries, key=len)
        return
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    named = schema.get("type", [])
    named = [named] if isinstance(named, str) else named
    if named and not any(_is(value, name) for name in named):
        yield f"{where}: {value!r} is no {' or '.join(named)}"
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from faults(each, schema.get("items", {}), f"{where}[{index}]")
    elif isinstance(value, dict):
        yield from _faults_of_object(value, schema, where)


def _faults_of_object(value: dict[str, Any], schema: dict[str, Any], where: str) -> Iterator[str]:
    known, further = schema.get("properties", {}), schema.get("additionalProperties", True)
    yield from (f"{where}: lacks {name}" for name in schema.get("required", ()) if name not in value)
    for name, each in value.items():
        if name in known:
            yield from faults(each, known[name], f"{where}.{name}")
        elif further is False:
            yield f"{where}: {name} is not described"
        elif isinstance(further, dict):
            yield from faults(each, further, f"{where}.{name}")


def _is(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and not (isinstance(value, bool) and name in ("number", "integer"))


def checked(method: str, path: str, answer: requests.Response, status: int) -> Any:
    """The JSON of an answer with this status, as it is described."""
    assert answer.status_code == status, answer.text[:500]
    told = answer.json()
    assert not list(faults(told, answer_schema(method, path, status)))
    return told
