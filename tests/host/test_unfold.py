"""A plan as native nodes makes the picture Auto Pipeline made, and a picture's plan comes back to the node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import requests
from pack.plan import Accepted, Generation, Offload, Request
from pack.routes import GUARD_HEADER, PREFIX, ROUTES
from pack.values import from_json, to_json

from ..openapi import answer_schema, faults
from .conftest import AUTO, Host, Picture, auto_graph

UNFOLD, FOLD, CHECK = f"{PREFIX}/unfold", f"{PREFIX}/fold", f"{PREFIX}/assisted/check"
PROMPT = {"prompt": "a red cat, watercolor painting", "checkpoint": "toy_sd15.safetensors", "seed": 7}


def ask(host: Host, path: str, status: int = 200, **body: Any) -> Any:
    answer = requests.post(host.client.url + path, json={"language": "en", **body}, headers={GUARD_HEADER: "1"}, timeout=60)
    told = answer.json()
    assert answer.status_code == status, told
    assert not list(faults(told, answer_schema("POST", path, status)))
    return told


def made(host: Host, **widgets: Any) -> Picture:
    return host.picture(host.auto(**{**PROMPT, **widgets}))


def run(host: Host, laid: dict[str, Any], image: str | None = None) -> Picture:
    """The nodes as they came, wired to a start image and to a node that saves."""
    nodes = {node["id"]: {"class_type": node["class_type"], "inputs": node["inputs"]} for node in laid["nodes"]}
    nodes["save"] = {"class_type": "SaveImage", "inputs": {"images": laid["image"], "filename_prefix": "unfolded"}}
    if image:
        nodes["outside"] = {"class_type": "LoadImage", "inputs": {"image": image}}
    return host.picture(host.client.run(nodes))


def test_these_routes_change_nothing() -> None:
    assert [route.access.here for route in ROUTES if route.path in (UNFOLD, FOLD)] == [False, False]


@pytest.mark.parametrize(
    "widgets",
    [
        {},
        {"prompt": "a red rose", "checkpoint": "toy_sdxl.safetensors"},
        {"checkpoint": "toy_sd15", "memory": "balanced"},
        {"checkpoint": "toy_sd15", "memory": "aggressive", "seed": 2**53 - 1},
    ],
    ids=["loras", "sdxl", "balanced", "aggressive"],
)
def test_the_unfolded_graph_makes_the_same_picture(host: Host, widgets: dict[str, Any]) -> None:
    picture = made(host, **widgets)
    laid = ask(host, UNFOLD, generation=picture.texts["intelligent_generation"])
    assert laid["seed"] == picture.generation.seed and not laid["missing"]
    assert run(host, laid).pixels == picture.pixels
    if "memory" not in widgets:
        assert not any(node["class_type"].startswith("IIG_") for node in laid["nodes"]) and not laid["said"]
    else:
        assert picture.plan.memory is Offload(widgets["memory"]) and laid["said"]


def test_loras_and_values_of_the_plan_are_on_the_nodes(host: Host) -> None:
    picture = made(host)
    laid = ask(host, UNFOLD, generation=picture.texts["intelligent_generation"], language="es")
    nodes = {node["id"]: node for node in laid["nodes"]}
    assert picture.plan.loras, "the toy prompt calls for a LoRA"
    assert [node["title"] for node in laid["nodes"] if node["group"] == "loras"] == [
        f"LoRA: {choice.use.name.removesuffix('.safetensors')}" for choice in picture.plan.loras
    ]
    assert nodes["positive"]["inputs"]["text"] == picture.plan.prompt == laid["prompt"]
    assert nodes["sampler"]["inputs"]["steps"] == picture.plan.settings.steps
    assert [group["title"] for group in laid["groups"]] == ["Modelos", "LoRA", "Prompt", "Muestreo", "Salida"]


def test_a_plan_with_a_seed_unfolds_too(host: Host) -> None:
    picture = made(host)
    accepted = Accepted("of something", picture.plan)
    by_plan = ask(host, UNFOLD, plan=to_json(picture.plan), seed=7)
    assert ask(host, UNFOLD, plan=to_json(accepted), seed=7)["nodes"] == by_plan["nodes"]
    assert "seed" in ask(host, UNFOLD, 400, plan=to_json(picture.plan))["message"]
    assert ask(host, UNFOLD, 400, generation="{}")["message"]


def test_a_start_image_stays_outside(host: Host) -> None:
    name = host.upload(host.client.image(host.auto(**PROMPT).images()[0]), "start.png")
    graph = auto_graph(**{**PROMPT, "denoise": 0.6})
    graph["8"] = {"class_type": "LoadImage", "inputs": {"image": name}}
    graph[AUTO]["inputs"]["image"] = ["8", 0]
    picture = host.picture(host.client.run(graph))
    text = picture.texts["intelligent_generation"]
    assert run(host, ask(host, UNFOLD, generation=text, linked=["image"]), name).pixels == picture.pixels
    assert "connect" in ask(host, UNFOLD, generation=text)["said"][0]


# --------------------------------------------------------------------------- back again


@pytest.mark.parametrize("widgets", [{}, {"cfg": 5.5, "max_vram_gb": 7.5, "blocked": "gore, civitai:1", "steps": 3}])
def test_the_folded_node_makes_the_same_picture(host: Host, widgets: dict[str, Any]) -> None:
    picture = made(host, **widgets)
    told = ask(host, FOLD, generation=picture.texts["intelligent_generation"])
    assert told["widgets"].items() >= {"seed": 7, "mode": "assisted", "prompt": PROMPT["prompt"], "width": 64}.items()
    assert told["widgets"].items() >= widgets.items() and not told["said"] and not told["missing"]
    again = host.auto(**told["widgets"], accepted_plan=told["accepted"])
    assert host.picture(again).pixels == picture.pixels
    assert host.picture(again).generation.id == picture.generation.id


def test_a_folded_plan_is_accepted_for_what_the_widgets_ask(host: Host) -> None:
    told = ask(host, FOLD, generation=made(host).texts["intelligent_generation"])
    accepted = from_json(Accepted, told["accepted"])
    assert accepted.made_for == told["review"]["made_for"]
    assert ask(host, CHECK, widgets=told["widgets"], linked=[], accepted=told["accepted"])["state"] == "valid"


def test_what_a_picture_cannot_tell_is_said(host: Host) -> None:
    generation = made(host).generation
    unseeded = ask(host, FOLD, generation=to_json(Generation(generation.plan)))
    assert "seed" in unseeded["said"][0]
    long = ask(host, FOLD, generation=to_json(replace(generation, seed=2**64 - 1)), language="es")
    assert long["widgets"]["seed"] == 2**64 - 1 and "semilla" in long["said"][0]
    with_image = replace(generation.plan, request=replace(generation.plan.request, has_image=True))
    assert "connect" in ask(host, FOLD, generation=to_json(replace(generation, plan=with_image)))["said"][0]


def test_a_stack_of_loras_is_in_the_plan_not_in_the_question(host: Host) -> None:
    plan = made(host).plan
    stacked = replace(plan, request=replace(plan.request, loras=tuple(choice.use for choice in plan.loras)))
    told = ask(host, FOLD, generation=to_json(Generation(stacked, 7, "x")))
    kept = from_json(Accepted, told["accepted"]).plan
    assert kept.request.loras is None and kept.loras == plan.loras
    assert isinstance(kept.request, Request) and kept.request.prompt == plan.request.prompt
