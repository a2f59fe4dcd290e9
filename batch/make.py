"""From a plan to a batch: its variations under an id that follows from what was asked, and each as a ComfyUI prompt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..feedback import Batch, Item, Strategy
from ..intelligence.variations import SEEDS, variations
from ..local import MODEL_NODE, SAVE_NODE, workflow
from ..plan import Library, Machine, Plan, Verbosity
from ..values import to_json

PREFIX = "IIG_batch"


def batch_of(
    plan: Plan,
    strategy: Strategy,
    count: int,
    seed: int = 0,
    *,
    library: Library,
    machine: Machine,
    max_seconds: float | None = None,
    axes: Sequence[str] = (),
) -> Batch:
    """The batch of ``variations``, nothing done yet. Asking for the same again gives the same id, whatever was measured
    meanwhile. Raises ``BadRequest``."""
    made = variations(plan, strategy, count, seed=seed, library=library, machine=machine, max_seconds=max_seconds, axes=axes)
    items = tuple(Item(place, variation) for place, variation in enumerate(made.items))
    asked = {"count": count, "seed": seed % SEEDS, "max_seconds": max_seconds, "axes": list(axes)}
    return Batch(_id(plan, strategy, asked), plan.request.prompt, strategy, items, made.seconds, reasons=made.reasons)


def _id(plan: Plan, strategy: Strategy, asked: dict[str, Any]) -> str:
    """16 hex digits. Estimates, reasons and versions are no part of it: they differ from one hour to the next for the same
    picture. The near-misses are: they are what other LoRAs are taken from."""
    bare = replace(
        plan,
        analysis=replace(plan.analysis, reasons=()),
        loras=tuple(replace(choice, reasons=()) for choice in plan.loras),
        near_misses=(),
        estimate=type(plan.estimate)(),
        reasons=(),
        warnings=(),
        library_version="",
        proposed=None,
    )
    near = [choice.use.name for choice in plan.near_misses] if strategy in (Strategy.LORA, Strategy.MIXED) else []
    text = json.dumps([json.loads(to_json(bare)), strategy.value, asked, near], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def graph_of(batch_id: str, item: Item, prefix: str = PREFIX, verbosity: Verbosity = Verbosity.STANDARD) -> dict[str, Any]:
    """The item as a prompt in API format: an Auto Pipeline with its plan, and a Save Image with Plan that records it as
    done. The names of the nodes are the same for all items: what they share stays in ComfyUI's cache."""
    plan = item.variation.plan
    graph = workflow(plan.request, verbosity.value, item.variation.seed, plan)
    auto, save = graph[MODEL_NODE], graph[SAVE_NODE]
    save["inputs"].update(batch=f"{batch_id}:{item.place}", filename_prefix=prefix)
    return {MODEL_NODE: auto, SAVE_NODE: save}
