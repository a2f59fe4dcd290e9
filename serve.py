"""A ComfyUI of our own: started headless on a free loopback port, ended when we are done."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from .errors import Unreachable
from .plan import Kind

START_TIMEOUT_S = 600  # on a busy machine; one that ends is noticed at once


@dataclass(frozen=True)
class Server:
    """A running ComfyUI; ``log`` is the file its output goes to."""

    url: str
    pid: int
    log: Path
    output: Path


@contextmanager
def serving(
    comfyui: Path,
    *,
    pack: Path | None = None,
    pack_name: str = "intelligent-generation",
    models: Path | None = None,
    home: Path | None = None,
    output: Path | None = None,
    arguments: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run ComfyUI with this pack (a link called ``pack_name`` in a custom-nodes folder of our own) and, where given, the models
    below ``models`` beside its own. Everything it writes lies below ``home``. Raises ``Unreachable`` when it
    does not come up."""
    with tempfile.TemporaryDirectory(prefix="intelligent-generation-") as scratch:
        place = home or Path(scratch)
        pictures = output or place / "output"
        log = place / "comfyui.log"
        for folder in (pictures, place / "user", place / "temp", place / "input", place / "custom_nodes"):
            folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        command = [sys.executable, "main.py", "--listen", "127.0.0.1", "--port", str(port), "--disable-auto-launch"]
        command += ["--output-directory", str(pictures), "--user-directory", str(place / "user")]
        command += ["--temp-directory", str(place / "temp"), "--input-directory", str(place / "input")]
        command += ["--extra-model-paths-config", str(_paths_file(place, models, pack, pack_name)), *arguments]
        variables = {**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})}
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(command, cwd=comfyui, stdout=out, stderr=subprocess.STDOUT, env=variables)
        server = Server(f"http://127.0.0.1:{port}", process.pid, log, pictures)
        try:
            _wait_until_up(server, process)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_arguments() -> list[str]:
    """``--cpu`` where torch finds no accelerator, nothing elsewhere."""
    import torch

    accelerated = torch.cuda.is_available() or torch.backends.mps.is_available()
    return [] if accelerated else ["--cpu"]


def _paths_file(place: Path, models: Path | None, pack: Path | None, pack_name: str) -> Path:
    import yaml

    folders: dict[str, object] = {kind.value: str(models / kind.value) for kind in Kind} if models else {}
    if models:
        folders["is_default"] = True  # what is downloaded goes there, not into that ComfyUI's own folders
    if pack:
        link = place / "custom_nodes" / pack_name
        if not link.exists():
            link.symlink_to(pack.resolve(), target_is_directory=True)
        folders["custom_nodes"] = str(place / "custom_nodes")
    path = place / "model_paths.yaml"
    path.write_text(yaml.safe_dump({"intelligent_generation": folders}, allow_unicode=True), encoding="utf-8")
    return path


def _wait_until_up(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(server.url):
            return
        time.sleep(0.2)
    tail = server.log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise Unreachable("comfyui_did_not_start", log=tail)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/system_stats", timeout=5).ok
    except requests.RequestException:
        return False
