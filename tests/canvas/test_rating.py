"""Rated where the picture is, and the next plan shows it."""

from __future__ import annotations

import requests
from pack.routes import FEEDBACK_PATH, GUARD_HEADER
from playwright.sync_api import Locator, expect

from .conftest import Site
from .pages import STEP_MS, Canvas

PROMPT = "a red fox in the snow, watercolor"


def rating_of(site: Site, generation_id: str) -> dict:
    answer = requests.get(f"{site.url}/intelligent_generation/feedback/generation", params={"id": generation_id}, timeout=30)
    return answer.json()["standing"]["rating"] or {}


def bar_of(canvas: Canvas, generation_id: str) -> Locator:
    bar = canvas.page.locator(f".iig-rating[data-generation='{generation_id}']").first
    expect(bar).to_be_visible(timeout=STEP_MS)
    return bar


def star(bar: Locator, count: int) -> Locator:
    return bar.locator("[data-part=overall] button").nth(count - 1)


def learns_from_here_on(site: Site) -> None:
    """What other files' tests taught the same host is gone, and no plan tries something by chance."""
    for path, body in (("erase", {"confirmed": True}), ("settings", {"explore": 0})):
        answer = requests.post(f"{site.url}{FEEDBACK_PATH}/{path}", json=body, headers={GUARD_HEADER: "1"}, timeout=30)
        answer.raise_for_status()


def test_stars_on_the_picture_change_the_next_plan(site: Site, canvas: Canvas) -> None:
    learns_from_here_on(site)
    canvas.load_template("auto_pipeline", prompt=PROMPT, seed=21)
    first = site.picture(canvas.queue_and_wait()).generation
    bar = bar_of(canvas, first.id)
    star(bar, 5).click()
    expect(star(bar, 5)).to_have_attribute("aria-checked", "true")
    canvas.screenshot(f"rating-{site.place.name}")
    canvas.page.wait_for_function("() => !document.querySelector('.iig-rating [aria-busy=true]')")
    assert rating_of(site, first.id)["overall"] == 5
    canvas.set_widgets("IIG_AutoPipeline", seed=22)
    second = site.picture(canvas.queue_and_wait()).generation
    liked = {choice.use.name: choice.scores.history for choice in first.plan.loras}
    assert any(choice.scores.history > liked.get(choice.use.name, 1) for choice in second.plan.loras)


def test_keys_rate_and_take_back(site: Site, canvas: Canvas) -> None:
    canvas.load_template("auto_pipeline", prompt=PROMPT, seed=23)
    made = site.picture(canvas.queue_and_wait()).generation
    bar = bar_of(canvas, made.id)
    star(bar, 1).focus()
    canvas.page.keyboard.press("4")
    expect(star(bar, 4)).to_have_attribute("aria-checked", "true")
    canvas.page.wait_for_timeout(500)
    assert rating_of(site, made.id)["overall"] == 4
    canvas.command("IIG.UndoRating")
    expect(star(bar, 4)).to_have_attribute("aria-checked", "false")


def test_a_rated_picture_is_among_the_recent_ones(site: Site, canvas: Canvas) -> None:
    canvas.load_template("auto_pipeline", prompt=PROMPT, seed=24)
    made = site.picture(canvas.queue_and_wait()).generation
    star(bar_of(canvas, made.id), 3).click()
    shown = canvas.panel("recent").locator(f"[data-generation='{made.id}']").first
    expect(shown).to_be_visible(timeout=STEP_MS)
    expect(star(shown, 3)).to_have_attribute("aria-checked", "true")


def test_a_star_given_before_the_page_knows_the_rating_keeps_its_other_parts(site: Site, canvas: Canvas) -> None:
    canvas.load_template("auto_pipeline", prompt=PROMPT, seed=25)
    made = site.picture(canvas.queue_and_wait()).generation
    said = {"id": made.id, "overall": 2, "comment": "soft light", "tags": ["fox"]}
    address = f"{site.url}/intelligent_generation/feedback/rate"
    requests.post(address, json=said, headers={"X-Intelligent-Generation": "1"}, timeout=30).raise_for_status()
    canvas.open()  # no bar has asked for the rating yet
    canvas.command("IIG.Rate5")
    expect(canvas.page.locator(".p-toast-message", has_text="★★★★★")).to_be_visible(timeout=STEP_MS)
    told = rating_of(site, made.id)
    assert (told["overall"], told["comment"], told["tags"]) == (5, "soft light", ["fox"])
