"""Fields of other people's JSON: none is trusted to have its type; what does not fit is empty."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def text_of(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def whole_of(value: object, otherwise: int = 0) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 <= value < 1 << 53 else otherwise


def mapping_of(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def words_of(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in list_of(value) if isinstance(word, str) and word.strip()))


def flag_of(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in ("true", "mature", "x"))


def sha256_of(value: object) -> str | None:
    """In lower case; a hash of nothing is no hash."""
    found = value.lower() if isinstance(value, str) and _SHA256.fullmatch(value) else None
    return None if found == EMPTY_SHA256 else found


def base_model_of(value: object) -> str:
    text = text_of(value)
    return "" if text.lower() in ("unknown", "other") else text
