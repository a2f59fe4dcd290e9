"""The strength an author recommends for a LoRA, where it is written in plain words."""

from __future__ import annotations

import re

Strength = tuple[float | None, float | None, float | None]  # minimum, recommended, maximum
UNKNOWN: Strength = (None, None, None)
LIMIT = 2.0  # what people mean by a weight; larger numbers are steps, sizes or CFG

# Numbers are rarer than words, so they are looked for first and the words before them after.
_END = r"(?![\d.,]*\d|\s*(?:steps|px|%))"
_RANGE = re.compile(r"(?<![\d.,])(\d(?:[.,]\d{1,2})?)\s*(?:-|–|—|~|to|and|a)\s*(\d(?:[.,]\d{1,2})?)" + _END)
_SINGLE = re.compile(r"(?<![\d.,])(-?\d(?:[.,]\d{1,2})?)" + _END)
_BEFORE_RANGE = re.compile(
    r"\b(weights?|strengths?|loras?|us(e|ing)|recommend\w*|suggest\w*|best|works?|pesos?|fuerza|usa[rl]?\w*)\b[^.\n\d]*$",
    re.IGNORECASE,
)
_BEFORE_SINGLE = re.compile(r"(weight|strength|peso|fuerza)s?\b[^.\n\d]{0,25}$|<lora:[^:>]{1,60}:$", re.IGNORECASE)
_REACH = 60  # characters between the word and the number


def strength_in_text(text: str) -> Strength:
    """The range or number a description recommends: "use 0.6-0.8", "weight: 0.7", ``<lora:name:0.8>``."""
    for found in _RANGE.finditer(text):
        low, high = sorted(_value(part) for part in found.groups())
        if 0 < low <= high <= LIMIT and _BEFORE_RANGE.search(text, max(0, found.start() - _REACH), found.start()):
            return (low, round((low + high) / 2, 3), high)
    for found in _SINGLE.finditer(text):
        value = _value(found.group(1))
        if 0 < abs(value) <= LIMIT and _BEFORE_SINGLE.search(text, max(0, found.start() - _REACH), found.start()):
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
