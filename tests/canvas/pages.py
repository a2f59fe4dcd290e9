"""ComfyUI's page as a person has it before them, driven by Playwright; and what of its console is ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Response

ROOT = Path(__file__).parent.parent.parent
OURS = re.compile(
    r"/extensions/intelligent-generation/|/intelligent_generation/|IIG|intelligent_generation|IntelligentGeneration"
)
SCRIPTS = "/extensions/intelligent-generation/"
BESIDE_PX = 360  # what the sidebar takes when it is open
READY_MS, STEP_MS, RUN_S = 120_000, 20_000, 180.0
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]
IS_READY = """() => window.app?.graph?._nodes.length && window.app.extensionManager?.command?.commands
    ?.some(({ id }) => id === "Workspace.ToggleSidebarTab.intelligent-generation")"""


def chromium() -> str | None:
    """The browser to test in: ``$CHROMIUM``, or what the system has."""
    named = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in named if name and (found := shutil.which(name))), None)


@dataclass
class Canvas:
    """One tab with ComfyUI in it. ``faults`` are the errors and warnings of its console that concern the pack,
    ``scripts`` the addresses of the pack's files that the page asked for."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)
    scripts: set[str] = field(default_factory=set)

    def open(self) -> Canvas:
        """Load the page, or load it again as F5 does."""
        self.page.goto(self.url)
        self.page.wait_for_function(IS_READY, timeout=READY_MS)
        return self

    # ------------------------------------------------------------------ the graph

    def load_template(self, name: str, **widgets: Any) -> None:
        """A workflow the pack ships, small and quick; ``widgets`` are Auto Pipeline's."""
        graph = json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
        self.page.evaluate("(graph) => window.app.loadGraphData(graph)", graph)
        self.page.wait_for_function("(count) => window.app.graph._nodes.length === count", arg=len(graph["nodes"]))
        small = {"width": 64, "height": 64, "steps": 4, "reader": "rules", "checkpoint": "toy_sd15.safetensors"}
        self.set_widgets("IIG_AutoPipeline", **{**small, **widgets})
        self.page.evaluate("(beside) => Object.assign(window.app.canvas.ds, { scale: 1, offset: [beside, 0] })", BESIDE_PX)

    def drop_node(self, kind: str, x: int = 200, y: int = 100) -> int:
        """A new node of a class on the canvas, as the menu adds it; its id."""
        return int(
            self.page.evaluate(
                """([kind, x, y]) => { const node = window.LiteGraph.createNode(kind); node.pos = [x, y];
                window.app.graph.add(node); return node.id; }""",
                [kind, x, y],
            )
        )

    def wire(self, source: int, output: int, target: int, name: str) -> None:
        self.page.evaluate(
            """([source, output, target, name]) => { const graph = window.app.graph, to = graph.getNodeById(target);
            graph.getNodeById(source).connect(output, to, to.inputs.findIndex((each) => each.name === name)); }""",
            [source, output, target, name],
        )

    def set_widgets(self, kind: str, **values: Any) -> None:
        """Type values into the widgets of every node of a class."""
        self.page.evaluate(
            """([kind, values]) => { for (const node of window.app.graph._nodes) if (node.comfyClass === kind)
            for (const [name, value] of Object.entries(values)) { const found = node.widgets.find((each) => each.name === name);
            found.value = value; found.callback?.(value, window.app.canvas, node); } }""",
            [kind, values],
        )

    def widget(self, kind: str, name: str) -> Any:
        return self.page.evaluate(
            """([kind, name]) => window.app.graph._nodes.find((node) => node.comfyClass === kind)
            ?.widgets.find((each) => each.name === name)?.value""",
            [kind, name],
        )

    def classes(self) -> list[str]:
        return sorted(self.page.evaluate("() => window.app.graph._nodes.map((node) => node.comfyClass ?? node.type)"))

    # ------------------------------------------------------------------ running

    def queue_and_wait(self) -> dict[str, Any]:
        """Press Run; the history entry of the prompt that ended last."""
        before = set(self._history())
        self.page.evaluate("() => window.app.queuePrompt(0, 1)")
        return self.wait_for_run(before)

    def wait_for_run(self, before: set[str]) -> dict[str, Any]:
        """The first prompt that ended and is not among ``before``. Raises ``TimeoutError``."""
        end = time.monotonic() + RUN_S
        while time.monotonic() < end:
            for prompt_id, entry in self._history().items():
                if prompt_id not in before and entry["status"].get("completed") is not None:
                    return entry
            self.page.wait_for_timeout(200)
        raise TimeoutError("no run ended")

    def ran(self) -> set[str]:
        return set(self._history())

    def _history(self) -> dict[str, Any]:
        return requests.get(f"{self.url}/history", timeout=30).json()

    # ------------------------------------------------------------------ the panel

    def panel(self, view: str) -> Locator:
        """The sidebar panel on a view."""
        self.command(f"IIG.Show.{view}")
        self.page.wait_for_selector(f".iig-tabs [data-view={view}][aria-selected=true]", timeout=STEP_MS)
        self.page.wait_for_selector("#iig-view > :not(p.quiet)", state="attached", timeout=STEP_MS)
        return self.page.locator("#iig-view")

    def close_panel(self) -> None:
        if self.page.locator("#iig-view").count():
            self.command("Workspace.ToggleSidebarTab.intelligent-generation")
            self.page.wait_for_selector("#iig-view", state="detached", timeout=STEP_MS)

    def command(self, name: str) -> None:
        self.page.evaluate("(name) => { window.app.extensionManager.command.execute(name); }", name)

    def setting(self, name: str, value: Any) -> None:
        self.page.evaluate("([name, value]) => window.app.extensionManager.setting.set(name, value)", [name, value])

    def screenshot(self, name: str, **options: Any) -> Path:
        """A picture of the page in ``$IIG_SCREENSHOTS``, else wherever temporary files are."""
        folder = Path(os.environ.get("IIG_SCREENSHOTS") or os.environ.get("TMPDIR") or "/tmp")
        path = folder / f"{name}.png"
        self.page.screenshot(path=path, **options)
        return path

    # ------------------------------------------------------------------ the console

    def listen(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda fault: self._keep("uncaught", f"{fault} {fault.stack or ''}"))
        self.page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._keep(message.type, f"{message.text} ({message.location.get('url', '')})")

    def _keep(self, kind: str, text: str) -> None:
        if OURS.search(text):
            self.faults.append(f"{kind}: {text}")

    def _response(self, answer: Response) -> None:
        if SCRIPTS in answer.url:
            self.scripts.add(answer.url)

    def script_bytes(self) -> int:
        """The size of all of the pack's files that the page asked for, as they lie on the disk."""
        return sum(len(requests.get(url, timeout=30).content) for url in self.scripts)


@contextmanager
def tab(browser: Browser, url: str, width: int = 1500, height: int = 900, **options: Any) -> Iterator[Canvas]:
    """A tab of a browser window of its own: its own storage, as a second person's."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    canvas = Canvas(context.new_page(), url)
    canvas.listen()
    try:
        yield canvas
    finally:
        context.close()
