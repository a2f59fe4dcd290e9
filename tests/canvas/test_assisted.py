"""ASSISTED mode: suggested, edited in the panel, accepted, and made exactly so; kept over a reload, apart in every tab."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, expect

from .conftest import Site
from .pages import STEP_MS, Canvas, tab

PROMPT = "a red fox in the snow, watercolor"
STEPS, STRENGTH = 6, 0.55


def suggested(canvas: Canvas, **widgets: Any) -> Locator:
    """The review of what the first Run of an ASSISTED node suggests; it makes no picture."""
    canvas.load_template("auto_pipeline", mode="assisted", prompt=PROMPT, **widgets)
    entry = canvas.queue_and_wait()
    assert entry["status"]["status_str"] == "success", entry["status"]
    assert not [output for output in entry["outputs"].values() if output.get("images")]
    return standing(canvas, "waiting")


def standing(canvas: Canvas, state: str) -> Locator:
    view = canvas.page.locator("#iig-view .review")
    expect(view.locator(f"header [data-state={state}]")).to_be_visible(timeout=STEP_MS)
    return view


def edit(canvas: Canvas, view: Locator) -> str:
    """Other steps, and another strength of the first LoRA, whose name it is."""
    number(view.locator("[data-setting=steps]"), STEPS)
    card = view.locator("[data-lora]").first
    number(card, STRENGTH)
    settled(canvas)
    return str(card.get_attribute("data-lora"))


def number(row: Locator, value: float) -> None:
    field = row.locator("input[type=number]")
    field.fill(str(value))
    field.press("Tab")


def settled(canvas: Canvas) -> Locator:
    view = standing(canvas, "edited")
    expect(canvas.page.locator("#iig-view .review[aria-busy=false]")).to_be_attached(timeout=STEP_MS)
    return view


def accepted_and_run(site: Site, canvas: Canvas, view: Locator) -> Any:
    before = canvas.ran()
    view.locator("footer [data-act=accept_run]").click()
    return site.picture(canvas.wait_for_run(before)).generation


def test_what_was_edited_is_what_runs(site: Site, canvas: Canvas) -> None:
    view = suggested(canvas, seed=11)
    name = edit(canvas, view)
    canvas.screenshot(f"review-{site.place.name}")
    plan = accepted_and_run(site, canvas, view).plan
    assert plan.settings.steps == STEPS
    assert {choice.use.name: choice.use.strength_model for choice in plan.loras}[name] == STRENGTH
    standing(canvas, "accepted")
    assert canvas.widget("IIG_AutoPipeline", "accepted_plan")


def test_another_prompt_makes_the_plan_stale_and_another_seed_does_not(canvas: Canvas) -> None:
    view = suggested(canvas, seed=12)
    view.locator("footer [data-act=accept]").click()
    standing(canvas, "accepted")
    canvas.set_widgets("IIG_AutoPipeline", seed=13)
    canvas.page.wait_for_timeout(1500)
    standing(canvas, "accepted")
    canvas.set_widgets("IIG_AutoPipeline", prompt="a blue house at night, watercolor")
    standing(canvas, "stale")
    entry = canvas.queue_and_wait()
    assert entry["status"]["status_str"] == "success"
    assert not [output for output in entry["outputs"].values() if output.get("images")]
    view.locator("footer [data-act=auto]").click()
    assert canvas.widget("IIG_AutoPipeline", "mode") == "auto"
    assert not canvas.widget("IIG_AutoPipeline", "accepted_plan")


def test_a_review_outlives_a_reload(site: Site, canvas: Canvas) -> None:
    name = edit(canvas, suggested(canvas, seed=14))
    canvas.page.wait_for_timeout(1500)  # ComfyUI keeps the workflow a moment after its last change
    canvas.open()
    canvas.panel("review")
    view = settled(canvas)
    assert view.locator("[data-setting=steps] input[type=number]").input_value() == str(STEPS)
    plan = accepted_and_run(site, canvas, view).plan
    assert plan.settings.steps == STEPS
    assert {choice.use.name: choice.use.strength_model for choice in plan.loras}[name] == STRENGTH


def test_two_tabs_keep_out_of_each_others_way(site: Site, canvas: Canvas, browser: Any) -> None:
    with tab(browser, site.url) as other:
        other.open()
        other.load_template("auto_pipeline", mode="assisted", prompt="a blue house at night, watercolor", seed=16)
        view = suggested(canvas, seed=15)
        assert not other.widget("IIG_AutoPipeline", "accepted_plan")
        assert not other.page.locator("#iig-view .review").count()
        edit(canvas, view)
        other.queue_and_wait()
        theirs = standing(other, "waiting")
        assert theirs.locator("[data-setting=steps] input[type=number]").input_value() == "4"
        assert accepted_and_run(site, other, theirs).plan.settings.steps == 4
        assert accepted_and_run(site, canvas, view).plan.settings.steps == STEPS
        assert not other.faults
