"""The artistic style of a prompt, by the phrases that name it or lean towards it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..plan import Dialect
from .vocabulary import Hit
from .words import Word, grammar

NAMED_BONUS = 3.0
# A second cue for the same style adds this share of its strength.
SHARE = 0.3
# Below this nothing names a style: leanings only.
NAMED = 2.0
# Everyday prose without any leaning towards fantasy is read as a photograph.
FANTASTIC = 1.3


@dataclass(frozen=True)
class StyleFound:
    """A style with its score and the phrases for it; ``implied`` when nothing names it."""

    style: str
    score: float = 0.0
    phrases: tuple[str, ...] = ()
    implied: bool = False


def style_of(words: Sequence[Word], hits: Sequence[Hit], dialect: Dialect, language: str = "en") -> StyleFound:
    """The best supported style; "photo" for everyday prose that names none; else "none". In a language the
    rules cannot read nothing is guessed."""
    scores = _scores(words, hits)
    ranked = sorted(scores.items(), key=lambda item: -item[1][0])
    if ranked and ranked[0][1][0] >= NAMED:
        style, (score, phrases) = ranked[0]
        return StyleFound(style, score, tuple(phrases))
    return StyleFound("none") if language == "other" else _implied(scores, words, dialect)


def _implied(scores: dict[str, tuple[float, list[str]]], words: Sequence[Word], dialect: Dialect) -> StyleFound:
    score, phrases = scores.get("concept_fantasy_scifi", (0.0, []))
    if score >= FANTASTIC:
        return StyleFound("concept_fantasy_scifi", score, tuple(phrases), implied=True)
    if dialect is Dialect.PROSE and score == 0 and sum(not word.is_mark for word in words) >= 2:
        return StyleFound("photo", 1.0, (), implied=True)
    return StyleFound("none")


def _scores(words: Sequence[Word], hits: Sequence[Hit]) -> dict[str, tuple[float, list[str]]]:
    support: dict[str, dict[str, float]] = {}
    for hit in hits:
        for entry in hit.entries:
            if entry.style and hit.weight > 0:
                phrases = support.setdefault(entry.style, {})
                strength = (entry.strength + _bonus(words, hit)) * min(hit.weight, 1.5)
                phrases[hit.phrase.lower()] = max(strength, phrases.get(hit.phrase.lower(), 0.0))
    return {style: (_total(phrases), list(phrases)) for style, phrases in support.items()}


def _total(phrases: dict[str, float]) -> float:
    strengths = sorted(phrases.values(), reverse=True)
    if strengths[0] < NAMED:
        return min(strengths[0] + SHARE * sum(strengths[1:4]), NAMED - 0.01)
    return strengths[0] + SHARE * sum(strength for strength in strengths[1:4] if strength >= NAMED)


def _bonus(words: Sequence[Word], hit: Hit) -> float:
    following = words[hit.end].plain if hit.end < len(words) else ""
    if following in grammar("style_after"):
        return NAMED_BONUS
    place = hit.start - 1
    while place >= 0 and words[place].plain in grammar("links"):
        place -= 1
    return NAMED_BONUS if place >= 0 and words[place].plain in grammar("style_before") and hit.start - place <= 5 else 0.0
