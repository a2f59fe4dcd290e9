"""The same prompt with a little more said: light, framing, mood, medium, in its own language and manner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import Any

from ..data import table
from ..plan import Dialect, Mode, Plan, Reason
from .revise import Revision
from .vary_loras import Labelled
from .write_prompt import says

Row = Mapping[str, Any]


def prompt_variations(plan: Plan) -> Iterator[Labelled]:
    """One addition each, the groups in turn; then two at a time of different groups. None in MANUAL mode, where the
    person's words are kept."""
    if plan.request.mode is Mode.MANUAL:
        return
    groups = [list(_rows(plan, group)) for group in table("variations")["prompt"].values()]
    for rows in zip_rows(groups):
        yield _with(plan, (rows,))
    for one, two in combinations(groups, 2):
        for pair in product(one, two):
            yield _with(plan, pair)


def zip_rows(groups: list[list[Row]]) -> Iterator[Row]:
    """The first of each group, then the second of each …"""
    for place in range(max(map(len, groups), default=0)):
        yield from (group[place] for group in groups if place < len(group))


def _rows(plan: Plan, group: Row) -> Iterator[Row]:
    """The additions of a group the prompt leaves open."""
    said = f"{plan.analysis.text} {plan.prompt}"
    if plan.analysis.of(*group["categories"]) or any(says(said, word) for word in group["words"]):
        return
    for row in group.values():
        if isinstance(row, Mapping) and not says(said, row["tags"][_spoken(plan)]):
            yield row


def _spoken(plan: Plan) -> str:
    """The language the model is given: the prompt's own, English where it was translated."""
    return "es" if plan.analysis.language == "es" and not plan.analysis.translation else "en"


def _with(plan: Plan, rows: tuple[Row, ...]) -> Labelled:
    manner = "tags" if plan.analysis.dialect is Dialect.TAGS else "prose"
    added = ", ".join(row[manner][_spoken(plan)] for row in rows)
    language = plan.request.language if plan.request.language == "es" else "en"
    prompt = ", ".join(part for part in (plan.prompt.rstrip(" ,."), added) if part)
    written = tuple(reason for reason in plan.reasons if reason.decision == "prompt" and reason.key != "prompt.unchanged")
    reason = Reason("prompt", "varied.prompt", {"words": added})
    return Labelled(" · ".join(row["label"][language] for row in rows), Revision(prompt=prompt, reasons=(*written, reason)))
