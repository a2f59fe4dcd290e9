"""The repository root is the package, under an arbitrary folder name: load it once by path as ``pack``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
HOST_IDS = ("ComfyUI-0.3.64", "ComfyUI")  # as tests/host names them, the longer first


def _load_pack() -> None:
    if "pack" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location("pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["pack"] = module
    spec.loader.exec_module(module)


_load_pack()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Work is dealt out by file and host, in the order of collection: a worker keeps its ComfyUI for as many files as it can."""
    from xdist.scheduler import LoadFileScheduling

    class ByFileAndHost(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            return f"{file} {next((name for name in HOST_IDS if f'[{name}' in test), '')}"

    config.option.loadscopereorder = False
    return ByFileAndHost(config, log) if config.option.dist == "loadfile" else None


SKIPPED = {
    "no ComfyUI host": (
        "NO COMFYUI HOST",
        "a real ComfyUI",
        "Set COMFYUI_PATH (or COMFYUI_PATHS) to ComfyUI's folder and run again.",
    ),
    "no browser": (
        "NO BROWSER",
        "Chromium",
        "Install Debian's chromium, or set CHROMIUM to a Chromium or Chrome, and run again.",
    ),
}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for reason, (title, what, how) in SKIPPED.items():
        skipped = [report for report in terminalreporter.stats.get("skipped", []) if reason in str(report.longrepr)]
        if skipped:
            terminalreporter.section(title, sep="!")
            terminalreporter.line(f"{len(skipped)} tests that need {what} were SKIPPED.")
            terminalreporter.line(how)
