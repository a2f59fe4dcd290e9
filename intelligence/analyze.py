"""Reading a prompt by rules alone: vocabulary, position and punctuation. Pure, a few milliseconds, no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..plan import Analysis, Concept, Dialect, Reason
from .refusals import Refusal, blanked, find_refusals
from .rules_complexity import complexity_of
from .rules_content import ContentFound, content_of
from .rules_language import dialect_of, language_of
from .rules_style import StyleFound, style_of
from .syntax import rewrite
from .vocabulary import Entry, Hit, find
from .words import Word, words_of

# More text than this says nothing new about a picture; it is kept but not read.
MOST_WORDS = 4000
EVIDENCE = frozenset({"tags", "hair", "theme", "layout", "writing"})
NAMES_STYLE = 3.0


def analyze(prompt: str, language: str | None = None) -> Analysis:
    """The prompt, read. ``language`` ("en", "es", "mixed") overrules the detection. Takes any text, raises
    nothing, linear in its length."""
    written = rewrite(prompt)
    plain = "".join(text for text, _ in written.segments)
    all_words = words_of(written.segments)[:MOST_WORDS]
    spoken = language or language_of(plain, all_words)
    dialect = dialect_of(all_words)
    refusals = find_refusals(plain, all_words)
    words = blanked(all_words, refusals)
    hits = find(words, _languages(spoken))
    style, content = style_of(words, hits, dialect, spoken), content_of(words, hits)
    concepts = _concepts(hits)
    complexity = complexity_of(words, concepts)
    quality = _quality(hits)
    reasons = (
        *written.reasons,
        *_refused(plain, all_words, refusals),
        *_reasons(style, content, quality, dialect, spoken),
        _why_complex(complexity.dimensions, complexity.level.value),
    )
    return Analysis(
        prompt=prompt,
        text=written.text,
        concepts=concepts,
        style=style.style,
        content=content.content,
        quality=quality,
        complexity=complexity,
        dialect=dialect,
        language=spoken,
        loras=written.loras,
        embeddings=written.embeddings,
        negative=written.negative,
        reasons=reasons,
    )


def _refused(text: str, words: Sequence[Word], refusals: Sequence[Refusal]) -> Iterator[Reason]:
    quoted = [text[words[each.start].start : words[each.end - 1].end] for each in refusals[:4]]
    if quoted:
        yield Reason("refused", "read.refused", {"words": ", ".join(quoted)})


def _languages(spoken: str) -> tuple[str, ...]:
    """Where to look words up, first language first."""
    return {"es": ("es", "en"), "mixed": ("en", "es")}.get(spoken, ("en",))


def _concepts(hits: Sequence[Hit]) -> tuple[Concept, ...]:
    found: dict[tuple[str, str], Concept] = {}
    for hit in hits:
        entry = min(hit.entries, key=lambda entry: (_is_evidence(entry), entry.category != "detail"))
        place = (entry.category, entry.name)
        known = found.get(place)
        words = known.words if known else ()
        if hit.phrase not in words:
            words = (*words, hit.phrase)
        strongest = max((hit.weight, known.weight if known else 1.0), key=lambda weight: abs(weight - 1))
        found[place] = Concept(entry.category, entry.name, words, round(strongest, 3))
    return tuple(found.values())


def _is_evidence(entry: Entry) -> bool:
    """A phrase is one concept: what it is counts before what it only speaks for ("school uniform" is clothing, though
    it also speaks for anime); detail counts before the look it speaks for."""
    return entry.category in EVIDENCE or (entry.category == "style" and entry.strength < NAMES_STYLE)


def _quality(hits: Sequence[Hit]) -> str:
    named = [entry.quality for hit in hits for entry in hit.entries if entry.quality]
    if not named:
        return "normal"
    return "low" if named.count("low") > named.count("high") else "high"


def _reasons(style: StyleFound, content: ContentFound, quality: str, dialect: Dialect, spoken: str) -> Iterator[Reason]:
    if style.style == "none":
        yield Reason("style", "read.style_none")
    else:
        key = "read.style_implied" if style.implied else "read.style"
        yield Reason("style", key, {"style": style.style, "words": ", ".join(style.phrases[:4])})
    if content.content == "other":
        yield Reason("content", "read.content_none")
    else:
        yield Reason("content", "read.content", {"content": content.content, "words": ", ".join(content.phrases[:4])})
    yield Reason("quality", "read.quality", {"quality": quality})
    yield Reason("language", f"read.language_{spoken}" if spoken in ("en", "es", "mixed") else "read.language_other")
    yield Reason("dialect", f"read.dialect_{dialect.value}")
    yield Reason("reader", "read.by_rules")


def _why_complex(dimensions: object, level: str) -> Reason:
    values = {name: f"{value:.0%}" for name, value in dict(dimensions).items()}  # type: ignore[call-overload]
    return Reason("complexity", "read.complexity", {"level": level, **values})
