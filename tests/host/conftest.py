"""Real ComfyUI servers on CPU with toy models: every host in COMFYUI_PATHS, by default those that are there."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import requests
from pack.client import Client, Run
from pack.demo.write import write_models
from pack.local import CACHE
from pack.plan import Generation, Plan
from pack.serve import Server, serving
from pack.values import from_json

ROOT = Path(__file__).parent.parent.parent
SAVE, AUTO = "2", "1"
# The hosts compute on the processor, so that tests take the same everywhere; "" has them find a GPU. Those that watch
# models leave it need "--disable-dynamic-vram" on hosts that move weights by themselves.
DEVICE_ARGUMENTS = os.environ.get("INTELLIGENT_GENERATION_TEST_DEVICE", "--cpu").split()


def hosts() -> list[Path]:
    """The ComfyUI checkouts to test on."""
    named = os.environ.get("COMFYUI_PATHS")
    if named:
        return [Path(place) for place in named.split(os.pathsep)]
    usual = [Path.home() / "comfy" / name for name in ("ComfyUI", "ComfyUI-0.3.64")]
    found = [place for place in usual if (place / "main.py").is_file()]
    single = os.environ.get("COMFYUI_PATH")
    return found or ([Path(single)] if single else [])


def web_packages(place: Path) -> Path | None:
    """One environment serves several hosts, but each pins its own frontend, templates and docs: where they
    differ from what is installed, they are installed aside, to come first on this host's path."""
    pins = dict(re.findall(r"^(comfyui-[a-z-]+)==([\d.]+)", (place / "requirements.txt").read_text(), re.MULTILINE))
    if all(version(name) == pinned for name, pinned in pins.items()):
        return None
    aside = CACHE / "web-packages" / "-".join(pins.values())
    if not (aside / "complete").exists():
        wanted = [f"{name}=={pinned}" for name, pinned in pins.items()]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade"]
        subprocess.run([*pip, "--target", str(aside), *wanted], check=True)
        (aside / "complete").touch()
    return aside


def environ_of(place: Path) -> dict[str, str]:
    """The variables a host of the tests runs with. Text vectors are off: they arrive when they are ready, and
    tests must not depend on when."""
    aside = web_packages(place)
    fixed = {"OMP_NUM_THREADS": "1", "INTELLIGENT_GENERATION_EMBEDDING_MODEL": "none"}
    return {**fixed, **({"PYTHONPATH": str(aside)} if aside else {})}


@dataclass(frozen=True)
class Host:
    """A running ComfyUI with the pack and the toy models."""

    place: Path
    server: Server
    client: Client

    @property
    def version(self) -> tuple[int, ...]:
        text = self.client.get("/system_stats")["system"]["comfyui_version"]
        return tuple(int(part) for part in text.split(".")[:3])

    def auto(self, **widgets: Any) -> Run:
        """Queue Auto Pipeline → Save Image with Plan."""
        return self.client.run(auto_graph(**widgets))

    def upload(self, raw: bytes, name: str) -> str:
        """Put a file into the host's input folder; the name it goes by."""
        answer = requests.post(f"{self.client.url}/upload/image", files={"image": (name, raw)}, timeout=30)
        return str(answer.json()["name"])

    def picture(self, run: Run) -> Picture:
        return Picture(self.client.image(run.images()[0]))


class Picture:
    """A PNG as ComfyUI returned it."""

    def __init__(self, raw: bytes) -> None:
        from PIL import Image

        self.image = Image.open(io.BytesIO(raw))
        self.image.load()
        self.texts: dict[str, str] = dict(getattr(self.image, "text", {}))

    @property
    def pixels(self) -> bytes:
        return self.image.convert("RGB").tobytes()

    @property
    def plan(self) -> Plan:
        return self.generation.plan

    @property
    def generation(self) -> Generation:
        return from_json(Generation, self.texts["intelligent_generation"])

    def mean(self) -> tuple[float, ...]:
        from PIL import ImageStat

        return tuple(ImageStat.Stat(self.image.convert("RGB")).mean)


def auto_graph(**widgets: Any) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads((ROOT / "workflows" / "api" / "auto_pipeline.json").read_text(encoding="utf-8"))
    graph[AUTO]["inputs"].update({"width": 64, "height": 64, "steps": 4, "reader": "rules", **widgets})
    return graph


@pytest.fixture(scope="session")
def toy_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


@pytest.fixture(scope="session", params=hosts() or [None], ids=lambda place: place.name if place else "no-host")
def host(request: pytest.FixtureRequest, toy_models: Path) -> Iterator[Host]:
    if request.param is None:
        pytest.skip("no ComfyUI host: set COMFYUI_PATH or COMFYUI_PATHS")
    arguments = [*DEVICE_ARGUMENTS, "--disable-api-nodes"]
    environ = environ_of(request.param)
    with serving(request.param, pack=ROOT, models=toy_models, arguments=arguments, environ=environ) as server:
        yield Host(request.param, server, Client(server.url))
