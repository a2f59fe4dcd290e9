"""Search results as a table that people read."""

from __future__ import annotations

from .intelligence.offering import Verdict
from .model_card import plain, said
from .plan import GIB
from .shop import Found, Search

LONGEST_CELL = 60
_COLUMNS = ("title", "kind", "base", "size", "fit", "reference")


def only_fitting(search: Search) -> Search:
    """The search without what cannot be used here."""
    kept = tuple(found for found in search.found if found.choice and found.choice.fit.verdict is not Verdict.DOES_NOT_FIT)
    return Search(kept, search.cursors, search.trouble)


def table(search: Search, language: str = "en") -> str:
    """A Markdown table, and below it which hubs did not answer and why."""
    rows = [_row([said(f"column_{name}", language) for name in _COLUMNS]), _row(["---"] * len(_COLUMNS))]
    rows += [_row(_marked(_cells(found, language))) for found in search.found]
    lines = rows if search.found else [said("nothing_found", language)]
    return "\n".join([*lines, *(f"\n{fault.in_language(language)}" for fault in search.trouble)])


def lines(search: Search, language: str = "en") -> str:
    """The same for a narrow box of plain text: two lines a result, what it is and how to name it."""
    told = []
    for found in search.found:
        title, *about, ref = _cells(found, language)
        told.append(f"• {title} – {', '.join(about)}\n   {ref}")
    trouble = [str(fault.in_language(language)) for fault in search.trouble]
    return "\n".join([*(told or [said("nothing_found", language)]), *trouble])


def first_ref(search: Search) -> str:
    """The first result that can be used here; empty where there is none."""
    return next((str(found.choice.ref) for found in only_fitting(search).found if found.choice), "")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _marked(cells: list[str]) -> list[str]:
    """Cells that Markdown shows as they are, the reference as code."""
    return [*map(plain, cells[:-1]), f"`{cells[-1]}`".replace("|", "%7C")]


def _cells(found: Found, language: str) -> list[str]:
    offer, choice = found.offer, found.choice
    title = f"{offer.title} {offer.version_name}".strip()
    kind = choice.kind if choice else offer.kind
    size = choice.file.size_bytes if choice else None
    verdict = choice.fit.verdict if choice else Verdict.DOES_NOT_FIT
    ref = choice.ref if choice else offer.ref
    shown = [" ".join(_cut(title).split()), kind.value if kind else "?", _cut(offer.base_model) or "–", _size(size)]
    return [*shown, said(f"fit_{verdict.value}", language), str(ref)]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return "?"
    return f"{size_bytes / GIB:.1f} GiB" if size_bytes >= GIB / 10 else f"{size_bytes / 1024**2:.1f} MiB"
