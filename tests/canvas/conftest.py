"""A real browser on real servers: every host of tests/host, the toy models, and stand-ins for the hubs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from pack.client import Client
from pack.demo.write import write_models
from pack.serve import Server, serving

from ..host.conftest import ROOT, Picture, environ_of, hosts

sys.path.insert(0, str(ROOT / "tests" / "hub"))
from standin import StandIn

NO_KEYS = dict.fromkeys(("CIVITAI_API_KEY", "CIVITAI_API_TOKEN", "CIVITAI_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"), "")
SEEN = {"Comfy.Locale": "en", "Comfy.TutorialCompleted": True}


@dataclass(frozen=True)
class Site:
    """A running ComfyUI with the pack, the toy models and hubs that are stand-ins."""

    place: Path
    server: Server
    models: Path
    hubs: StandIn

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def client(self) -> Client:
        return Client(self.url)

    def setting(self, name: str, value: Any) -> None:
        """What the settings page would store; pages loaded from now on have it."""
        requests.post(f"{self.url}/settings/{name}", json=value, timeout=30).raise_for_status()

    def picture(self, entry: dict[str, Any]) -> Picture:
        """The first picture a run saved."""
        [image, *_] = [image for output in entry["outputs"].values() for image in output.get("images", ())]
        query = {name: image[name] for name in ("filename", "subfolder", "type")}
        return Picture(requests.get(f"{self.url}/view", params=query, timeout=30).content)


@pytest.fixture(scope="session", params=hosts() or [None], ids=lambda place: place.name if place else "no-host")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if request.param is None:
        pytest.skip("no ComfyUI host: set COMFYUI_PATH or COMFYUI_PATHS")
    if browser_path() is None:
        pytest.skip("no browser: install chromium or set CHROMIUM")
    home, models = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("models")
    write_models(models)
    with StandIn(home / "unused") as hubs:
        environ = {**environ_of(request.param), **NO_KEYS, "HF_HOME": str(home / "hf"), **hubs.environ()}
        arguments = ["--cpu", "--disable-api-nodes"]
        with serving(request.param, pack=ROOT, models=models, home=home, arguments=arguments, environ=environ) as server:
            made = Site(request.param, server, models, hubs)
            for name, value in SEEN.items():
                made.setting(name, value)
            yield made


def browser_path() -> str | None:
    try:
        from .pages import chromium
    except ModuleNotFoundError:
        return None
    return chromium()


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator[Any]:
    """For one file of tests: Playwright keeps an event loop running, which other files' tests must not find."""
    from playwright.sync_api import sync_playwright

    from .pages import ARGUMENTS

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def shared(site: Site, browser: Any) -> Iterator[Any]:
    """One tab for all tests of a file: loading the page takes as long as most of them."""
    from .pages import tab

    with tab(browser, site.url) as canvas:
        yield canvas.open()


@pytest.fixture
def canvas(shared: Any) -> Iterator[Any]:
    """The file's tab; the test fails on what the console says of the pack meanwhile."""
    shared.faults.clear()
    yield shared
    assert not shared.faults, "\n".join(shared.faults)
