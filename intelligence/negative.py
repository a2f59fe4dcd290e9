"""What the picture should not show: per family, style and content, and never against the prompt."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from ..data import table
from ..data.families import Family
from ..plan import Analysis, Mode, Reason, Request, Settings
from .refusals import asked_part, refused_terms
from .suitability import style_group
from .write_prompt import says

_ENDINGS = ("ness", "ing", "ed", "es", "ly", "y", "s", "e")


def acts(family: Family, settings: Settings) -> bool:
    """Whether a negative prompt changes anything: it is the other end of classifier-free guidance, which
    CFG 1 switches off (Ho & Salimans 2022, arXiv 2207.12598)."""
    return family.negative_acts and settings.cfg > 1


def write_negative(
    request: Request, analysis: Analysis, family: Family, settings: Settings
) -> tuple[str | None, tuple[Reason, ...], tuple[Reason, ...]]:
    """The negative prompt (``None`` where there is none) with reasons and warnings. What the person wrote
    is kept whole and first; MANUAL adds nothing to it."""
    own = ", ".join(part.strip(" ,") for part in (request.negative, analysis.negative) if part and part.strip(" ,"))
    if not acts(family, settings):
        return _idle(own, family, settings)
    warnings = tuple(
        Reason("negative", "warn.negative_contradicts", {"term": term}) for term in _terms(own) if contradicts(term, analysis)
    )
    if request.mode is Mode.MANUAL or (request.negative is not None and not request.negative.strip(" ,")):
        return own or None, (Reason("negative", "negative.own" if own else "negative.none_asked"),), warnings
    text, reasons = _written(own, analysis, family)
    return text, reasons, warnings


def _idle(own: str, family: Family, settings: Settings) -> tuple[str | None, tuple[Reason, ...], tuple[Reason, ...]]:
    values = {"family": family.label, "cfg": settings.cfg}
    key = "negative.idle_cfg" if family.negative_acts else "negative.idle_family"
    warning = "warn.negative_cfg" if family.negative_acts else "warn.negative_family"
    warnings = (Reason("negative", warning, values),) if own else ()
    return own or None, (Reason("negative", key, values),), warnings


def _written(own: str, analysis: Analysis, family: Family) -> tuple[str | None, tuple[Reason, ...]]:
    rows = table("negatives")
    style = "none" if _is_guessed(analysis) else analysis.style
    refused = _refused(analysis)
    wanted = (
        *refused,
        *family.negative_tags,
        *rows["style"].get(style_group(style) if style != "none" else "", ()),
        *rows["content"].get(analysis.content, ()),
    )
    fresh = [term for term in dict.fromkeys(wanted) if not says(own, term)]
    dropped = [term for term in fresh if contradicts(term, analysis)]
    terms = [term for term in fresh if term not in dropped]
    text = _joined(own, _agreeing(family.negative_prefix, analysis), terms, system=bool(family.prompt_prefix))
    values = {"words": ", ".join(terms) or "–", "family": family.label, "content": analysis.content, "style": style}
    reasons = [Reason("negative", "negative.with_own" if own else "negative.written", values)]
    if kept := [term for term in refused if term in terms]:
        reasons.append(Reason("negative", "negative.refused", {"words": ", ".join(kept)}))
    if dropped:
        reasons.append(Reason("negative", "negative.dropped", {"words": ", ".join(dropped)}))
    return text or None, tuple(reasons)


def _is_guessed(analysis: Analysis) -> bool:
    """A style nobody named may be wrong; forbidding the others would then forbid the picture itself."""
    return any(reason.key == "read.style_implied" for reason in analysis.reasons)


def _refused(analysis: Analysis) -> tuple[str, ...]:
    if analysis.translation:
        return refused_terms(analysis.translation)
    return refused_terms(analysis.text, analysis.language)


def _joined(own: str, prefix: str, terms: list[str], system: bool) -> str:
    """A prefix that addresses the model stands first; one that describes a bad picture follows the person's words."""
    added = ", ".join(terms)
    if system:
        return prefix + ", ".join(part for part in (own, added) if part)
    return ", ".join(part for part in (own, prefix.strip(), added) if part)


def _agreeing(prefix: str, analysis: Analysis) -> str:
    for term in table("negatives")["unless"]:
        if says(prefix, term) and contradicts(term, analysis):
            prefix = re.sub(rf"\b{re.escape(term)}\b\s*", "", prefix, flags=re.IGNORECASE)
    return prefix


def _terms(text: str) -> list[str]:
    return [term.strip() for term in re.split(r"[,\n]", without_weights(text)) if term.strip()]


def without_weights(text: str) -> str:
    return re.sub(r":\s*[-+]?\d*\.?\d+\s*\)", ")", text).replace("(", "").replace(")", "")


# --------------------------------------------------------------------------- contradiction


def contradicts(term: str, analysis: Analysis) -> bool:
    """Whether the prompt asks for what ``term`` forbids: by the term's own stem, a synonym of its row, or a
    concept of its categories."""
    text = asked_part(f"{analysis.text}\n{analysis.translation or ''}")
    asked = _stems(text)
    forbidden = (term, *table("negatives")["unless"].get(term.casefold(), ()))
    if any(_stems(words).strip() and _stems(words) in asked for words in forbidden):
        return True
    if analysis.of(*table("negatives")["unless_read"].get(term.casefold(), ())):
        return True
    return term.casefold() == "text" and re.search(r'"[^"\n]{2,}"', text) is not None


@lru_cache(maxsize=1024)
def _stems(text: str) -> str:
    """The stems of all words with a blank on either side of each, so that ``in`` finds whole ones in order."""
    return " " + "".join(f"{_stem(word)} " for word in re.findall(r"\w+|;", text.casefold().replace("_", " ")))


@cache
def _stem(word: str) -> str:
    ending = next((ending for ending in _ENDINGS if word.endswith(ending) and len(word) - len(ending) >= 3), "")
    return word[: len(word) - len(ending)]
