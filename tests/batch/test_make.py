"""A batch's id follows from what was asked; every item is a prompt that ComfyUI can run."""

from __future__ import annotations

from dataclasses import replace

from pack.batch.make import batch_of, graph_of
from pack.feedback import Batch, Strategy
from pack.intelligence.analyze import analyze
from pack.pipeline import make_plan
from pack.plan import Estimate, Plan, Request, Taste
from pack.tests.shelf import LORAS, WORKED_EXAMPLE, checkpoint, gpu, library
from pack.values import from_json, to_json

LIBRARY = library(checkpoint(), *LORAS)


def plan_of(prompt: str = WORKED_EXAMPLE) -> Plan:
    return make_plan(Request(prompt), analyze(prompt), LIBRARY, Taste(), gpu())


def made(plan: Plan, strategy: Strategy = Strategy.SEED, count: int = 4, seed: int = 0, **more) -> Batch:
    return batch_of(plan, strategy, count, seed, library=LIBRARY, machine=gpu(), **more)


def test_asking_again_finds_the_same_batch() -> None:
    plan = plan_of()
    measured = replace(plan, estimate=Estimate(seconds=3.0, measured=True), reasons=(), library_version="2")
    assert made(plan).id == made(measured).id
    others = [
        made(plan, count=5),
        made(plan, seed=1),
        made(plan, Strategy.MIXED),
        made(plan, max_seconds=900.0),
        made(plan, axes=("size",)),
        made(plan_of("a fox")),
        made(replace(plan, settings=replace(plan.settings, steps=7))),
    ]
    assert len({made(plan).id, *(batch.id for batch in others)}) == len(others) + 1


def test_other_loras_to_take_make_another_batch_where_they_are_taken() -> None:
    plan = plan_of()
    fewer = replace(plan, near_misses=())
    assert plan.near_misses and made(plan, Strategy.LORA).id != made(fewer, Strategy.LORA).id
    assert made(plan).id == made(fewer).id


def test_a_batch_travels_as_json() -> None:
    batch = made(plan_of(), Strategy.MIXED, 6)
    assert from_json(Batch, to_json(batch)) == batch
    assert [item.place for item in batch.items] == list(range(6))


def test_an_item_is_a_prompt_that_says_which_it_is() -> None:
    batch = made(plan_of(), count=3, seed=2**64 - 1)
    graph = graph_of(batch.id, batch.items[1], "mine")
    auto, save = graph.values()
    assert from_json(Plan, auto["inputs"]["accepted_plan"]) == batch.items[1].variation.plan
    assert auto["inputs"]["seed"] == 0
    assert save["inputs"]["batch"] == f"{batch.id}:1" and save["inputs"]["filename_prefix"] == "mine"
    assert list(graph) == list(graph_of(batch.id, batch.items[2])), "the same names, so that the cache keeps the models"
