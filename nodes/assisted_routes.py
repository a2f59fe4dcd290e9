"""REST routes of the ASSISTED mode: suggest a plan, change it, and see whether an accepted one still holds."""

from __future__ import annotations

import json
from typing import Any

from ..errors import BadRequest
from ..intelligence.edit import Edits, apply_edits
from ..intelligence.rematch import wanted_files
from ..intelligence.review import review
from ..intelligence.revise import Place
from ..plan import Plan
from ..values import from_json, to_json
from . import batches, consent
from .answering import Asked, unreadable
from .widget_values import known_request, request_of, taken_over

MOST_LINKED = 100


def suggest(asked: Asked) -> dict[str, Any]:
    """``{"widgets": {…}, "linked": […]}`` of an Auto Pipeline → the review of the plan that is made for them; nothing is
    queued."""
    widgets, linked = _widgets(asked), _linked(asked)
    request = request_of(widgets, linked, asked.language)
    return _reviewed(consent.suggestion(request, _reader(widgets)), asked.language)


def revise(asked: Asked) -> dict[str, Any]:
    """``{"plan": …, "edits": …}`` → the review of the plan with the edits in it."""
    _refuse_long(asked)
    plan = consent.accepted_in(json.dumps(asked.given.get("plan"))).plan
    edits = from_json(Edits, json.dumps(asked.given.get("edits", {})))
    return _reviewed(apply_edits(plan, edits, Place(*batches.seen())), asked.language)


def check(asked: Asked) -> dict[str, Any]:
    """``{"widgets": {…}, "linked": […], "accepted": "…"}`` → whether the accepted plan answers what the widgets ask, and
    what is the matter where it does not. What comes by a link is taken to be as it was: the run itself will tell."""
    widgets, linked, text = _widgets(asked), _linked(asked), asked.text("accepted", "")
    request, library = known_request(widgets, linked, asked.language), batches.seen()[0]
    found = consent.standing(text, request, library)
    if found.accepted is not None:
        request = taken_over(request, linked, found.accepted.plan.request)
        found = consent.standing(text, request, library)
    accepted = found.accepted
    return {
        "state": found.state.value,
        "changed": list(found.changed),
        "said": consent.sentences(found.said, asked.language),
        "missing": consent.told(wanted_files(found.missing), asked.language),
        "review": _reviewed(accepted.plan, asked.language) if accepted else None,
        "accepted": to_json(accepted) if accepted else None,
    }


def _reviewed(plan: Plan, language: str) -> dict[str, Any]:
    library, machine = batches.seen()
    return review(plan, library, language, machine)


def _refuse_long(asked: Asked) -> None:
    if len(asked.raw) > consent.MOST_JSON:
        raise BadRequest("request_too_large", most=consent.MOST_JSON)


def _widgets(asked: Asked) -> dict[str, Any]:
    _refuse_long(asked)
    widgets = asked.given.get("widgets")
    if not isinstance(widgets, dict):
        raise unreadable("widgets: an object is needed")
    return widgets


def _linked(asked: Asked) -> tuple[str, ...]:
    linked = asked.given.get("linked", [])
    is_names = isinstance(linked, list) and all(isinstance(each, str) for each in linked)
    if not is_names or len(linked) > MOST_LINKED:
        raise unreadable("linked: names of inputs are needed")
    return tuple(linked)


def _reader(widgets: dict[str, Any]) -> str:
    return str(widgets.get("reader", "auto"))
