"""Which language a prompt is written in, and whether it is tags or prose."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..plan import Dialect
from .vocabulary import index
from .words import Word, grammar

TAG_WORDS = 3.0

_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")


def language_of(text: str, words: Sequence[Word]) -> str:
    """ "en", "es", "mixed" (both) or "other". Few words decide by vocabulary, more by function words."""
    letters = [letter for letter in text[:4000] if letter.isalpha()]
    if letters and len(_LATIN.findall("".join(letters))) < 0.5 * len(letters):
        return "other"
    english, spanish, others = _counts([word for word in words[:2000] if word.plain])
    if others > max(spanish, english) and others >= 2:
        return "other"
    if spanish < (1 if english else 0.5) or spanish < 0.12 * english:
        return "en"
    return "mixed" if english > 0.35 * spanish else "es"


def _counts(words: Sequence[Word]) -> tuple[float, float, float]:
    english = spanish = others = 0.0
    known_en, known_es = index("en").longest, index("es").longest
    for word in words:
        if word.plain in grammar("ambiguous"):
            continue
        english += word.plain in grammar("english") or 0.5 * (word.key in known_en and word.key not in known_es)
        spanish += word.plain in grammar("spanish") or 0.9 * (word.key in known_es and word.key not in known_en)
        others += word.plain in grammar("others")
    return english, spanish, others


def dialect_of(words: Sequence[Word]) -> Dialect:
    """Tags are short pieces between commas; prose is longer ones with function words."""
    pieces = _pieces(words)
    if not pieces:
        return Dialect.PROSE
    function = sum(word.plain in grammar("english") or word.plain in grammar("spanish") for word in words)
    plain = sum(not word.is_mark for word in words)
    if function > 0.18 * plain:
        return Dialect.PROSE
    middle = sorted(pieces)[len(pieces) // 2]
    return Dialect.TAGS if len(pieces) >= 3 and middle <= TAG_WORDS else Dialect.PROSE


def _pieces(words: Sequence[Word]) -> list[int]:
    pieces = [0]
    for word in words:
        if word.raw in (",", "\n", "|"):
            pieces.append(0)
        elif not word.is_mark:
            pieces[-1] += 1
    return [count for count in pieces if count]
