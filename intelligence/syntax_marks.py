"""Marks in a prompt that are no brackets: pasted generation data, ``<lora:…>``, wildcards, BREAK and AND.

Patterns bound every run they repeat, so that no text makes them slow.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from ..plan import LoraUse

Note = tuple[str, dict[str, object]]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_NEGATIVE = re.compile(r"(?:^|\n)[ \t]{0,8}(?:negative[ _]prompt|prompt negativo)[ \t]{0,8}:", re.IGNORECASE)
_INLINE_NEGATIVE = re.compile(r"\b(?:negative prompt|prompt negativo):", re.IGNORECASE)
_SETTINGS = re.compile(
    r"(?:(?:^|\n)[ \t]{0,8}steps:[ ]{0,4}\d{1,5},[^\n]{0,40}:|\bsteps:[ ]{0,4}\d{1,5},[ ]{0,4}(?:sampler|schedule|cfg|size|seed)\b)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(lora|lyco|locon|hypernet|embed|embedding):([^<>:\n]{1,200})((?::[^<>:\n]{1,60}){0,6})>", re.IGNORECASE)
_EMBEDDING = re.compile(r"\bembedding:([^\s,()<>\[\]{}|:]{1,200})", re.IGNORECASE)
_WILDCARD = re.compile(r"__([A-Za-z0-9][A-Za-z0-9_/*.\- ]{0,80}?)__(?![A-Za-z0-9])")
_BREAK = re.compile(r",?\s{0,4}\bBREAK\b\s{0,4},?")
_AND = re.compile(r"(:\s{0,4}-?\d{1,4}(?:\.\d{1,4})?)?\s{1,4}AND\s{1,4}")
_TAIL_WEIGHT = re.compile(r":\s{0,4}(-?\d{1,4}(?:\.\d{1,4})?)\s{0,4}\Z")
LARGEST_STRENGTH = 20.0


@dataclass(frozen=True)
class Parts:
    """A pasted block of generation data, taken apart."""

    positive: str
    negative: str | None
    notes: list[Note]


@dataclass
class Marks:
    """Text without marks, what they said, and whether ComfyUI would have read them as mere letters."""

    text: str
    loras: list[LoraUse] = field(default_factory=list)
    embeddings: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    foreign: bool = False


def split_infotext(prompt: str) -> Parts:
    """The prompt, the negative and the settings of an A1111 block, or just the prompt."""
    notes: list[Note] = []
    settings = _SETTINGS.search(prompt)
    if settings:
        line = prompt[settings.start() :].strip()
        notes.append(("read.settings_dropped", {"settings": line[:200] + ("…" if len(line) > 200 else "")}))
        prompt = prompt[: settings.start()]
    found = _NEGATIVE.search(prompt) or _INLINE_NEGATIVE.search(prompt)
    if not found:
        return Parts(prompt, None, notes)
    negative = prompt[found.end() :].strip()
    notes.append(("read.negative_found", {"negative": negative[:200]}))
    return Parts(prompt[: found.start()], negative or None, notes)


def read_marks(text: str) -> Marks:
    """Resolves every mark; brackets are left for ``syntax_groups``."""
    marks = Marks(text)
    _drop_control(marks)
    marks.text = _TAG.sub(lambda found: _tag(found, marks), marks.text)
    marks.text = _EMBEDDING.sub(lambda found: _embedding(found, marks), marks.text)
    marks.text = _WILDCARD.sub(lambda found: _wildcard(found, marks), marks.text)
    if not _shouted(marks.text):
        _resolve_break(marks)
        _resolve_and(marks)
    return marks


def _note(marks: Marks, key: str, **values: object) -> None:
    marks.foreign = True
    marks.notes.append((key, values))


def _drop_control(marks: Marks) -> None:
    marks.text, count = _CONTROL.subn("", marks.text)
    if count:
        _note(marks, "read.control_dropped", count=count)


def _tag(found: re.Match[str], marks: Marks) -> str:
    kind, name, rest = found.group(1).lower(), found.group(2).strip(), found.group(3)
    if kind in ("embed", "embedding"):
        _note(marks, "read.embedding_rewritten", embedding=name)
        return f"embedding:{name.replace(' ', '_')}"
    if kind == "hypernet":
        _note(marks, "read.hypernet_dropped", name=name)
        return ""
    model, clip = _strengths(rest.split(":")[1:])
    marks.loras.append(LoraUse(name, model, clip))
    _note(marks, "read.lora_taken", lora=name, model=model, clip=clip)
    return ""


def _strengths(texts: list[str]) -> tuple[float, float]:
    """Model and text-encoder strength. Two bare numbers mean model, then text encoder, as ComfyUI packs write
    them; A1111's named ``te=`` and ``unet=`` mean what they say."""
    plain = [_strength(text) for text in texts if "=" not in text]
    named = {key.strip().lower(): _strength(value) for key, _, value in (text.partition("=") for text in texts) if value}
    model = named.get("unet", plain[0] if plain else 1.0)
    clip = named.get("te", plain[1] if len(plain) > 1 else model)
    return model, clip


def _strength(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 1.0
    return 1.0 if math.isnan(number) else max(-LARGEST_STRENGTH, min(LARGEST_STRENGTH, number))


def _embedding(found: re.Match[str], marks: Marks) -> str:
    name = found.group(1)
    if name not in marks.embeddings:
        marks.embeddings.append(name)
    if not found.group().startswith("embedding"):
        _note(marks, "read.embedding_rewritten", embedding=name)
    return f"embedding\\:{name}"


def _wildcard(found: re.Match[str], marks: Marks) -> str:
    words = found.group(1).rsplit("/", 1)[-1].replace("_", " ").replace("*", " ").strip()
    _note(marks, "read.wildcard", wildcard=found.group(1), words=words)
    return words


def _shouted(text: str) -> bool:
    """In a prompt typed in capitals AND and BREAK are words."""
    letters = [letter for letter in text[:2000] if letter.isalpha()]
    return sum(letter.isupper() for letter in letters) > 0.6 * len(letters)


def _resolve_break(marks: Marks) -> None:
    marks.text, count = _BREAK.subn(", ", marks.text)
    if count:
        _note(marks, "read.break", count=count)


def _resolve_and(marks: Marks) -> None:
    pieces = _AND.split(marks.text)
    if len(pieces) == 1:
        return
    texts, weights = pieces[0::2], pieces[1::2]
    tail = _TAIL_WEIGHT.search(texts[-1][-40:])
    if tail:
        texts[-1] = texts[-1][: len(texts[-1]) - len(tail.group())]
    weights = [*weights, f":{tail.group(1)}" if tail else None]
    marks.text = ", ".join(_weighted(text.strip(" ,"), weight) for text, weight in zip(texts, weights, strict=True))
    _note(marks, "read.and", count=len(texts))


def _weighted(text: str, weight: str | None) -> str:
    return f"({text}{weight})" if weight else text
