"""The prompt as the model reads it: the family's prefix, quality tags, trigger words, emphasis it understands."""

from __future__ import annotations

import re
from functools import cache

from ..data.families import Family, families
from ..plan import Analysis, Dialect, Mode, Reason, Request
from .triggers import insert

_EMPHASIS = re.compile(r"(?<!\\)\(([^()\\]*(?:\\.[^()\\]*)*?)(?<!\\)(?::\s*[-+]?\d*\.?\d+)\s*\)")
_DEEPEST = 32  # brackets nested deeper are no emphasis anyone meant
_DOUBLE = re.compile(r"(?<![\\(])\(\(+([^()]*)\)\)+")


def write_prompt(
    request: Request, analysis: Analysis, family: Family, triggers: tuple[str, ...] = ()
) -> tuple[str, tuple[Reason, ...]]:
    """The positive prompt with reasons for each change. MANUAL keeps the person's words as they are."""
    if request.mode is Mode.MANUAL:
        return analysis.text, (Reason("prompt", "prompt.manual"),)
    text, reasons = analysis.text, []
    if analysis.translation:
        text = analysis.translation
        reasons.append(Reason("prompt", "prompt.translated", {"text": text}))
    if not family.emphasis and (plain := without_emphasis(text)) != text:
        text = plain
        reasons.append(Reason("prompt", "prompt.emphasis_removed", {"family": family.label}))
    text = _with_triggers(text, triggers, analysis.dialect, reasons)
    text = _with_quality(text, family, reasons)
    if family.prompt_prefix and not text.startswith(family.prompt_prefix.strip()):
        text = family.prompt_prefix + text
        reasons.append(Reason("prompt", "prompt.prefix", {"family": family.label}))
    return text, tuple(reasons or [Reason("prompt", "prompt.unchanged")])


def without_emphasis(text: str) -> str:
    """Weights and the brackets around them taken away: ``(a (red:1.2) cat:1.1)`` → ``a red cat``."""
    for _ in range(_DEEPEST):
        lighter = _DOUBLE.sub(r"\1", _EMPHASIS.sub(r"\1", text))
        if lighter == text:
            break
        text = lighter
    return text.replace(r"\(", "(").replace(r"\)", ")")


def says(text: str, words: str) -> bool:
    """Whether ``text`` holds ``words`` as whole words; case, underscores and escapes do not matter."""
    return re.search(rf"(?<!\w){re.escape(_plain(words))}(?!\w)", _plain(text)) is not None


@cache
def score_tags() -> frozenset[str]:
    """Tags like "score_9" that some family was trained on; no other reads them."""
    return frozenset(tag for row in families().values() for tag in row.quality_tags if "score" in tag)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\\", "").replace("_", " ")).strip().casefold()


def _with_triggers(text: str, triggers: tuple[str, ...], dialect: Dialect, reasons: list[Reason]) -> str:
    absent = tuple(dict.fromkeys(word for word in triggers if not says(text, word)))
    if not absent:
        return text
    reasons.append(Reason("prompt", "prompt.triggers", {"words": ", ".join(absent)}))
    return insert(text, absent, dialect)


def _with_quality(text: str, family: Family, reasons: list[Reason]) -> str:
    absent = [tag for tag in family.quality_tags if not says(text, tag)]
    if not absent:
        return text
    reasons.append(Reason("prompt", "prompt.quality_tags", {"words": ", ".join(absent), "family": family.label}))
    return ", ".join(part for part in (*absent, text) if part)
