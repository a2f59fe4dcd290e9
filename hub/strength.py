"""The strength an author recommends for a LoRA, where it is written in plain words."""

from __future__ import annotations

import re

Strength = tuple[float | None, float | None, float | None]  # minimum, recommended, maximum
UNKNOWN: Strength = (None, None, None)
LIMIT = 2.0  # what people mean by a weight; larger numbers are steps, sizes or CFG

# Numbers are rarer than words, so they are looked for first and the words before them after.
_END = r"(?![\d.,]*\d|\s*(?:steps|px|%))"
_RANGE = re.compile(r"(\d(?:[.,]\d{1,2})?)\s*(?:-|–|—|~|to|and|a)\s*(\d(?:[.,]\d{1,2})?)" + _END)
_SINGLE = re.compile(r"(\d(?:[.,]\d{1,2})?)" + _END)
_BEFORE_RANGE = re.compile(
    r"\b(weights?|strengths?|loras?|us(e|ing)|recommend\w*|suggest\w*|best|works?|pesos?|fuerza|usa[rl]?\w*)\b[^.\n\d]*$",
    re.IGNORECASE,
)
_BEFORE_SINGLE = re.compile(r"(weight|strength|peso|fuerza)s?\b[^.\n\d]{0,25}$|<lora:[^:>]{1,60}:$", re.IGNORECASE)
_DIGITS = tuple("0123456789.,-")
_REACH = 60  # characters between the word and the number


def strength_in_text(text: str) -> Strength:
    """The range or number a description recommends: "use 0.6-0.8", "weight: 0.7", ``<lora:name:0.8>``."""
    for found in _RANGE.finditer(text):
        low, high = sorted(_value(part) for part in found.groups())
        if 0 < low <= high <= LIMIT and _said_before(_BEFORE_RANGE, text, found.start()):
            return (low, round((low + high) / 2, 3), high)
    for found in _SINGLE.finditer(text):
        value = _value(found.group(1))
        if 0 < value <= LIMIT and _said_before(_BEFORE_SINGLE, text, found.start()):
            return (None, value, None)
    return UNKNOWN


def _said_before(words: re.Pattern[str], text: str, at: int) -> bool:
    """Whether the words lead up to the number at this place, which is no part of a longer number."""
    return text[at - 1 : at] not in _DIGITS and words.search(text, max(0, at - _REACH), at) is not None


def _value(text: str) -> float:
    return float(text.replace(",", "."))


def number(value: object) -> float | None:
    """A weight as tools store it: a number or its text, 0 meaning "not set"."""
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if found and -LIMIT * 10 <= found <= LIMIT * 10 else None
