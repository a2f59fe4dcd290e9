"""Everybody can use it: without a mouse, with a screen reader, with large letters, in Spanish, in dark and light."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Site
from .pages import ROOT, Canvas, tab

VIEWS = re.findall(r"\{ id: \"(\w+)\", label: ", (ROOT / "web" / "js" / "panel.js").read_text(encoding="utf-8"))
NAMELESS = """() => [...document.querySelectorAll(`#iig-view :is(button, a, select, textarea, input, summary, img, svg[role=img],
    [role=button], [role=tab], [role=slider], [role=switch]), .iig-tabs button`)].filter((each) => {
    const named = each.getAttribute("aria-label") || each.getAttribute("aria-labelledby") || each.textContent.trim()
        || each.labels?.length || each.alt || each.querySelector("img[alt]:not([alt=''])") || (each.tagName === "IMG" && each.hasAttribute("alt"));
    return each.checkVisibility() && !named; }).map((each) => each.outerHTML.slice(0, 200))"""
UNREACHED = """() => [...document.querySelectorAll(`#iig-view :is(button, a[href], select, textarea, input, summary)`)]
    .filter((each) => each.checkVisibility() && !each.disabled && !each.dataset.iigReached && each.tabIndex >= 0)
    .map((each) => each.outerHTML.slice(0, 200))"""
CLICKED_ONLY = """() => [...document.querySelectorAll("#iig-view :is(div, span, li, img)")].filter((each) =>
    each.checkVisibility() && getComputedStyle(each).cursor === "pointer" && each.tabIndex < 0
    && !each.closest("button, a, label, summary, select, [role=option], [tabindex='0']")).map((each) => each.outerHTML.slice(0, 200))"""
WIDE = """() => [...document.querySelectorAll("#iig-view, #iig-view *")].filter((each) => {
    const view = document.querySelector("#iig-view").getBoundingClientRect(), box = each.getBoundingClientRect();
    const scrolls = (one) => one && one.id !== "iig-view" && (/auto|scroll|hidden/.test(getComputedStyle(one).overflowX) || scrolls(one.parentElement));
    return each.checkVisibility() && box.width > 1 && box.right > view.right + 1 && !scrolls(each.parentElement);
    }).map((each) => each.outerHTML.slice(0, 200))"""
MOST_STEPS = 800  # many pictures have many buttons


@pytest.fixture(scope="module", autouse=True)
def something_to_see(site: Site) -> Iterator[None]:
    """One picture, so that the views have something in them."""
    from ..host.conftest import auto_graph

    site.client.run(auto_graph(prompt="a red fox in the snow, watercolor", seed=3))
    yield


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_and_everything_in_it_has_a_name(canvas: Canvas, view: str) -> None:
    shown = canvas.panel(view)
    canvas.page.wait_for_timeout(600)
    assert "iig fault" not in shown.inner_html()
    assert shown.inner_text().strip()
    assert not canvas.page.evaluate(NAMELESS)
    assert not canvas.page.evaluate(CLICKED_ONLY)
    canvas.screenshot(f"view-{view}")


@pytest.mark.parametrize("view", VIEWS)
def test_tab_reaches_everything(canvas: Canvas, view: str) -> None:
    canvas.panel(view)
    canvas.page.wait_for_timeout(800)
    canvas.page.locator(".iig-tabs [aria-selected=true]").focus()
    for _ in range(MOST_STEPS):
        canvas.page.keyboard.press("Tab")
        if not canvas.page.evaluate(
            """() => { const at = document.activeElement; if (!at?.closest("#iig-view")) return false;
            at.dataset.iigReached = "1"; return true; }"""
        ):
            break
    assert not canvas.page.evaluate(UNREACHED)


def test_arrow_keys_go_from_tab_to_tab(canvas: Canvas) -> None:
    canvas.panel(VIEWS[0])
    canvas.page.locator(".iig-tabs [aria-selected=true]").focus()
    seen = []
    for _ in VIEWS:
        seen.append(canvas.page.evaluate("() => document.activeElement.dataset.view"))
        canvas.page.keyboard.press("ArrowRight")
    assert seen == VIEWS
    assert canvas.page.evaluate("() => document.activeElement.dataset.view") == VIEWS[0]


@pytest.mark.parametrize("language", ["en", "es"])
def test_at_125_percent_nothing_is_cut_off(site: Site, browser: Any, language: str) -> None:
    """A page at 125 % is one with fewer pixels of its own, each larger."""
    site.setting("Comfy.Locale", language)
    try:
        with tab(browser, site.url, 1200, 720, device_scale_factor=1.25) as canvas:
            canvas.open()
            said = {}
            for view in VIEWS:
                shown = canvas.panel(view)
                canvas.page.wait_for_timeout(500)
                assert not canvas.page.evaluate(WIDE), view
                said[view] = shown.inner_text()
                canvas.screenshot(f"view-{view}-{language}-125")
            tabs = canvas.page.locator(".iig-tabs").inner_text()
            assert ("Biblioteca" in tabs) == (language == "es")
            assert not canvas.faults
    finally:
        site.setting("Comfy.Locale", "en")


REGISTERED = """() => { const { command, setting } = window.app.extensionManager; const settings = setting.settings ?? window.app.ui.settings.settingsLookup;
    return [...command.commands.map(({ id }) => id), ...Object.keys(settings)].filter((id) => id.startsWith("IIG.")); }"""


def test_what_is_registered_is_what_has_a_label(canvas: Canvas) -> None:
    labelled = set()
    for name in ("commands", "settings"):
        labelled |= json.loads((ROOT / "locales" / "es" / f"{name}.json").read_text(encoding="utf-8")).keys()
    assert {name.replace(".", "_") for name in canvas.page.evaluate(REGISTERED)} == labelled
