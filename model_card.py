"""What is known of a model, as Markdown a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .data.families import families
from .errors import sentence
from .lookup import Known
from .plan import GIB, ModelFile, Verification

MOST_DESCRIPTION = 600  # characters; the page has the rest
MOST_GROUPS = 8


def card(known: Known, language: str = "en") -> str:
    """A title and a list: what it is, how to use it, what its author allows, where its bytes come from. What nobody
    knows is left out."""
    file = known.file
    lines = [f"# {plain(file.title or file.name)}", ""]
    lines += [f"- {said(key, language, **values)}" for key, values in _facts(known, language)]
    if description := _shortened(file.description):
        lines += ["", description]
    return "\n".join(lines)


def trigger_words(file: ModelFile) -> str:
    """The first group of trigger words, ready for a prompt; empty where there are none."""
    return ", ".join(file.trigger_groups[0]) if file.trigger_groups else ""


def strength(file: ModelFile) -> float:
    """The recommended strength; 1 where nobody recommends one."""
    least, recommended, most = file.strength
    if recommended is None and least is not None and most is not None:
        return round((least + most) / 2, 3)
    return 1.0 if recommended is None else recommended


def said(key: str, language: str, **values: object) -> str:
    return sentence("cards", key, language, values)


def plain(text: str) -> str:
    """One line without what Markdown would read as its own."""
    line = " ".join(text.split())
    return line.translate({ord(mark): f"\\{mark}" for mark in "\\|`*_[]<>#"})


Fact = tuple[str, dict[str, object]]


def _facts(known: Known, language: str) -> Iterator[Fact]:
    file = known.file
    yield ("here" if known.local else "not_here"), {"name": file.name, "folder": file.kind.value}
    yield from _said_by_hub(file)
    yield from _use(file)
    yield from _allowed(file.licence, language)
    if file.nsfw:
        yield "nsfw", {}
    if file.real_person:
        yield "real_person", {}
    yield from _bytes(known, language)


def _said_by_hub(file: ModelFile) -> Iterator[Fact]:
    for name in ("version", "creator", "base_model"):
        if value := getattr(file, name):
            yield name, {"value": plain(value)}
    row = families().get(file.family or "")
    if row and file.confidence:
        yield "family", {"family": row.label, "percent": round(file.confidence * 100)}
    elif row:
        yield "family_said", {"family": row.label}
    if file.downloads or file.likes:
        yield "stats", {"downloads": f"{file.downloads:,}", "likes": f"{file.likes:,}"}


def _use(file: ModelFile) -> Iterator[Fact]:
    for group in file.trigger_groups[:MOST_GROUPS]:
        yield "triggers", {"words": plain(", ".join(group))}
    if len(file.trigger_groups) > MOST_GROUPS:
        yield "more_triggers", {"count": len(file.trigger_groups) - MOST_GROUPS}
    least, recommended, most = file.strength
    if least is not None and most is not None:
        yield "strength_range", {"value": f"{strength(file):g}", "least": f"{least:g}", "most": f"{most:g}"}
    elif recommended is not None:
        yield "strength", {"value": f"{recommended:g}"}


def _allowed(licence: Mapping[str, Any], language: str) -> Iterator[Fact]:
    """The licence in words: CivitAI tells permissions, Hugging Face a licence's name."""
    if name := licence.get("name"):
        yield "licence", {"name": plain(str(name))}
    if link := licence.get("link"):
        yield "licence_link", {"link": str(link)}
    for flag in ("no_credit", "derivatives", "different_licence"):
        if isinstance(licence.get(flag), bool):
            yield f"{flag}_{'yes' if licence[flag] else 'no'}", {}
    uses = licence.get("commercial_use")
    if isinstance(uses, (str, list, tuple)):
        named = [uses] if isinstance(uses, str) else [str(use) for use in uses]
        known = [said(f"use_{use.lower()}", language) for use in named if use.lower() in _USES]
        yield ("commercial", {"uses": ", ".join(known)}) if known else ("commercial_none", {})
    if usage := licence.get("usage"):
        yield "usage", {"usage": plain(str(usage))}


_USES = ("image", "rent", "rentcivit", "sell")


def _bytes(known: Known, language: str) -> Iterator[Fact]:
    file = known.file
    if known.local:
        yield _VERIFICATION[file.verification], {}
    if file.problem:
        yield "problem", {"problem": sentence("errors", file.problem, language, {"name": file.name})}
    if file.newer:
        yield "newer", {"newer": file.newer}
    if file.size_bytes:
        yield "size", {"size": f"{file.size_bytes / GIB:.2f} GiB" if file.size_bytes >= GIB / 10 else f"{file.size_bytes:,} B"}
    if file.dtype:
        yield "precision", {"value": file.dtype}
    if file.sha256:
        yield "sha256", {"value": file.sha256}
    if known.ref:
        yield "ref", {"ref": known.ref}
    if file.page_url:
        yield "page", {"url": file.page_url}


_VERIFICATION = {
    Verification.VERIFIED: "verified",
    Verification.NO_HASH: "no_hash",
    Verification.MISMATCH: "mismatch",
    Verification.LOCAL: "local_only",
}


def _shortened(text: str) -> str:
    line = plain(text)
    return line if len(line) <= MOST_DESCRIPTION else line[:MOST_DESCRIPTION].rsplit(" ", 1)[0] + " …"
