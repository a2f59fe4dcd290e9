"""The vocabulary tables as an index of phrases, and the phrases of it that a prompt holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..data import table
from .words import Word, keys_of

TABLES = ("vocabulary_style", "vocabulary_subject", "vocabulary_scene", "vocabulary_look")


@dataclass(frozen=True)
class Entry:
    """A row of the vocabulary. ``style``, ``content`` and ``quality`` are what the phrase argues for."""

    category: str
    name: str
    style: str | None = None
    content: str | None = None
    quality: str | None = None
    strength: float = 1.0


@dataclass(frozen=True)
class Hit:
    """A phrase of the vocabulary found in a prompt: words ``start`` to ``end`` (exclusive) of it."""

    entries: tuple[Entry, ...]
    start: int
    end: int
    phrase: str
    weight: float


@dataclass(frozen=True)
class Index:
    """Phrases by their folded words joined with spaces; ``longest`` by their first word, in words."""

    phrases: Mapping[str, tuple[Entry, ...]]
    longest: Mapping[str, int]


@cache
def index(language: str) -> Index:
    """The phrases of one language ("en" or "es"). A Spanish phrase has the entries of its English name."""
    phrases: dict[str, tuple[Entry, ...]] = {}
    longest: dict[str, int] = {}
    for phrase, entry in _english() if language == "en" else _spanish():
        keys = keys_of(phrase)
        joined = " ".join(keys)
        known = phrases.get(joined, ())
        if keys and all(entry.category != other.category for other in known):
            phrases[joined] = (*known, entry)
            longest[keys[0]] = max(longest.get(keys[0], 0), len(keys))
    return Index(phrases, longest)


def _english() -> Iterator[tuple[str, Entry]]:
    for name in TABLES:
        for group in table(name)["group"]:
            for phrase in re.split(r"[,/]", group["words"]):
                yield phrase, _entry(phrase.strip(), group)


def _entry(name: str, group: Mapping[str, Any]) -> Entry:
    return Entry(
        group["category"], name, group.get("style"), group.get("content"), group.get("quality"), group.get("strength", 1.0)
    )


def _spanish() -> Iterator[tuple[str, Entry]]:
    for english, spanish in spanish_rows():
        for entry in index("en").phrases.get(" ".join(keys_of(english)), ()):
            yield spanish, entry
            yield " ".join(_plural(word) for word in spanish.split()), entry


def spanish_rows() -> Iterator[tuple[str, str]]:
    """(English name, Spanish phrase) of every row of ``vocabulary_es.toml``."""
    for listed in table("vocabulary_es").values():
        for item in listed.split(","):
            english, _, spanish = item.partition("=")
            for phrase in spanish.split("/"):
                yield english.strip(), phrase.strip()


def _plural(word: str) -> str:
    """Plurals are formed where dropping an s, as English words do, does not lead back ("luces", "flores", "coches")."""
    if word.endswith(("che", "she", "xe")):
        return f"{word}s"
    if word[-1:] == "z":
        return f"{word[:-1]}ces"
    return word if word[-1:] in "aeiouáéíóús" else f"{word}es"


def find(words: Sequence[Word], languages: Sequence[str]) -> tuple[Hit, ...]:
    """The longest known phrases from left to right; no phrase reaches over a mark of punctuation."""
    indexes = [index(language) for language in languages]
    hits: list[Hit] = []
    place = 0
    while place < len(words):
        hit = _longest(words, place, indexes)
        if hit:
            hits.append(hit)
        place = hit.end if hit else place + 1
    return tuple(hits)


def _longest(words: Sequence[Word], place: int, indexes: Sequence[Index]) -> Hit | None:
    first = words[place].key
    reach = max((index.longest.get(first, 0) for index in indexes), default=0) if first else 0
    for length in range(min(reach, len(words) - place), 0, -1):
        keys = [word.key for word in words[place : place + length]]
        if "" in keys:
            continue
        joined = " ".join(keys)
        for known in indexes:
            if entries := known.phrases.get(joined):
                return _hit(words, place, place + length, entries)
    return None


def _hit(words: Sequence[Word], start: int, end: int, entries: tuple[Entry, ...]) -> Hit:
    phrase = " ".join(word.raw for word in words[start:end])
    return Hit(entries, start, end, phrase, words[start].weight)
