"""Prompt and metadata text as comparable words: tags and prose, underscores and brackets, plurals and accents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from math import log

from ..data import table

_LORA_TAG = re.compile(r"<[^<>]{0,200}>")
_NUMBER_WEIGHT = re.compile(r":\s*-?\d*\.?\d+\s*(?=[)\]},]|$)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-zA-Z])(?=\d{2,})")
_WORD = re.compile(r"[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_BREAKS = re.compile(r"[,;\n|.!?]|\bBREAK\b|\bAND\b")
_VOWEL = re.compile(r"[aeiouy]")
_ENDINGS = (("ies", "y", 3), ("sses", "ss", 2), ("shes", "sh", 2), ("ches", "ch", 2), ("xes", "x", 2), ("s", "", 3))


def fold(text: str) -> str:
    """Lower case without accents, widths and the apostrophe of possessives."""
    if not text.isascii():
        text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return text.lower().replace("'s ", " ").replace("'", "")


def words(text: str) -> list[str]:
    """The stems of ``text`` in order; LoRA tags and emphasis weights are not words."""
    return [stem(word) for word in _WORD.findall(fold(_NUMBER_WEIGHT.sub(" ", _LORA_TAG.sub(" ", text))))]


def name_words(text: str) -> list[str]:
    """The stems of a title or file name; ``animeStyle_v2`` reads like "anime style v2"."""
    return words(_CAMEL.sub(" ", text))


def units(text: str) -> Iterator[str]:
    """The tags or clauses of a prompt, each as written, in order."""
    plain = _NUMBER_WEIGHT.sub(" ", _LORA_TAG.sub(" ", text))
    for unit in _BREAKS.split(plain):
        if stripped := unit.strip(" ()[]{}\t\\"):
            yield stripped


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """A light English stem (plural, -ing, -ed, -ly), after Porter's step 1; short words and numbers stay."""
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    return _verb(_singular(word))


def _singular(word: str) -> str:
    if word.endswith(("ss", "us", "is")):
        return word
    for ending, put, keep in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= keep:
            return word[: -len(ending)] + put
    return word


def _verb(word: str) -> str:
    for ending in ("ing", "edly", "ed", "ly"):
        rest = word[: -len(ending)]
        if word.endswith(ending) and len(rest) >= 3 and _VOWEL.search(rest):
            if len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "lsz":
                return rest[:-1]
            return rest
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


@lru_cache(maxsize=200_000)
def rarity(word: str) -> float:
    """How telling a stem is: 0 for a word in every prompt, 1 for one in none (squared share of the log frequency in
    ``data/prompt_words``)."""
    prompts, seen = _counts()
    if word in _function_words() or (len(word) == 1 and word.isascii()):
        return 0.0
    return max(0.0, log((prompts + 10) / (seen.get(word, 0) + 0.5)) / log(2 * prompts + 20)) ** 2


@cache
def _function_words() -> frozenset[str]:
    return frozenset(stem(word) for word in table("recommend")["kinds"]["function_words"])


@cache
def _counts() -> tuple[int, dict[str, int]]:
    counts = table("prompt_words")
    return counts["prompts"], counts["words"]
