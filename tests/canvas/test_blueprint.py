"""The subgraph blueprint, on hosts that have them; and templates that open without complaint."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from .conftest import Site
from .pages import ROOT, Canvas

BLUEPRINT = "Prompt to picture"
TEMPLATES = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))


def blueprint(site: Site) -> dict[str, Any]:
    if not (site.place / "app" / "subgraph_manager.py").is_file():
        pytest.skip("this ComfyUI has no blueprints")
    known = requests.get(f"{site.url}/global_subgraphs", timeout=30).json()
    [key] = [key for key, each in known.items() if each["name"] == BLUEPRINT and each["source"] == "custom_node"]
    return json.loads(requests.get(f"{site.url}/global_subgraphs/{key}", timeout=30).json()["data"])


def test_the_blueprint_is_in_the_node_library_and_makes_a_picture(site: Site, canvas: Canvas) -> None:
    data = blueprint(site)
    canvas.page.evaluate("(graph) => window.app.loadGraphData(graph)", data)
    canvas.page.wait_for_function("() => window.app.graph._nodes[0]?.subgraph")
    inner = """(values) => { for (const node of window.app.graph._nodes[0].subgraph.nodes) for (const [name, value] of
        Object.entries(values)) { const found = node.widgets?.find((each) => each.name === name); if (found) found.value = value; } }"""
    canvas.page.evaluate(inner, {"width": 64, "height": 64, "steps": 4, "reader": "rules"})
    canvas.screenshot("blueprint")
    entry = canvas.queue_and_wait()
    assert entry["status"]["status_str"] == "success", entry["status"]
    assert site.picture(entry).plan.request.prompt == "a red fox in the snow, watercolor"


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_open_as_they_were_saved(canvas: Canvas, name: str) -> None:
    graph = json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
    canvas.page.evaluate("(graph) => window.app.loadGraphData(graph)", graph)
    canvas.page.wait_for_function("(count) => window.app.graph._nodes.length === count", arg=len(graph["nodes"]))
    assert canvas.classes() == sorted(node["type"] for node in graph["nodes"])
    assert not canvas.page.evaluate("() => window.app.graph._nodes.filter((node) => node.has_errors).length")
    canvas.screenshot(f"template-{name}")
