"""ASSISTED mode where things come between: a run before the plan was accepted, an undo, another view, a change of mind."""

from __future__ import annotations

import requests
from playwright.sync_api import expect

from .conftest import Site
from .pages import STEP_MS, Canvas
from .test_assisted import STEPS, edit, number, settled, standing, suggested

AGAIN = "() => window.app.loadGraphData(window.app.graph.serialize())"  # as an undo puts the canvas back
CARDS = """() => window.app.graph._nodes.filter((node) => node.iigCard).length"""


def test_a_run_before_acceptance_loses_no_edit(canvas: Canvas) -> None:
    view = suggested(canvas, seed=21)
    edit(canvas, view)
    entry = canvas.queue_and_wait()
    assert not [output for output in entry["outputs"].values() if output.get("images")]
    canvas.page.wait_for_timeout(800)  # the suggestion of that run comes by an event
    view = settled(canvas)
    assert view.locator("[data-setting=steps] input[type=number]").input_value() == str(STEPS)


def test_a_suggestion_that_comes_late_leaves_an_accepted_plan_alone(canvas: Canvas) -> None:
    view = suggested(canvas, seed=22)
    review = canvas.page.evaluate(
        """async () => (await import("/extensions/intelligent-generation/js/reviewing.mjs"))
        .recordOf(window.app.graph._nodes.find(({ comfyClass }) => comfyClass === "IIG_AutoPipeline")).review"""
    )
    view.locator("footer [data-act=accept]").click()
    standing(canvas, "accepted")
    canvas.page.evaluate(
        """async (review) => (await import("/extensions/intelligent-generation/js/reviewing.mjs"))
        .suggested(window.app.graph._nodes.find(({ comfyClass }) => comfyClass === "IIG_AutoPipeline"), review)""",
        review,
    )
    standing(canvas, "accepted")
    assert canvas.widget("IIG_AutoPipeline", "accepted_plan")


def test_after_an_undo_the_panel_works_on_the_node_that_is_there(canvas: Canvas) -> None:
    edit(canvas, suggested(canvas, seed=23))
    canvas.page.evaluate(AGAIN)
    canvas.page.wait_for_timeout(1500)
    view = settled(canvas)
    assert view.locator("[data-setting=steps] input[type=number]").input_value() == str(STEPS)
    view.locator("footer [data-act=accept]").click()
    standing(canvas, "accepted")
    assert canvas.widget("IIG_AutoPipeline", "accepted_plan")


def test_an_edit_on_its_way_does_not_come_back_after_auto(canvas: Canvas) -> None:
    view = suggested(canvas, seed=24)
    number(view.locator("[data-setting=steps]"), STEPS)
    view.locator("footer [data-act=auto]").click()
    canvas.page.wait_for_timeout(1000)
    standing(canvas, "none")
    assert not view.locator(".fault:visible").count()
    assert canvas.widget("IIG_AutoPipeline", "mode") == "auto"


def test_the_library_adds_to_the_plan_reviewed_last(site: Site, canvas: Canvas) -> None:
    view = suggested(canvas, seed=25)
    used = {str(each.get_attribute("data-lora")) for each in view.locator(".iig-sections > * > ul > [data-lora]").all()}
    nodes = canvas.classes()
    library = canvas.panel("library")
    rows = library.locator(".iig-model[data-name]")
    expect(rows.first).to_be_visible(timeout=STEP_MS)
    names = [str(row.get_attribute("data-name")) for row in rows.all()]
    name = next(each for each in names if "sd15" in each and each not in used)
    library.locator(f'.iig-model[data-name="{name}"] button.use').click()
    canvas.page.wait_for_timeout(1000)
    assert canvas.classes() == nodes
    canvas.panel("review")
    expect(settled(canvas).locator(f'[data-lora="{name}"] input[type=checkbox]')).to_be_checked()


def test_a_copy_that_never_came_onto_the_canvas_has_no_card(canvas: Canvas) -> None:
    suggested(canvas, seed=26)
    canvas.page.wait_for_timeout(1500)  # the node's own check of its suggestion is over
    asked: list[str] = []
    canvas.page.on("request", lambda request: asked.append(request.url) if "/assisted/" in request.url else None)
    canvas.page.evaluate(
        """() => { window.ghost = window.app.graph._nodes.find(({ comfyClass }) => comfyClass === "IIG_AutoPipeline").clone(); }"""
    )
    canvas.page.wait_for_timeout(1500)
    assert not canvas.page.evaluate("() => Boolean(window.ghost.iigCard)")
    assert canvas.page.evaluate(CARDS) == 1
    assert not asked


def test_a_lora_dragged_onto_the_card_is_in_the_plan(canvas: Canvas) -> None:
    view = suggested(canvas, seed=27)
    used = {
        str(each.get_attribute("data-lora"))
        for each in view.locator("[data-lora] input[type=checkbox]:checked").locator("..").locator("..").all()
    }
    nodes = canvas.classes()
    library = canvas.panel("library")
    expect(library.locator(".iig-model[data-name]").first).to_be_visible(timeout=STEP_MS)
    names = [str(row.get_attribute("data-name")) for row in library.locator(".iig-model[data-name]").all()]
    name = next(each for each in names if "sd15" in each and each not in used)
    card = canvas.page.locator("[role=group][aria-label=Plan] [data-state]").first
    library.locator(f'.iig-model[data-name="{name}"]').drag_to(card)
    canvas.page.wait_for_timeout(1000)
    assert canvas.classes() == nodes, "no loader beside it"
    canvas.panel("review")
    expect(settled(canvas).locator(f'[data-lora="{name}"] input[type=checkbox]')).to_be_checked()


def test_a_lora_of_another_family_is_refused_where_it_is_seen(canvas: Canvas) -> None:
    suggested(canvas, seed=28)
    library = canvas.panel("library")
    other = library.locator('.iig-model[data-name*="_xl"]').first
    expect(other).to_be_visible(timeout=STEP_MS)
    other.locator("button.use").click()
    expect(canvas.page.locator(".p-toast-message-error", has_text="was not added")).to_be_visible(timeout=STEP_MS)
    canvas.panel("review")
    standing(canvas, "waiting")
    canvas.faults[:] = [
        fault for fault in canvas.faults if "400 (Bad Request)" not in fault
    ]  # the browser tells refusals itself


def test_workflows_of_before_keep_their_values_and_prompts_hold_the_nodes_inputs_alone(site: Site, canvas: Canvas) -> None:
    suggested(canvas, seed=29)
    before = canvas.page.evaluate(
        """async () => { const graph = window.app.graph.serialize(), auto = graph.nodes.find(({ type }) => type === "IIG_AutoPipeline");
        auto.widgets_values = [...auto.widgets_values.slice(0, -2), "kept"]; // there was no run_anyway
        await window.app.loadGraphData(graph); return auto.widgets_values; }"""
    )
    assert before[-2:] == ["auto", "kept"]
    assert canvas.widget("IIG_AutoPipeline", "accepted_plan") == "kept"
    assert canvas.widget("IIG_AutoPipeline", "run_anyway") is False
    assert canvas.widget("IIG_AutoPipeline", "steps") == 4 and canvas.widget("IIG_AutoPipeline", "reader") == "rules"
    canvas.page.wait_for_function(f"{CARDS.split('=> ', 1)[1]} === 1")
    prompt = canvas.page.evaluate("async () => (await window.app.graphToPrompt()).output")
    [auto] = [node for node in prompt.values() if node["class_type"] == "IIG_AutoPipeline"]
    known = requests.get(f"{site.url}/object_info/IIG_AutoPipeline", timeout=30).json()["IIG_AutoPipeline"]["input"]
    assert auto["inputs"].keys() <= known["required"].keys() | known["optional"].keys()


def test_an_accepted_plan_whose_lora_is_gone_waits_for_it(site: Site, canvas: Canvas) -> None:
    view = suggested(canvas, seed=28)
    name = str(view.locator("[data-lora]").first.get_attribute("data-lora"))
    view.locator("footer [data-act=accept]").click()
    standing(canvas, "accepted")
    kept = canvas.widget("IIG_AutoPipeline", "accepted_plan")
    canvas.page.wait_for_timeout(1500)  # ComfyUI keeps the workflow a moment after its last change
    here = site.models / "loras" / name
    aside = here.rename(here.with_suffix(".aside"))
    try:
        site.client.get("/intelligent_generation/hub/library", look="true", limit="1")
        canvas.open()
        canvas.panel("review")
        standing(canvas, "missing")
        canvas.queue_and_wait()
        canvas.page.wait_for_timeout(1000)  # the suggestion of that run comes by an event
        standing(canvas, "missing")
        assert canvas.widget("IIG_AutoPipeline", "accepted_plan") == kept
    finally:
        aside.rename(here)
        site.client.get("/intelligent_generation/hub/library", look="true", limit="1")
