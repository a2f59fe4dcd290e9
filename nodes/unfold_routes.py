"""REST routes of plans that leave the Auto Pipeline, as nodes, and come back, from a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import sentence
from ..values import from_json, to_json
from . import asking
from .answering import Asked, unreadable
from .auto import MAX_SEED
from .consent import accepted_in, sentences, told

if TYPE_CHECKING:
    from ..graph import Graph
    from ..intelligence.rematch import Rematched
    from ..plan import Generation, Plan, Request

_NUMBERS = ("steps", "cfg", "guidance", "shift", "clip_skip", "width", "height", "batch", "denoise")
_NAMES = ("sampler", "scheduler")
EXACT = 2**53  # browsers round whole numbers from here on


def unfold(asked: Asked) -> dict[str, Any]:
    """The native nodes of a plan, named, in columns and groups, with this machine's names for its files."""
    from ..graph import build
    from ..graph.unfolded import OUTSIDE
    from ..graph.unfolded import told as laid_out
    from .expand import refuse_unknown_nodes

    plan, seed = _asked_plan(asked)
    found = _here(plan)
    graph = build(found.plan, seed, image=[OUTSIDE, 0] if plan.request.has_image else None)
    refuse_unknown_nodes(graph.nodes, plan.family)
    laid = laid_out(graph, asked.language)
    said = [*sentences(found.notes, asked.language), *_said_of(graph, laid["nodes"], asked)]
    texts = {"prompt": found.plan.prompt, "negative": found.plan.negative or ""}
    return {**laid, **texts, "seed": seed, "said": said, "missing": _missing(found, asked.language)}


def fold(asked: Asked) -> dict[str, Any]:
    """A picture's generation as an Auto Pipeline that makes it again: widgets, and its plan as an accepted one."""
    from ..intelligence.review import review
    from ..plan import Accepted
    from . import host, runs
    from .shelf import shelf

    made = _generation(asked)
    found = _here(made.plan)
    widgets = _widgets(found.plan, made.seed or 0)
    plan = replace(found.plan, request=_request(widgets, made.plan.request))
    machine = host.machine(runs.seconds_per_step(), runs.peak_factors())
    shown = review(plan, shelf().library(), asked.language, machine)
    return {
        "widgets": widgets,
        "accepted": to_json(Accepted(shown["made_for"], plan)),
        "review": shown,
        "said": [*sentences(found.notes, asked.language), *_said_of_picture(made, asked.language)],
        "missing": _missing(found, asked.language),
    }


# --------------------------------------------------------------------------- what is asked


def _asked_plan(asked: Asked) -> tuple[Plan, int]:
    if asked.given.get("generation") is not None:
        made = _generation(asked)
        return made.plan, made.seed or 0
    seed = asked.given.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise unreadable(f"seed: a whole number from 0 to {MAX_SEED} is needed")
    return accepted_in(_text(asked.given.get("plan"), "plan")).plan, seed


def _generation(asked: Asked) -> Generation:
    """Raises ``BadRequest`` for what is none, and for plans of a later version."""
    from ..plan import Generation

    text = _text(asked.given.get("generation"), "generation")
    accepted_in(text)
    return from_json(Generation, text)


def _text(value: Any, name: str) -> str:
    """JSON as text or as values."""
    if isinstance(value, dict):
        return json.dumps(value)
    if not isinstance(value, str) or not value.strip():
        raise unreadable(f"{name}: JSON is needed")
    return value


# --------------------------------------------------------------------------- the files of here


def _here(plan: Plan) -> Rematched:
    from ..intelligence.rematch import rematch
    from .shelf import shelf

    return rematch(plan, shelf().library())


def _missing(found: Rematched, language: str) -> list[dict[str, Any]]:
    from ..intelligence.rematch import wanted_files

    return told(wanted_files(found.missing), language)


def _said_of(graph: Graph, nodes: list[dict[str, Any]], asked: Asked) -> list[str]:
    """What is not as the person may expect: nodes of our own among the native ones, a picture that must be connected."""
    from ..graph.unfolded import OUTSIDE

    said = []
    if ours := [node["title"] for node in nodes if node["class_type"].startswith("IIG_")]:
        said.append(sentence("unfolded", "said.ours", asked.language, {"nodes": ", ".join(ours)}))
    waits = [node["title"] for node in nodes if [OUTSIDE, 0] in node["inputs"].values()]
    if waits and "image" not in (asked.given.get("linked") or ()):
        said.append(sentence("unfolded", "said.no_image", asked.language, {"title": waits[0]}))
    return said


def _said_of_picture(made: Generation, language: str) -> list[str]:
    said = ["said.connect_image"] if made.plan.request.has_image else []
    said += ["said.no_seed"] if made.seed is None else ["said.long_seed"] if made.seed >= EXACT else []
    return [sentence("unfolded", key, language, {}) for key in said]


# --------------------------------------------------------------------------- the widgets of an Auto Pipeline


def _widgets(plan: Plan, seed: int) -> dict[str, Any]:
    """What an Auto Pipeline is set to that asks what the plan was asked."""
    from ..plan import Mode

    asked, fixed = plan.request, plan.request.fixed
    return {
        "prompt": asked.prompt,
        "negative": asked.negative or "",
        "mode": Mode.ASSISTED.value,
        "priority": asked.priority.value,
        "seed": seed,
        "checkpoint": (asked.checkpoint or "").replace("\\", "/"),
        "memory": asked.memory.value if asked.memory else "auto",
        **_limits(asked),
        **{name: getattr(fixed, name) or 0 for name in _NUMBERS},
        **{name: getattr(fixed, name) or "auto" for name in _NAMES},
    }


def _limits(request: Request) -> dict[str, Any]:
    from ..plan import GIB

    limits = request.constraints
    return {
        "max_loras": limits.max_loras,
        "max_vram_gb": (limits.max_vram_bytes or 0) / GIB,
        "max_seconds": limits.max_seconds or 0.0,
        "max_steps": limits.max_steps or 0,
        "max_megapixels": (limits.max_pixels or 0) / asking.MEGAPIXEL,
        "blocked": ", ".join((*limits.blocked_tags, *limits.blocked_ids)),
        "allow_nsfw": limits.allow_nsfw,
    }


def _request(widgets: Mapping[str, Any], before: Request) -> Request:
    """What the node will ask by its widgets: a stack of LoRAs that was connected is in the plan, not in the question."""
    asked = asking.request_from(dict(widgets))
    return replace(asked, has_image=before.has_image, language=before.language, learning=before.learning)
