"""Every plan's graph laid out: nothing lost, nothing twice, nothing on top of another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pack.graph import build
from pack.graph.unfolded import GROUPS, OUTSIDE, told, unfolded
from pack.tests.graph.cases import SEED, cases

ROOT = Path(__file__).parent.parent.parent
LANGUAGES = ("en", "es")


def graph_of(name):
    plan, image = cases()[name]
    return build(plan, SEED, image=[OUTSIDE, 0] if image else None)


def links(node):
    return {name: value for name, value in node.inputs.items() if isinstance(value, list)}


@pytest.mark.parametrize("name", cases())
def test_every_node_has_a_place_of_its_own(name):
    graph = graph_of(name)
    placed = unfolded(graph)
    assert {node.id: {"class_type": node.class_type, "inputs": node.inputs} for node in placed} == graph.nodes
    assert len({(node.column, node.row) for node in placed}) == len(placed)
    for column in {node.column for node in placed}:
        assert len({node.group for node in placed if node.column == column}) == 1, "groups never share a column"
        assert sorted(node.row for node in placed if node.column == column) == list(
            range(sum(node.column == column for node in placed))
        )
    assert {node.column for node in placed} == set(range(max(node.column for node in placed) + 1))


@pytest.mark.parametrize("name", cases())
def test_links_run_from_left_to_right(name):
    placed = {node.id: node for node in unfolded(graph_of(name))}
    for node in placed.values():
        for input_name, (source, _) in links(node).items():
            if source == OUTSIDE or input_name == "after":  # what is only waited for
                continue
            before = placed[source]
            in_stack = before.group == node.group == "loras" and before.row < node.row
            assert in_stack or before.column < node.column, (node.id, input_name)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", cases())
def test_titles_are_words_and_groups_hold_every_node(name, language):
    graph = graph_of(name)
    answer = told(graph, language)
    assert sorted(node for group in answer["groups"] for node in group["nodes"]) == sorted(graph.nodes)
    for node in answer["nodes"]:
        assert node["title"].startswith("LoRA: ") or not set("_.") & set(node["title"]), node["id"]
    assert answer["image"] == graph.outputs["image"] and answer["outputs"]["latent"] == graph.outputs["latent"]
    assert {node["group"] for node in answer["nodes"]} <= set(GROUPS)


def test_every_word_is_used():
    ids = {node.id for name in cases() for node in unfolded(graph_of(name)) if "lora_name" not in node.inputs}
    used = {f"node.{node_id.removeprefix('second_').removeprefix('refiner_')}" for node_id in ids}
    words = json.loads((ROOT / "locales" / "en" / "unfolded.json").read_text(encoding="utf-8"))
    assert used == {key for key in words if key.startswith("node.")}
    assert {key for key in words if key.startswith("group.")} == {f"group.{group}" for group in GROUPS}


def test_a_lora_is_named_by_its_file_and_a_second_model_is_told_apart():
    named = {node.id: node.title for node in unfolded(graph_of("sdxl+loras"))}
    assert sorted(title for title in named.values() if title.startswith("LoRA")) == ["LoRA: anime", "LoRA: detail"]
    refined = {node.id: node.title for node in unfolded(graph_of("sdxl+refiner"), "es")}
    assert refined["refiner"] == "Refinador" and refined["refiner_positive"] == "Prompt (segundo modelo)"
    assert refined["positive"] == "Prompt"


def test_groups_are_what_they_say():
    groups = {node.id: node.group for node in unfolded(graph_of("sdxl+aggressive"))}
    assert groups["checkpoint"] == "models" and groups["positive"] == "prompt" and groups["sampler"] == "sampling"
    assert groups["decode"] == groups["after_decode"] == "output" and groups["border"] == "sampling"
