"""ASSISTED mode where things come between: a run before the plan was accepted, an undo, another view, a change of mind."""

from __future__ import annotations

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
        .reviewOf(window.app.graph._nodes.find(({ comfyClass }) => comfyClass === "IIG_AutoPipeline"))"""
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
    asked: list[str] = []
    canvas.page.on("request", lambda request: asked.append(request.url) if "/assisted/" in request.url else None)
    canvas.page.evaluate(
        """() => { window.ghost = window.app.graph._nodes.find(({ comfyClass }) => comfyClass === "IIG_AutoPipeline").clone(); }"""
    )
    canvas.page.wait_for_timeout(1500)
    assert not canvas.page.evaluate("() => Boolean(window.ghost.iigCard)")
    assert canvas.page.evaluate(CARDS) == 1
    assert not asked
