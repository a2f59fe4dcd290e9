"""A LoRA is searched at the stand-in hub, confirmed, paused, gone on with, verified and in the library."""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path

from playwright.sync_api import expect

from .conftest import Site
from .pages import STEP_MS, Canvas

FILLING = 8_000_000  # several of the pieces in which a download is kept


def lora(salt: str) -> bytes:
    """An SD 1.5 LoRA that the pack recognises."""
    import json

    block = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    shapes = {f"{block}.lora_down.weight": (4, 768), f"{block}.lora_up.weight": (320, 4), "filling": (1, FILLING // 2)}
    header: dict = {"__metadata__": {"salt": salt}}
    at = 0
    for name, (rows, columns) in shapes.items():
        header[name] = {"dtype": "F16", "shape": [rows, columns], "data_offsets": [at, at + 2 * rows * columns]}
        at += 2 * rows * columns
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + bytes(at)


def test_paused_gone_on_with_and_verified(site: Site, canvas: Canvas) -> None:
    from standin import Fault

    content = lora("inkwash")
    version = {"baseModel": "SD 1.5", "trainedWords": ["inkwash style"]}
    site.hubs.civitai.add({"inkwash.safetensors": content}, type="LORA", name="inkwash", version=version)
    site.hubs.cdn.fault("*inkwash*", Fault(drip=(400_000, 0.4)), times=1)
    view = canvas.panel("hub")
    view.locator("form input[type=search]").fill("inkwash")
    view.locator("form button[type=submit]").click()
    card = view.locator("[data-ref]").first
    expect(card).to_be_visible(timeout=STEP_MS)
    canvas.screenshot(f"hub-{site.place.name}")
    card.locator("button.main").click()
    dialog = canvas.page.locator("dialog.iig")
    expect(dialog).to_contain_text(hashlib.sha256(content).hexdigest()[:12], timeout=STEP_MS, ignore_case=True)
    canvas.screenshot(f"confirm-{site.place.name}")
    dialog.locator("button.main").click()
    strip = view.locator("[data-download]").first
    kept = strip.locator("[role=progressbar]")
    expect(kept).to_have_attribute("aria-valuenow", re.compile("[2-9][0-9]"), timeout=STEP_MS)
    strip.locator("[data-act=pause]").click(timeout=STEP_MS)
    expect(strip.locator("[data-act=resume]")).to_be_visible(timeout=STEP_MS)
    here = site.models / "loras" / "inkwash.safetensors"
    assert not here.exists()
    canvas.screenshot(f"paused-{site.place.name}")
    strip.locator("[data-act=resume]").click()
    wait_for(canvas, here)
    assert here.read_bytes() == content
    assert any("range" in each.headers for each in site.hubs.cdn.asked("*inkwash*"))
    library = canvas.panel("library")
    library.locator("input[type=search]").fill("inkwash")
    expect(library.locator("[data-index]").first).to_contain_text("inkwash", timeout=STEP_MS)
    here.unlink()


def wait_for(canvas: Canvas, path: Path) -> None:
    for _ in range(STEP_MS // 100):
        if path.exists():
            return
        canvas.page.wait_for_timeout(100)
    raise TimeoutError(path)
