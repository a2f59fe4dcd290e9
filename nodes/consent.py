"""Whether the plan kept on an Auto Pipeline was accepted for what is asked now, and the suggestion that takes its place
where it was not."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..data.families import families
from ..errors import BadRequest, MissingModel
from ..intelligence.explain import render
from ..intelligence.question import changed_inputs, family_of, question_hash
from ..intelligence.rematch import rematch, wanted_files
from ..plan import PLAN_VERSION, Accepted, Generation, Library, Plan, Reason, Request, Source
from ..values import from_json
from . import host
from .widget_values import named_inputs

if TYPE_CHECKING:
    from ..intelligence.wanted import Wanted

MOST_JSON = 1 << 20  # bytes; the longest plans, with every near-miss, are a tenth of it
MOST_DIGITS = 20  # of a whole number: the largest seed has so many


class State(str, Enum):
    """What became of an accepted plan: it answers the question; it answers another; files of it are not here; it cannot
    be read; or there is none."""

    VALID = "valid"
    STALE = "stale"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    NONE = "none"


@dataclass(frozen=True)
class Standing:
    """An accepted plan beside the question, ``accepted`` with the names its files have here. ``said`` are the sentences
    that tell what is the matter, ``changed`` the inputs that ask for something else now."""

    state: State
    accepted: Accepted | None = None
    changed: tuple[str, ...] = ()
    said: tuple[Reason, ...] = ()
    missing: tuple[Source, ...] = ()

    def holds_always(self, request: Request) -> bool:
        """Whether the person agreed to whatever plan is made for this prompt."""
        accepted = self.accepted
        return accepted is not None and accepted.always and accepted.plan.request.prompt == request.prompt


@dataclass(frozen=True)
class Decided:
    """What a run does: make ``plan``, which was ``brought`` or is new; or, where it ``waits`` for consent, only show it.
    ``said`` tells why."""

    plan: Plan
    brought: bool = False
    waits: bool = False
    said: tuple[Reason, ...] = ()


def decided(request: Request, text: str, reader: str, anyway: bool) -> Decided:
    """What a run in ASSISTED mode does with the accepted plan in ``text``: use it where it holds; else suggest another one,
    or make it where the person said so, beforehand (``Accepted.always``) or for all (``anyway``)."""
    from .shelf import shelf

    found = standing(text, request, shelf().library())
    if found.state is State.VALID and found.accepted is not None:
        return Decided(found.accepted.plan, brought=True)
    tell_missing(wanted_files(found.missing), request.language)
    plan = suggestion(request, reader, in_run=True)
    always = found.holds_always(request)
    if not (always or anyway):
        return Decided(plan, waits=True, said=(*found.said, Reason("assisted", "assisted.suggested")))
    key = "assisted.always" if always else "assisted.ran_anyway"
    return Decided(with_warnings(plan, (*found.said, Reason("assisted", key))))


def standing(text: str, request: Request, library: Library) -> Standing:
    """How the accepted plan in ``text`` stands to ``request``. Raises nothing: what cannot be read is told."""
    if not text.strip():
        return Standing(State.NONE)
    try:
        accepted = accepted_in(text)
    except BadRequest as fault:
        problem = str(fault.in_language(request.language))
        return Standing(State.UNREADABLE, said=(Reason("assisted", "assisted.unreadable", {"problem": problem}),))
    found = rematch(accepted.plan, library)
    family = family_of(found.plan, library)
    made_for = accepted.made_for or question_hash(accepted.plan.request, family)
    here = replace(accepted, plan=found.plan, made_for=made_for)
    if question_hash(request, family) != made_for:
        changed = changed_inputs(accepted.plan.request, request)
        return Standing(State.STALE, here, changed, (_stale(changed, request.language),), found.missing)
    if found.missing and library.complete:  # else they may only not have been seen yet
        return Standing(State.MISSING, here, (), (_missing(found.missing),), found.missing)
    told = (*found.notes, *_library_changed(accepted.plan, library))
    return Standing(State.VALID, replace(here, plan=with_warnings(found.plan, told)), said=told)


def accepted_in(text: str) -> Accepted:
    """An accepted plan from its JSON; also a plan or a generation, ``made_for`` its own question then, and empty. Raises
    ``BadRequest``."""
    if len(text) > MOST_JSON:
        raise BadRequest("request_too_large", most=MOST_JSON)
    accepted = _read(text)
    if accepted.plan.version > PLAN_VERSION:
        raise BadRequest("plan_too_new", version=accepted.plan.version, known=PLAN_VERSION)
    refuse_unknown_family(accepted.plan)
    return accepted


def refuse_unknown_family(plan: Plan) -> None:
    """Raises ``BadRequest`` for a plan of a family that this version has no row for."""
    if plan.family not in families():
        raise BadRequest("plan_family_unknown", plan.request.language, family=plan.family[:80])


def _read(text: str) -> Accepted:
    try:
        held = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        held = None
    keys = held.keys() if isinstance(held, dict) else set()
    if "made_for" in keys:
        return from_json(Accepted, text)
    plan = from_json(Generation, text).plan if "plan" in keys else from_json(Plan, text)
    return Accepted("", plan)


def _whole(digits: str) -> int:
    if len(digits.removeprefix("-")) > MOST_DIGITS:
        raise BadRequest("out_of_range", faults=f"{digits[:MOST_DIGITS]}…")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise BadRequest("out_of_range", faults=digits[:MOST_DIGITS])
    return number


def as_it_is(text: str, language: str) -> Plan:
    """The plan in ``text`` as it is, its files found by what they are where they are called otherwise here. Raises
    ``MissingModel`` with what would bring those that are not here."""
    from .shelf import shelf

    plan, library = accepted_in(text).plan, shelf().library()
    found = rematch(plan, library)
    if found.missing and library.complete:
        files = ", ".join(source.name for source in found.missing)
        wanted = wanted_files(found.missing)
        tell_missing(wanted, language)
        raise MissingModel("plan_files_missing", language, files=files, wanted=wanted)
    return with_warnings(found.plan, found.notes)


def tell_missing(wanted: tuple[Wanted, ...], language: str) -> None:
    """The browser that queued what runs hears what is not here."""
    if wanted:
        host.send("missing", {"wanted": told(wanted, language)})


def told(wanted: tuple[Wanted, ...], language: str) -> list[dict[str, Any]]:
    from .planning import wanted_told

    return [wanted_told(each, language) for each in wanted]


def with_warnings(plan: Plan, said: tuple[Reason, ...]) -> Plan:
    """The plan with these warnings, each once."""
    return replace(plan, warnings=(*plan.warnings, *(each for each in said if each not in plan.warnings)))


def suggestion(request: Request, reader: str, in_run: bool = False) -> Plan:
    """A new plan for the question as it was asked: what it is accepted for is the question itself."""
    from . import planning

    make = planning.plan_in_run if in_run else planning.plan_for
    return replace(make(request, reader), request=request)


def sentences(said: tuple[Reason, ...], language: str) -> list[str]:
    return [render(reason, language) for reason in said]


def _stale(changed: tuple[str, ...], language: str) -> Reason:
    if not changed:
        return Reason("assisted", "assisted.stale_family")
    return Reason("assisted", "assisted.stale", {"inputs": named_inputs(changed, language), "count": len(changed)})


def _missing(missing: tuple[Source, ...]) -> Reason:
    files = ", ".join(source.name for source in missing)
    return Reason("assisted", "assisted.missing", {"files": files, "count": len(missing)})


def _library_changed(plan: Plan, library: Library) -> tuple[Reason, ...]:
    if plan.library_version == library.version:
        return ()
    return (Reason("library", "warn.library_changed"),)
