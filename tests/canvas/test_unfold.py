"""Unfolded into native nodes and folded from a picture: the same pixels, the same plan."""

from __future__ import annotations

from pathlib import Path

import requests

from .conftest import Site
from .pages import STEP_MS, Canvas

PROMPT = "a red fox in the snow, watercolor"


def test_the_unfolded_graph_makes_the_same_pixels(site: Site, canvas: Canvas) -> None:
    canvas.load_template("auto_pipeline", prompt=PROMPT, seed=31)
    whole = site.picture(canvas.queue_and_wait())
    unfold(canvas)
    canvas.screenshot(f"unfolded-{site.place.name}")
    assert "KSampler" in canvas.classes() or "SamplerCustomAdvanced" in canvas.classes()
    assert site.picture(canvas.queue_and_wait()).pixels == whole.pixels


def unfold(canvas: Canvas) -> None:
    canvas.command("IIG.Unfold")
    canvas.page.wait_for_function(
        "() => !window.app.graph._nodes.some(({ comfyClass }) => comfyClass === 'IIG_AutoPipeline')", timeout=STEP_MS
    )
    canvas.page.wait_for_timeout(300)


def test_unfolding_is_undone_as_one_step(canvas: Canvas) -> None:
    canvas.load_template("auto_pipeline", prompt=PROMPT, seed=32)
    canvas.page.wait_for_timeout(500)
    before = canvas.classes()
    unfold(canvas)
    canvas.page.wait_for_timeout(500)
    canvas.page.mouse.click(700, 780)  # the empty canvas takes the keys
    canvas.page.keyboard.press("Control+z")
    canvas.page.wait_for_function(
        "() => window.app.graph._nodes.some(({ comfyClass }) => comfyClass === 'IIG_AutoPipeline')", timeout=STEP_MS
    )
    assert canvas.classes() == before


def test_a_picture_brings_its_plan_back(site: Site, canvas: Canvas, tmp_path: Path) -> None:
    canvas.load_template("auto_pipeline", prompt=PROMPT, seed=33)
    entry = canvas.queue_and_wait()
    made = site.picture(entry)
    file = tmp_path / "made.png"
    [image, *_] = [image for output in entry["outputs"].values() for image in output.get("images", ())]
    file.write_bytes(requests.get(f"{site.url}/view", params=image, timeout=30).content)
    canvas.load_template("auto_pipeline", prompt="something else", seed=1)
    with canvas.page.expect_file_chooser() as chooser:
        canvas.command("IIG.Fold")
    chooser.value.set_files(file)
    canvas.page.wait_for_function(
        """(prompt) => window.app.graph._nodes.some(({ comfyClass, widgets }) => comfyClass === "IIG_AutoPipeline"
        && widgets.find(({ name }) => name === "prompt").value === prompt)""",
        arg=PROMPT,
        timeout=STEP_MS,
    )
    again = site.picture(canvas.queue_and_wait())
    assert again.pixels == made.pixels
