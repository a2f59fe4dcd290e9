"""What a picture is mainly of: the head nouns of the prompt, the earlier the heavier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .vocabulary import Entry, Hit
from .words import Word, fold, grammar, singular

QUOTES = frozenset('"“”«»')
# Nouns after a preposition set the scene or dress the subject.
PLACE_FACTOR = 0.35
ROOM_FACTOR = 0.8
# A noun right before another one describes it: "soccer player", "car engine".
MODIFIER_FACTOR = 0.3
# The k-th noun counts 1 / (1 + DECAY k).
DECAY = 0.6
# Text in quotation marks is to be written in the picture; several texts make a layout.
WRITTEN = 0.4
WRITTEN_EACH = 0.5
MOST_WRITTEN = 4
# Paintings of an art movement or a named painter are works of art whatever they show.
ART = 1.2
SHORT_WORDS = 3
ABOUT = ("food", "plant", "interior")
ABOUT_SHARE = 0.3


@dataclass(frozen=True)
class ContentFound:
    """A content with its score and the phrases for it."""

    content: str
    score: float = 0.0
    phrases: tuple[str, ...] = ()


def content_of(words: Sequence[Word], hits: Sequence[Hit]) -> ContentFound:
    """The best supported content; where no noun is known, the article tells a thing from an idea."""
    scores: dict[str, float] = {}
    phrases: dict[str, list[str]] = {}
    for content, score, phrase in _votes(words, hits):
        scores[content] = scores.get(content, 0.0) + score
        phrases.setdefault(content, []).append(phrase)
    if not scores:
        return ContentFound(_unknown(words))
    best = _topic(max(scores, key=lambda content: scores[content]), scores, hits)
    return ContentFound(best, scores[best], tuple(phrase for phrase in phrases[best][:5] if phrase))


def _topic(best: str, scores: Mapping[str, float], hits: Sequence[Hit]) -> str:
    """Of somebody nameless who eats, plants or is at home, the picture is about the food, the plant or the home."""
    rival = max(ABOUT, key=lambda content: scores.get(content, 0.0))
    close = scores.get(rival, 0.0) >= ABOUT_SHARE * scores[best]
    return rival if best == "character" and close and _nameless(hits) else best


def _nameless(hits: Sequence[Hit]) -> bool:
    described = any(
        entry.category in ("clothing", "appearance", "hair", "style", "tags", "medium") for hit in hits for entry in hit.entries
    )
    people = [entry.name for hit in hits for entry in hit.entries if entry.content == "character"]
    return not described and all(singular(fold(name)) in grammar("anonymous") for name in people)


def _votes(words: Sequence[Word], hits: Sequence[Hit]) -> list[tuple[str, float, str]]:
    votes: list[tuple[str, float, str]] = []
    rank = 0
    for number, hit in enumerate(hits):
        supported = [entry for entry in hit.entries if entry.content]
        if not supported or hit.weight <= 0:
            continue
        factor = min(hit.weight, 1.5) / (1 + DECAY * rank)
        role = _factor(words, hits, number)
        rank += 1
        votes += [
            (str(entry.content), factor * _content_strength(entry) * _kept(role, entry), hit.phrase) for entry in supported
        ]
    if written := min(sum(word.raw in QUOTES for word in words) // 2, MOST_WRITTEN):
        votes.append(("text", WRITTEN + WRITTEN_EACH * written, ""))
    if _is_artwork(words, hits):
        votes.append(("art", ART, ""))
    return [vote for vote in votes if vote[0] != "art"] if _is_portrait(hits) else votes


def _kept(role: float, entry: Entry) -> float:
    """A room keeps most of its weight after a preposition: "cooking in the kitchen" is an indoor scene."""
    return max(role, ROOM_FACTOR) if entry.content == "interior" else role


def _content_strength(entry: Entry) -> float:
    """Style words use ``strength`` for their style; for content only weaker groups differ from 1."""
    return min(entry.strength, 1.0)


def _is_artwork(words: Sequence[Word], hits: Sequence[Hit]) -> bool:
    styles = {
        entry.style for hit in hits for entry in hit.entries if entry.category in ("style", "artist") and entry.strength >= 4
    }
    painted = [place for place, word in enumerate(words) if word.key in ("painting", "pintura", "cuadro", "oleo", "acuarela")]
    followed = any(place + 1 < len(words) and words[place + 1].plain in grammar("describers") for place in painted)
    return (
        bool(painted)
        and not followed
        and bool(styles & {"painting_classic", "oil_painting", "watercolor", "ukiyo_e", "chinese_ink"})
    )


def _is_portrait(hits: Sequence[Hit]) -> bool:
    """Of a person: one shows somebody, whatever it is painted with."""
    names = {entry.name for hit in hits for entry in hit.entries if entry.category == "character"}
    return bool(names & grammar("portraits")) and bool(names - grammar("portraits"))


def _unknown(words: Sequence[Word]) -> str:
    plain = [word.plain for word in words if word.plain]
    if not plain or any(not word[0].isascii() for word in plain):
        return "other"
    if plain[0] in grammar("determiners"):
        return "object"
    return "abstract" if len(plain) <= SHORT_WORDS and not plain[0].isdigit() else "other"


def _factor(words: Sequence[Word], hits: Sequence[Hit], number: int) -> float:
    hit = hits[number]
    following = words[hit.end].plain if hit.end < len(words) else ""
    if following in grammar("describers"):
        return MODIFIER_FACTOR
    if number + 1 < len(hits) and hits[number + 1].start == hit.end and _has_content(hits[number + 1]):
        return MODIFIER_FACTOR
    if following in ("of", "de") and words[hit.end - 1].key in grammar("transparent"):
        return MODIFIER_FACTOR
    return PLACE_FACTOR if _after_preposition(words, hit.start) else 1.0


def _has_content(hit: Hit) -> bool:
    return any(entry.content for entry in hit.entries)


def _after_preposition(words: Sequence[Word], start: int) -> bool:
    for place in range(start - 1, max(start - 6, -1), -1):
        word = words[place]
        if word.is_mark or word.plain in ("and", "y", "is", "are"):
            return False
        if word.plain in ("of", "de"):
            return place == 0 or words[place - 1].key not in grammar("transparent")
        if word.plain in grammar("prepositions"):
            return True
    return False
