"""The templates for the canvas hold the same graphs as their API-format twins, which tests/host runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "workflows"
NAMES = sorted(path.stem for path in ROOT.glob("*.json"))


def test_each_has_its_twin() -> None:
    assert sorted(path.stem for path in (ROOT / "api").glob("*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_canvas_and_api_formats_agree(name: str) -> None:
    canvas = json.loads((ROOT / f"{name}.json").read_text(encoding="utf-8"))
    graph = json.loads((ROOT / "api" / f"{name}.json").read_text(encoding="utf-8"))
    assert {str(node["id"]): node["type"] for node in canvas["nodes"]} == {
        key: node["class_type"] for key, node in graph.items()
    }
    wired = {
        (str(source), slot, str(target), inputs_of(canvas, target)[at]) for _, source, slot, target, at, _ in canvas["links"]
    }
    asked = {
        (value[0], value[1], key, name)
        for key, node in graph.items()
        for name, value in node["inputs"].items()
        if isinstance(value, list)
    }
    assert wired == asked


@pytest.mark.parametrize("name", NAMES)
def test_older_frontends_read_each_without_complaint(name: str) -> None:
    """They refuse a slot whose place is null (0.3.64's schema of workflows)."""
    canvas = json.loads((ROOT / f"{name}.json").read_text(encoding="utf-8"))
    for node in canvas["nodes"]:
        assert isinstance(node.get("widgets_values", []), (list, dict))
        for slot in (*node["inputs"], *node["outputs"]):
            assert slot.get("slot_index", 0) is not None, f"{node['type']}: {slot['name']}"


@pytest.mark.parametrize("name", NAMES)
def test_names_of_sockets_follow_the_language(name: str) -> None:
    """A label kept in the file stands before the translation."""
    canvas = json.loads((ROOT / f"{name}.json").read_text(encoding="utf-8"))
    assert not [slot for node in canvas["nodes"] for slot in (*node["inputs"], *node["outputs"]) if "label" in slot]


def inputs_of(canvas: dict, node_id: int) -> list[str]:
    node = next(node for node in canvas["nodes"] if node["id"] == node_id)
    return [socket["name"] for socket in node["inputs"]]
