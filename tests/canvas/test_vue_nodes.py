"""The same with Nodes 2.0, which ComfyUI 0.33 can draw nodes with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from .conftest import Site
from .pages import STEP_MS, Canvas, tab

PROMPT = "a red fox in the snow, watercolor"
SETTING = "Comfy.VueNodes.Enabled"


@pytest.fixture(scope="module")
def drawn(site: Site, browser: Any) -> Iterator[Canvas]:
    if site.client.get("/system_stats")["system"]["comfyui_version"].startswith("0.3."):
        pytest.skip("this ComfyUI has no Nodes 2.0")
    site.setting(SETTING, True)
    try:
        with tab(browser, site.url) as canvas:
            yield canvas.open()
    finally:
        site.setting(SETTING, False)


def test_a_picture_is_made_and_rated(site: Site, drawn: Canvas) -> None:
    drawn.load_template("auto_pipeline", prompt=PROMPT, seed=41)
    made = site.picture(drawn.queue_and_wait()).generation
    assert drawn.page.locator("[data-node-id]").count() >= 2, "nodes are drawn by Vue"
    bar = drawn.page.locator(f".iig-rating[data-generation='{made.id}']").first
    expect(bar).to_be_visible(timeout=STEP_MS)
    bar.locator("[data-part=overall] button").nth(4).click()
    expect(bar.locator("[data-part=overall] button").nth(4)).to_have_attribute("aria-checked", "true")
    drawn.screenshot("vue-rating")
    assert not drawn.faults


def test_a_plan_is_suggested_and_accepted_on_the_node(site: Site, drawn: Canvas) -> None:
    drawn.load_template("auto_pipeline", mode="assisted", prompt=PROMPT, seed=42)
    card = drawn.page.locator("[data-node-id] [data-act=suggest]").first
    expect(card).to_be_visible(timeout=STEP_MS)
    card.click()
    button = drawn.page.locator("[data-node-id] [data-act=accept_run]").first
    expect(button).to_be_visible(timeout=STEP_MS)
    drawn.screenshot("vue-card")
    before = drawn.ran()
    button.click()
    assert site.picture(drawn.wait_for_run(before)).plan.request.prompt == PROMPT
    assert not drawn.faults
