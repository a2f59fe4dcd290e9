"""A prompt as words: folded for look-up, kept as typed for quoting, with their emphasis."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from ..data import table

_TOKEN = re.compile(r"[^\W_]+|[,.;:!?\n()|\"“”«»…*]")


@cache
def grammar(name: str) -> frozenset[str]:
    """A row of small words of ``vocabulary_grammar.toml``."""
    return frozenset(table("vocabulary_grammar")[name].split())


@dataclass(frozen=True)
class Word:
    """One word or one mark of punctuation. ``key`` is lower case, without accents, singular."""

    raw: str
    plain: str
    key: str
    weight: float
    start: int
    end: int

    @property
    def is_mark(self) -> bool:
        return not self.key


@lru_cache(maxsize=20_000)
def fold(word: str) -> str:
    """Lower case without accents: "Mansión" and "mansion" are one word."""
    if word.isascii():
        return word.lower()
    return "".join(letter for letter in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(letter))


@lru_cache(maxsize=20_000)
def singular(word: str) -> str:
    """A crude singular: the same letters for "horse" and "horses", no promise that it is a word."""
    if len(word) < 4 or word in grammar("no_plurals") or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1]


def words_of(segments: Iterable[tuple[str, float]]) -> tuple[Word, ...]:
    """The words and marks of weighted segments of text; ``start`` and ``end`` count characters of all the
    segments laid end to end."""
    words: list[Word] = []
    offset = 0
    for text, weight in segments:
        for found in _TOKEN.finditer(text):
            raw = found.group()
            plain = fold(raw) if raw[0].isalnum() else ""
            words.append(Word(raw, plain, singular(plain), weight, offset + found.start(), offset + found.end()))
        offset += len(text)
    return tuple(words)


def keys_of(phrase: str) -> list[str]:
    """The folded words a phrase is looked up by."""
    return [word.key for word in words_of([(phrase, 1.0)]) if word.key]
