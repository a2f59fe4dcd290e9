"""Nodes of batches: queue the variations of a prompt, and see them side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..choices import ItemState, Priority, Strategy
from ..errors import BadRequest, UserError
from . import asking, host, schema
from .auto import MAX_SEED
from .feedback import one_of, say

if TYPE_CHECKING:
    from ..batch.sheet import Cell
    from ..feedback import Batch, Item
    from ..plan import Library, Machine, Plan

    Ranked = list[tuple[Item, str]]

MOST_ITEMS = 100
ORDERS = ("stated", "liking", "stars")


class BatchVariations(io.ComfyNode):
    """One prompt's variations, each queued as a prompt of its own; run again, it goes on where it stopped."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        outputs = [io.String.Output("batch_id"), io.String.Output("list"), io.Int.Output("number")]
        hidden = [io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo]
        aliases = ["grid", "variations", "xy plot", "lote", "variaciones"]
        return schema.schema(
            "IIG_BatchVariations", _batch_inputs(), outputs, is_output_node=True, hidden=hidden, search_aliases=aliases
        )

    @classmethod
    def fingerprint_inputs(cls, **widgets: Any) -> str:
        return schema.each_time()

    @classmethod
    def execute(cls, filename_prefix: str, language: str, **widgets: Any) -> io.NodeOutput:
        from . import batch_queue

        spoken = host.language(language)
        with host.speaking(spoken):
            batch = batch_queue.settled(started(_plan({**widgets, "language": language}), **_wanted(widgets)))
            outputs = (batch.id, in_words(batch, spoken), len(batch.items))
            followers = batch_queue.followers(cls.hidden.prompt or {}, cls.hidden.unique_id, outputs)
            prompts = batch_queue.go_on(batch, filename_prefix, followers, cls.hidden.extra_pnginfo)
        # What shows the batch waits for its pictures: it is queued behind them.
        shown = _blocked() if prompts or batch_queue.is_queued(batch.id) else batch.id
        return io.NodeOutput(shown, *outputs[1:], ui={"text": [outputs[1]], "batch": [batch.id], "prompts": prompts})


class ContactSheet(io.ComfyNode):
    """The pictures of a batch side by side, labelled, in the order wished for."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            io.String.Input("batch", default=""),
            io.Combo.Input("order", options=list(ORDERS), default=ORDERS[0]),
            io.Int.Input("columns", default=0, min=0, max=MOST_ITEMS),
            _language(),
        ]
        outputs = [io.Image.Output("sheet"), io.String.Output("list"), io.String.Output("list_json")]
        aliases = ["grid", "xy plot", "compare", "hoja", "comparar"]
        return schema.schema("IIG_ContactSheet", inputs, outputs, is_output_node=True, search_aliases=aliases)

    @classmethod
    def fingerprint_inputs(cls, **widgets: Any) -> str:
        return schema.each_time()

    @classmethod
    def execute(cls, batch: str, order: str, columns: int, language: str) -> io.NodeOutput:
        from ..batch.sheet import sheet
        from . import batch_queue
        from .pictures import image_of

        spoken = host.language(language)
        with host.speaking(spoken):
            found = batch_queue.settled(batch_called(batch))
            ranked = _ordered(found, one_of(order, ORDERS))
            cells = [_cell(item, mark, spoken, order == ORDERS[0]) for item, mark in ranked]
            drawn = sheet(cells, columns or None, spoken)
        text = in_words(found, spoken, ranked)
        told = json.dumps([item_shown(item) | {"mark": mark} for item, mark in ranked], ensure_ascii=False)
        return io.NodeOutput(image_of(drawn), text, told, ui={"text": [text], "batch": [found.id]})


# --------------------------------------------------------------------------- asked


def _batch_inputs() -> list[Any]:
    later = [
        io.String.Input("negative", multiline=True, dynamic_prompts=True, default=""),
        io.Combo.Input("priority", options=[member.value for member in Priority], default=Priority.BALANCED.value),
        io.Int.Input("width", default=0, min=0, max=16384, step=8),
        io.Int.Input("height", default=0, min=0, max=16384, step=8),
        io.Float.Input("max_seconds", default=0.0, min=0.0, max=864_000.0, step=1.0),
        io.String.Input("axes", default=""),
        _language(),
    ]
    return [
        io.String.Input("prompt", multiline=True, dynamic_prompts=True, default=""),
        io.Combo.Input("strategy", options=[member.value for member in Strategy], default=Strategy.SEED.value),
        io.Int.Input("count", default=4, min=1, max=MOST_ITEMS),
        io.Int.Input("seed", default=0, min=0, max=MAX_SEED, control_after_generate=False),  # the same goes on
        io.String.Input("checkpoint", default=""),
        io.String.Input("filename_prefix", default="IIG_batch"),
        *(schema.advanced(widget) for widget in later),
        schema.PlanType.Input("plan", optional=True),
    ]


def _wanted(widgets: dict[str, Any]) -> dict[str, Any]:
    return {
        "strategy": asking.choice(Strategy, widgets["strategy"]),
        "count": widgets["count"],
        "seed": widgets["seed"],
        "max_seconds": widgets["max_seconds"] or None,
        "axes": asking.words_of(widgets["axes"]),
    }


def _plan(widgets: dict[str, Any]) -> Plan:
    """The plan that is connected, else one for the prompt."""
    from .planning import plan_in_run

    if (connected := widgets.get("plan")) is not None:
        plan: Plan = connected.plan
        return plan
    # What limits the whole batch is no limit of one picture.
    return plan_in_run(asking.request_from({**widgets, "mode": "auto", "max_seconds": 0}))


def started(
    plan: Plan, strategy: Strategy, count: int, seed: int, max_seconds: float | None, axes: Sequence[str] = ()
) -> Batch:
    """The batch, stored; the one that is there already where the same was asked before. Where the database is out of
    reach its pictures are made all the same. Raises ``BadRequest``."""
    from ..batch.make import batch_of
    from .recall import history

    if plan.request.has_image:
        raise BadRequest("batch_with_image")
    library, machine = seen()
    made = batch_of(plan, strategy, count, seed, library=library, machine=machine, max_seconds=max_seconds, axes=axes)
    try:
        return history().batches.start(replace(made, at=time.time()))
    except BadRequest:
        raise
    except UserError as fault:
        host.log.warning("%s", fault)
        return made


def seen() -> tuple[Library, Machine]:
    """What variations may count on: the files that are here, and the machine."""
    from . import runs
    from .shelf import shelf

    return shelf().library(), host.machine(runs.seconds_per_step(), runs.peak_factors())


def batch_called(text: str) -> Batch:
    """The batch of this id; the latest where there is none. Raises ``BadRequest``."""
    from ..feedback import MOST_ID
    from .recall import history

    batches, batch_id = history().batches, text.strip()
    found = batches.find(batch_id) if 0 < len(batch_id) <= MOST_ID else None
    if not batch_id:
        found = next(iter(batches.recent(1)), None)
    if found is None:
        raise BadRequest("batch_unknown", id=batch_id[:MOST_ID] or "–")
    return found


# --------------------------------------------------------------------------- shown


def in_words(batch: Batch, language: str, ranked: Ranked | None = None) -> str:
    """The batch as a list, one line an item, with what varies and the time it will probably take; in the order of
    ``ranked`` and with its marks, where it is given."""
    from ..intelligence.explain import render

    left = [item for item in batch.items if item.state is ItemState.WAITING]
    key = "batch" if batch.seconds is None or not left else "batch_takes"
    seconds = max(1, round((batch.seconds or 0) * len(left) / max(1, len(batch.items))))
    done = sum(item.state is ItemState.DONE for item in batch.items)
    title = say(key, language, id=batch.id, count=len(batch.items), done=done, seconds=seconds)
    listed = ranked or [(item, "") for item in batch.items]
    why = [] if ranked else [render(reason, language) for reason in batch.reasons]
    return "\n".join([title, *why, *(_line(item, mark, language) for item, mark in listed)])


def _line(item: Item, mark: str, language: str) -> str:
    parts = [say(f"state.{item.state.value}", language), mark, f"– {item.error}" if item.error else ""]
    return f"{item.place}. {item.variation.label}: {' '.join(part for part in parts if part)}"


def item_shown(item: Item) -> dict[str, Any]:
    """An item as JSON values, without its plan."""
    told = {name: getattr(item, name) for name in ("place", "generation_id", "machine", "error")}
    named = {name: getattr(item.variation, name) for name in ("label", "seed", "column", "row")}
    return {**told, **named, "state": item.state.value, "pictures": list(item.pictures)}


def _ordered(batch: Batch, order: str) -> Ranked:
    """The items with what is known of how they are liked, as marks; best first unless the stated order is wished for."""
    scores = {item.place: _score(item, order) for item in batch.items}
    items = sorted(batch.items, key=lambda item: (-(scores[item.place][0]), item.place))
    return [(item, scores[item.place][1] or ("★" if item.place == batch.winner else "")) for item in items]


def _score(item: Item, order: str) -> tuple[float, str]:
    from ..intelligence.learn import predicted
    from ..plan import Taste
    from .recall import taste

    plan = item.variation.plan
    if order == "liking":
        liking = predicted(plan, taste(plan.request, plan.analysis) or Taste())
        return liking, f"{liking:.0%}"
    stars = _stars(item.generation_id) if order == "stars" and item.generation_id else None
    return (0.0, "") if stars is None else (stars, f"★ {stars:.1f}")


def _stars(generation_id: str) -> float | None:
    from .recall import history

    found = history().find(generation_id)
    return found.standing.rating.stars if found and found.standing.rating else None


def _cell(item: Item, mark: str, language: str, in_grid: bool) -> Cell:
    """The item for the sheet; ranked items stand in no grid."""
    from ..batch.sheet import Cell
    from .pictures import output_file

    path = output_file(item.pictures[0]) if item.pictures else None
    lost = item.state is ItemState.DONE and path is None
    problem = say("elsewhere", language, machine=item.machine) if lost else item.error
    column, row = (item.variation.column, item.variation.row) if in_grid else ("", "")
    return Cell(label=item.variation.label, picture=path, mark=mark, column=column, row=row, problem=problem)


def _blocked() -> Any:
    from comfy_execution.graph_utils import ExecutionBlocker

    return ExecutionBlocker(None)


def _language() -> Any:
    return schema.advanced(io.Combo.Input("language", options=["auto", "en", "es"], default="auto"))
