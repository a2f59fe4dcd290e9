"""Every emphasis syntax people paste, rewritten to what ComfyUI implements: ``(words:1.21)`` and
``embedding:name``. Nothing is lost silently: what is resolved or dropped leaves a ``Reason``.

A prompt that already is plain ComfyUI text is kept letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..plan import LoraUse, Reason
from .syntax_groups import Brackets, read_brackets, segments_of
from .syntax_marks import Marks, read_marks, split_infotext

_ESCAPED = re.compile(r"\\([()\[\]{}|:])")
_EMBEDDING = re.compile(r"embedding:[^\s,]{1,200}")
_ESCAPED_BUT_ROUND = re.compile(r"\\([\[\]{}|:])")
# More reasons than this of one kind say nothing new about a prompt.
MOST_REASONS = 8


@dataclass(frozen=True)
class Rewritten:
    """``text`` for ComfyUI's encoders; ``segments`` the same words without any syntax, with weights."""

    text: str
    segments: tuple[tuple[str, float], ...]
    negative: str | None
    loras: tuple[LoraUse, ...]
    embeddings: tuple[str, ...]
    reasons: tuple[Reason, ...]


def rewrite(prompt: str) -> Rewritten:
    """Takes any text; linear in its length; raises nothing."""
    parts = split_infotext(prompt)
    positive, marks, reasons = _rewrite_one(parts.positive, "text")
    negative = None
    reasons = [*_reasons("text", parts.notes), *reasons]
    if parts.negative is not None:
        (negative, _), below, more = _rewrite_one(parts.negative, "negative")
        reasons += [*more, *(Reason("negative", "read.lora_in_negative", {"lora": use.name}) for use in below.loras)]
    text, segments = positive
    return Rewritten(text, segments, negative, tuple(marks.loras), tuple(marks.embeddings), tuple(reasons))


def _rewrite_one(source: str, decision: str) -> tuple[tuple[str, tuple[tuple[str, float], ...]], Marks, list[Reason]]:
    marks = read_marks(source)
    brackets = read_brackets(marks.text)
    foreign = marks.foreign or brackets.foreign
    weighted = segments_of(brackets.root, multiply=foreign)
    text = "".join(_emit(weighted)).strip() if foreign else source.strip()
    plain = tuple((_EMBEDDING.sub("", _ESCAPED.sub(r"\1", segment)), weight) for segment, weight in weighted)
    return (text, plain), marks, list(_reasons(decision, [*marks.notes, *_spoken(brackets)]))


def _emit(weighted: list[tuple[str, float]]) -> Iterator[str]:
    for segment, weight in weighted:
        text = _ESCAPED_BUT_ROUND.sub(r"\1", segment)
        bare = text.strip(" \t\n,")
        if not bare or abs(weight - 1) < 0.005:
            yield text
            continue
        lead = text.index(bare[0])
        yield f"{text[:lead]}({bare}:{_number(weight)}){text[lead + len(bare) :]}"


def _number(weight: float) -> str:
    return f"{weight:.2f}".rstrip("0").rstrip(".")


def _spoken(brackets: Brackets) -> Iterator[tuple[str, dict[str, object]]]:
    for key, detail in brackets.notes:
        if key == "read.scheduled":
            words, _, kept = detail.partition("\0")
            yield key, {"words": words, "kept": kept}
        elif key == "read.choice":
            first, *others = detail.split("\0")
            yield key, {"kept": first, "others": ", ".join(others)}
        else:
            yield key, {"words": detail}


def _reasons(decision: str, notes: list[tuple[str, dict[str, object]]]) -> Iterator[Reason]:
    counts: dict[str, int] = {}
    for key, values in notes:
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= MOST_REASONS:
            yield Reason(decision, key, values)
    for key, count in counts.items():
        if count > MOST_REASONS:
            yield Reason(decision, "read.and_more", {"count": count - MOST_REASONS, "kind": key})
