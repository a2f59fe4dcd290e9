"""This ComfyUI's history: what was made, rated and learned, as the nodes reach it. What goes wrong with it never harms
a picture: it is logged."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..feedback import MOST_ID
from ..plan import Analysis, Fixed, Generation, Measured, Mode, Plan, Request, Taste
from .host import data_folder, log

if TYPE_CHECKING:
    from ..history import History

PLAN_OUTPUT = 4  # Auto Pipeline's plan_out
_making = threading.Lock()  # the worker and the server's threads may ask at once


def history() -> History:
    """The history in ComfyUI's user folder; made at first use."""
    with _making:
        return _history()


@cache
def _history() -> History:
    from ..history import History

    return History(data_folder())


def version() -> int:
    """What a cached plan must not outlive."""
    try:
        return history().version()
    except UserError as fault:
        log.warning("%s", fault)
        return 0


def taste(request: Request, analysis: Analysis) -> Taste:
    """What is known of the person's likings, as it bears on this prompt."""
    if not request.learning:
        return Taste()
    try:
        return history().taste(analysis, request.mode)
    except UserError as fault:
        log.warning("%s", fault)
        return Taste()


def began(generation: Generation, proposed: Plan | None, prompt: Mapping[str, Any] | None, node_id: str) -> None:
    """Record that a picture is being made."""
    batch, place = batch_of(prompt or {}, node_id)
    try:
        history().began(generation, None if batch else proposed, batch, place)
    except UserError as fault:
        log.warning("%s", fault)


def finished(generation: Generation, measured: Measured | None, pictures: Sequence[str] = ()) -> None:
    """Record that a picture arrived."""
    from ..intelligence.estimate import timing_key

    try:
        workload = timing_key(generation.plan.family, generation.plan.settings)
        history().finished(generation, measured, pictures, workload)
    except UserError as fault:
        log.warning("%s", fault)


def batch_of(prompt: Mapping[str, Any], node_id: str) -> tuple[str, int]:
    """Batch and place of the picture an Auto Pipeline makes, as the Save Image with Plan behind it carries them."""
    for node in prompt.values():
        if node.get("class_type") == "IIG_SaveImage" and node["inputs"].get("plan") == [node_id, PLAN_OUTPUT]:
            return marked(str(node["inputs"].get("batch", ""))) or ("", 0)
    return "", 0


def marked(text: str) -> tuple[str, int] | None:
    """Batch and place of the item that a Save Image with Plan saves; ``None`` where its text names none."""
    batch, _, place = text.strip().rpartition(":")
    if 0 < len(batch) <= MOST_ID and place.isascii() and place.isdigit() and len(place) < 5:
        return batch, int(place)
    return None


def free_of(request: Request) -> Request | None:
    """The same wish with settings and LoRAs left open, where the person fixed any of them; ``None`` where they did not,
    or want to decide all by themselves. The model, the number of pictures, and how much of an image is redrawn say what is
    wanted, not how."""
    kept = Fixed(batch=request.fixed.batch, denoise=request.fixed.denoise)
    free = replace(request, fixed=kept, loras=None)
    return None if request.mode is Mode.MANUAL or free == request else free
