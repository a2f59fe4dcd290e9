"""The subgraph blueprint, on hosts that have them; and templates that open without complaint."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import pytest
import requests

from .conftest import Site
from .pages import ROOT, Canvas

BLUEPRINT = "Prompt to picture"
MOST_BYTES = 40_000
WIDTH, HEIGHT = 640, 480  # pixels of a thumbnail
# The whole graph in the middle of the page's free part, as large as it fits; where it is.
LAID_OUT = """() => { const { graph, canvas } = window.app; let [left, top, right, bottom] = [1e9, 1e9, -1e9, -1e9];
    for (const { pos, size } of graph._nodes) { left = Math.min(left, pos[0]); top = Math.min(top, pos[1] - 40);
        right = Math.max(right, pos[0] + size[0]); bottom = Math.max(bottom, pos[1] + size[1]); }
    const x = 300, y = 80, width = 1040, height = 780;
    const scale = Math.min(width / (right - left + 60), height / (bottom - top + 60));
    Object.assign(canvas, { low_quality_zoom_threshold: 0, min_font_size_for_lod: 0 }); // words however small
    canvas.ds.scale = scale;
    canvas.ds.offset = [(x + (width - (right - left) * scale) / 2) / scale - left,
        (y + (height - (bottom - top) * scale) / 2) / scale - top];
    for (const node of graph._nodes) node.has_errors = false; // the toy models lack the file a template names
    graph.setDirtyCanvas(true, true); canvas.draw(true, true);
    return { x, y, width, height }; }"""
# Nothing but nodes: their elements lie over the canvas, and so does the frontend's own furniture.
ALONE = """body * { visibility: hidden !important; }
    canvas#graph-canvas, .dom-widget, .dom-widget * { visibility: visible !important; }"""
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
    inner = """(values) => { const whole = window.app.graph._nodes[0]; for (const node of [...whole.subgraph.nodes, whole]) for (const [name, value] of
        Object.entries(values)) { const found = node.widgets?.find((each) => each.name === name); if (found) found.value = value; } }"""
    canvas.page.evaluate(
        inner, {"width": 64, "height": 64, "steps": 4, "reader": "rules", "checkpoint": "toy_sd15.safetensors"}
    )
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
    assert all(
        canvas.page.evaluate("() => window.app.graph._nodes.map(({ type }) => type in window.LiteGraph.registered_node_types)")
    )
    if os.environ.get("IIG_THUMBNAILS"):
        write_thumbnail(canvas, name)
    thumbnail = ROOT / "workflows" / f"{name}.jpg"
    assert 0 < thumbnail.stat().st_size <= MOST_BYTES


def write_thumbnail(canvas: Canvas, name: str) -> None:
    """A picture of the graph itself, for ComfyUI's Templates browser."""
    from PIL import Image

    canvas.page.wait_for_timeout(500)
    clip = canvas.page.evaluate(LAID_OUT)
    canvas.page.wait_for_timeout(700)
    taken = canvas.page.screenshot(clip=clip, style=ALONE)
    picture = Image.open(io.BytesIO(taken)).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    picture.save(ROOT / "workflows" / f"{name}.jpg", quality=82, optimize=True)
