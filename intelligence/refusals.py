"""What a prompt says it does not want: "no hat", "without people", "not a portrait", "sin estilo anime", "que no sea …".

A refusal reaches from its cue to the next clause mark, preposition or conjunction, over a few words at most. Words in
quotation marks are to be written in the picture and refuse nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .vocabulary import find, index
from .words import Word, grammar, words_of

MOST_WORDS = 4
LONGEST_FIXED = 4
MOST_IN_TERM = 4
_OPENED = {"“": "”", "«": "»", '"': '"'}
_CUT = " ; "


@dataclass(frozen=True)
class Refusal:
    """Words ``start`` (the cue) to ``end`` (exclusive) of a prompt; ``inner`` is the first refused one."""

    start: int
    inner: int
    end: int


def find_refusals(text: str, words: Sequence[Word]) -> tuple[Refusal, ...]:
    """The refusals among ``words``, which are those of ``text``; linear in their number."""
    spanish = _has_spanish(words)
    quoted = _quoted(words)
    found: list[Refusal] = []
    place = 0
    while place < len(words):
        refusal = _refusal(text, words, place, spanish) if place not in quoted else None
        if refusal:
            found.append(refusal)
        place = refusal.end if refusal else place + max(1, _fixed(words, place, "not_refusals"))
    return tuple(found)


def blanked(words: Sequence[Word], refusals: Sequence[Refusal]) -> tuple[Word, ...]:
    """The same words, the refused ones turned into marks: they count for nothing and no phrase reaches over them."""
    gone = {place for refusal in refusals for place in range(refusal.start, refusal.end)}
    return tuple(
        Word("…", "", "", word.weight, word.start, word.end) if place in gone else word for place, word in enumerate(words)
    )


@lru_cache(maxsize=64)
def asked_part(text: str, keep_tags: bool = False) -> str:
    """``text`` without what it refuses; a semicolon stands where something was. With ``keep_tags`` refusals stay that
    are tags of their own, which LoRAs are trained with ("no humans")."""
    words = words_of([(text, 1.0)])
    kept, end = [], 0
    for refusal in find_refusals(text, words):
        if keep_tags and "_".join(word.plain for word in words[refusal.start : refusal.end]) in grammar("refusal_tags"):
            continue
        kept.append(text[end : words[refusal.start].start])
        end = words[refusal.end - 1].end
    return _CUT.join([*kept, text[end:]])


def refused_terms(text: str, language: str = "en") -> tuple[str, ...]:
    """What ``text`` refuses, as terms of a negative prompt: as typed, or in another ``language`` than English by the
    English names the vocabulary has for it."""
    words = words_of([(text, 1.0)])
    things = (refusal for refusal in find_refusals(text, words) if _is_thing(words, refusal))
    terms = (term for refusal in things for term in _terms(text, words, refusal, language))
    return tuple(dict.fromkeys(term for term in terms if term))


def _is_thing(words: Sequence[Word], refusal: Refusal) -> bool:
    """Whether something to be seen is refused, not something done: "no hat", "not anime", but not "cannot ride"."""
    inside = words[refusal.inner : refusal.end]
    if len(inside) > MOST_IN_TERM:
        return False
    return words[refusal.start].plain in grammar("refuses_things") or bool(find(inside, ("en", "es")))


def _terms(text: str, words: Sequence[Word], refusal: Refusal, language: str) -> Iterator[str]:
    inside = words[refusal.inner : refusal.end]
    if language != "en":
        told = [word for word in inside if word.plain not in grammar("refusal_light")]
        names = [hit.entries[0].name for hit in find(told, ("es", "en"))]
        if names:
            yield from names
            return
    part: list[Word] = []
    for word in (*inside, None):
        if word is None or word.plain in grammar("joins"):
            yield text[part[0].start : part[-1].end].replace("_", " ") if part else ""
            part = []
        elif part or word.plain not in grammar("refusal_light"):
            part.append(word)


# --------------------------------------------------------------------------- cues


def _refusal(text: str, words: Sequence[Word], place: int, spanish: bool) -> Refusal | None:
    length = _cue(text, words, place, spanish)
    if not length:
        return None
    inner, end = place + length, _end(text, words, place + length, spanish)
    return Refusal(place, inner, end) if end > inner else None


def _cue(text: str, words: Sequence[Word], place: int, spanish: bool) -> int:
    """How many words the cue at ``place`` has; 0 where there is none."""
    if words[place].is_mark or _fixed(words, place, "not_refusals"):
        return 0
    length = _fixed(words, place, "refusals") or (_fixed(words, place, "refusals_es") if spanish else 0)
    if not length:
        length = 2 if _contracted(text, words, place) else 0
    return length if length and not _is_name(text, words, place, place + length) else 0


def _fixed(words: Sequence[Word], place: int, row: str) -> int:
    """The length of the longest phrase of this row that stands here; the row joins words with "_"."""
    if words[place].plain.partition("_")[0] not in _first_words(row):
        return 0
    for length in range(min(LONGEST_FIXED, len(words) - place), 0, -1):
        if "_".join(word.plain for word in words[place : place + length]) in grammar(row):
            return length
    return 0


@lru_cache(maxsize=16)
def _first_words(row: str) -> frozenset[str]:
    return frozenset(phrase.partition("_")[0] for phrase in grammar(row))


def _contracted(text: str, words: Sequence[Word], place: int) -> bool:
    """ "isn't", "doesn’t": two words for the tokenizer."""
    if words[place].plain not in grammar("contracted") or place + 1 >= len(words):
        return False
    return words[place + 1].plain == "t" and text[words[place].end : words[place + 1].start] in ("'", "’")


def _is_name(text: str, words: Sequence[Word], place: int, after: int) -> bool:
    """Part of a compound ("no-face"), of a number ("No 5"), of words to be written ("saying no entry"), or the
    particle of a Japanese title ("boku no hero")."""
    if after >= len(words) or words[after].plain.isdigit() or text[words[after - 1].end : words[after - 1].end + 1] == "-":
        return True
    if not place or words[place - 1].is_mark:
        return False
    before = words[place - 1]
    return before.plain in grammar("quoting") or (words[place].plain == "no" and not _is_known(before))


def _is_known(word: Word) -> bool:
    rows = ("english", "spanish", "prepositions", "determiners", "refusal_light", "refusal_ends", "joins", "before_no")
    known = any(word.plain in grammar(row) for row in rows) or word.plain.isdigit()
    return known or any(word.key in index(language).longest for language in ("en", "es"))


def _has_spanish(words: Sequence[Word]) -> bool:
    spanish, english = index("es").longest, index("en").longest
    return any(
        (word.plain in grammar("spanish") or (word.key in spanish and word.key not in english))
        and word.plain not in grammar("ambiguous")
        for word in words
        if not word.is_mark
    )


def _quoted(words: Sequence[Word]) -> frozenset[int]:
    inside: list[int] = []
    opened: tuple[int, str] | None = None
    for place, word in enumerate(words):
        if opened and word.raw == opened[1]:
            inside += range(opened[0], place)
            opened = None
        elif not opened and word.raw in _OPENED:
            opened = (place, _OPENED[word.raw])
    return frozenset(inside)


# --------------------------------------------------------------------------- reach


def _end(text: str, words: Sequence[Word], first: int, spanish: bool) -> int:
    end, count = first, 0
    for place in range(first, len(words)):
        if count == MOST_WORDS or _stops(text, words, place, count, spanish):
            break
        word = words[place]
        if not word.is_mark and word.plain not in grammar("refusal_light") and word.plain not in grammar("joins"):
            count, end = count + 1, place + 1
    return end


def _stops(text: str, words: Sequence[Word], place: int, count: int, spanish: bool) -> bool:
    word = words[place]
    if word.is_mark:
        return count > 0 or word.raw != "("
    if word.plain in grammar("and"):
        return not count or not _ends_a_list(words, place)
    if word.plain in grammar("refusal_ends") and (count > 0 or word.plain not in grammar("participles")):
        return True
    if count and word.plain in grammar("determiners") and words[place - 1].plain not in grammar("joins"):
        return words[place - 1].plain not in ("of", "de")
    return _cue(text, words, place, spanish) > 0


def _ends_a_list(words: Sequence[Word], place: int) -> bool:
    """ "no text and watermark": one more word, then the clause is over."""
    following = words[place + 1 : place + 3]
    if not following or following[0].is_mark or following[0].plain.endswith(("ing", "ando", "iendo")):
        return False
    alone = len(following) == 1 or following[1].is_mark
    return alone and following[0].plain not in grammar("refusals") and following[0].plain not in grammar("refusals_es")
