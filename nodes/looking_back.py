"""Which of the pictures made so far a person wants to see again: all, those rated, favourites, this sitting's, or those
that a search finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..choices import Action

if TYPE_CHECKING:
    from ..feedback import Recorded
    from ..history import History

SHOWN = ("all", "rated", "favourites", "session")
MOST_LOOKED_AT = 2000  # generations one question goes through for those that fit
PAGE = 200  # read at once where only some fit

Wanted = Callable[["Recorded"], bool]


def listed(known: History, show: str, search: str, limit: int, before: str) -> tuple[list[Recorded], str]:
    """At most ``limit`` generations, newest first, older than ``before``; and the id to go on from, empty at the end."""
    wanted, page = _wanted(known, show, search), PAGE if show != "all" or search.strip() else limit
    found: list[Recorded] = []
    for looked_at, each in enumerate(_newest_first(known, page, before), 1):
        if wanted(each):
            found.append(each)
        if len(found) == limit or looked_at == MOST_LOOKED_AT:
            return found, each.id
    return found, ""


def _newest_first(known: History, page: int, before: str) -> Iterator[Recorded]:
    while rows := known.recent(page, before):
        yield from rows
        if len(rows) < page:
            return
        before = rows[-1].id


def _wanted(known: History, show: str, search: str) -> Wanted:
    words, session = search.casefold().split(), _session(known) if show == "session" else ""
    shown: dict[str, Wanted] = {
        "all": lambda each: True,
        "rated": lambda each: each.standing.rating is not None,
        "favourites": lambda each: Action.FAVOURITED in each.standing.actions,
        "session": lambda each: each.made.session == session,
    }
    fits = shown[show]
    return lambda each: fits(each) and all(word in _text(each) for word in words)


def _session(known: History) -> str:
    """The sitting of the latest picture."""
    latest = known.recent(1)
    return latest[0].made.session if latest else ""


def _text(found: Recorded) -> str:
    """What a search looks in: the prompt, the model, LoRAs, tags and the comment."""
    plan, rating = found.made.generation.plan, found.standing.rating
    names = [plan.models.checkpoint, plan.models.diffusion_model, *(choice.use.name for choice in plan.loras)]
    said = [rating.comment, *rating.tags] if rating else []
    return " ".join(filter(None, (plan.request.prompt, *names, *said))).casefold()
