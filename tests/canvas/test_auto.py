"""From the node's drop to the picture, in AUTO mode."""

from __future__ import annotations

from pack.plan import Generation
from pack.values import from_json

from .conftest import Site
from .pages import Canvas

SMALL = {"width": 64, "height": 64, "steps": 4, "checkpoint": "toy_sd15.safetensors"}


def test_a_dropped_node_makes_a_picture(site: Site, canvas: Canvas) -> None:
    canvas.page.evaluate("() => window.app.graph.clear()")
    auto, save = canvas.drop_node("IIG_AutoPipeline"), canvas.drop_node("IIG_SaveImage", 700)
    canvas.wire(auto, 0, save, "images")
    canvas.wire(auto, 4, save, "plan")
    canvas.set_widgets("IIG_AutoPipeline", prompt="a red fox in the snow, watercolor", **SMALL, seed=7)
    entry = canvas.queue_and_wait()
    assert entry["status"]["status_str"] == "success", entry["status"]
    generation = site.picture(entry).generation
    assert generation.plan.models.checkpoint and generation.seed == 7
    canvas.page.wait_for_function("(id) => window.app.graph.getNodeById(id).iigGeneration", arg=auto, timeout=10_000)
    told = canvas.page.evaluate("(id) => window.app.graph.getNodeById(id).iigGeneration", auto)
    assert from_json(Generation, told).id == generation.id
    explained = canvas.page.evaluate("(id) => window.app.graph.getNodeById(id).iigExplanation?.value", auto)
    assert all(choice.use.name.split(".")[0] in explained for choice in generation.plan.loras)
    canvas.screenshot(f"auto-{site.place.name}")
