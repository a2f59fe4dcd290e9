"""The strength an author recommends for a LoRA, where it is written in plain words."""

from __future__ import annotations

import re

Strength = tuple[float | None, float | None, float | None]  # minimum, recommended, maximum
UNKNOWN: Strength = (None, None, None)
LIMIT = 2.0  # what people mean by a weight; larger numbers are steps, sizes or CFG

_NUMBER = r"(-?\d(?:[.,]\d{1,2})?)"
_WORD = r"(?:weights?|strengths?|lora|use|using|recommended?|suggest(?:ed)?|best|works?|pesos?|fuerza|usar?)"
_RANGE = re.compile(
    _WORD + r"[^.\n\d]{0,40}" + _NUMBER + r"\s*(?:-|–|—|~|to|and|a)\s*" + _NUMBER + r"(?![\d.,]*\d|\s*(?:steps|px|%))",
    re.IGNORECASE,
)
_SINGLE = re.compile(
    r"(?:weight|strength|peso|fuerza)s?\b[^.\n\d]{0,25}" + _NUMBER + r"(?![\d.,]*\d|\s*(?:steps|px|%))", re.IGNORECASE
)
_TAG = re.compile(r"<lora:[^:>]{1,200}:" + _NUMBER)


def strength_in_text(text: str) -> Strength:
    """The range or number a description recommends: "use 0.6-0.8", "weight: 0.7", ``<lora:name:0.8>``."""
    for found in _RANGE.finditer(text):
        low, high = sorted(_value(part) for part in found.groups())
        if 0 < low <= high <= LIMIT:
            return (low, round((low + high) / 2, 3), high)
    for pattern in (_SINGLE, _TAG):
        for found in pattern.finditer(text):
            value = _value(found.group(1))
            if 0 < abs(value) <= LIMIT:
                return (None, value, None)
    return UNKNOWN


def _value(text: str) -> float:
    return float(text.replace(",", "."))


def number(value: object) -> float | None:
    """A weight as tools store it: a number or its text, 0 meaning "not set"."""
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if found and -LIMIT * 10 <= found <= LIMIT * 10 else None
