"""Plans as the text a database can hold."""

from __future__ import annotations

import json
from typing import TypeVar

from ..plan import Plan
from ..values import clean, from_json, to_json

T = TypeVar("T")


def plan_text(value: object) -> str:
    """A noun as JSON. Half of a surrogate pair, which JSON writers refuse, becomes a question mark."""
    try:
        return to_json(value)
    except (UnicodeEncodeError, ValueError):
        from pydantic import TypeAdapter

        plain = TypeAdapter(type(value)).dump_python(value, mode="json")
        return clean(json.dumps(plain, ensure_ascii=False))


def plan_in(text: str) -> Plan:
    return from_json(Plan, text)
