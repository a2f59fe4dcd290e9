"""Takes the pictures of README anew, on the newest host: ``make pictures``. They are to be looked at before they are committed."""

from __future__ import annotations

import io
from typing import Any

import pytest
from playwright.sync_api import expect

from .conftest import Site
from .pages import ROOT, STEP_MS, Canvas, tab

PLACE = ROOT / "docs" / "images"
PROMPT = "a red fox in the snow, watercolor"
WIDTH, HEIGHT, MOST_BYTES = 1400, 860, 150_000


@pytest.fixture
def large(site: Site, browser: Any) -> Any:
    if site.client.get("/system_stats")["system"]["comfyui_version"].startswith("0.3."):
        pytest.skip("the newest host takes the pictures")
    for name in ("Comfy.Minimap.Visible", "Comfy.Graph.CanvasInfo"):
        site.setting(name, False)
    with tab(browser, site.url, WIDTH, HEIGHT) as canvas:
        canvas.page.add_init_script("localStorage.setItem('IIG.Guide.Invited', 'yes')")
        yield canvas.open()


def keep(canvas: Canvas, name: str) -> None:
    from PIL import Image

    canvas.page.evaluate("() => document.querySelectorAll('.p-toast-close-button').forEach((each) => each.click())")
    canvas.page.wait_for_timeout(1500)
    picture = Image.open(io.BytesIO(canvas.page.screenshot())).convert("RGB")
    PLACE.mkdir(parents=True, exist_ok=True)
    picture.save(PLACE / f"{name}.jpg", quality=80, optimize=True)
    assert (PLACE / f"{name}.jpg").stat().st_size <= MOST_BYTES


def at(canvas: Canvas, scale: float, x: int, y: int) -> None:
    canvas.page.evaluate(
        """([scale, x, y]) => { const { canvas, graph } = window.app; canvas.ds.scale = scale; canvas.ds.offset = [x, y];
        graph.setDirtyCanvas(true, true); }""",
        [scale, x, y],
    )


def widen(canvas: Canvas) -> None:
    """Drag the edge of the sidebar to the right."""
    edge = canvas.page.locator(".side-bar-panel, .sidebar-content-container").first.bounding_box()
    if edge:
        x, y = edge["x"] + edge["width"] + 1, edge["y"] + edge["height"] / 2
        canvas.page.mouse.move(x, y)
        canvas.page.mouse.down()
        canvas.page.mouse.move(x + 110, y, steps=5)
        canvas.page.mouse.up()
        canvas.page.mouse.move(WIDTH - 40, HEIGHT - 200)


def test_review(site: Site, large: Canvas) -> None:
    large.load_template("auto_pipeline", mode="assisted", prompt=PROMPT, steps=0, width=512, height=512)
    large.command("IIG.Suggest")
    expect(large.page.locator("#iig-view .review header [data-state=waiting]")).to_be_visible(timeout=STEP_MS)
    widen(large)
    at(large, 0.8, 560, 60)
    keep(large, "review")


def test_rating(site: Site, large: Canvas) -> None:
    large.load_template("auto_pipeline", prompt=PROMPT, width=192, height=192, seed=5)
    made = site.picture(large.queue_and_wait()).generation
    bar = large.page.locator(f".iig-rating[data-generation='{made.id}']").first
    expect(bar).to_be_visible(timeout=STEP_MS)
    bar.locator("[data-part=overall] button").nth(3).click()
    bar.locator("[data-act=more]").click()
    at(large, 0.85, 180, 90)
    keep(large, "rating")


def test_library(site: Site, large: Canvas) -> None:
    large.load_template("auto_pipeline", prompt=PROMPT, width=512, height=512)
    large.panel("library")
    expect(large.page.locator("#iig-view [data-index]").first).to_be_visible(timeout=STEP_MS)
    widen(large)
    at(large, 0.8, 560, 60)
    keep(large, "library")
