"""The repository root is the package, under an arbitrary folder name: load it once by path as ``pack``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _load_pack() -> None:
    if "pack" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location("pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["pack"] = module
    spec.loader.exec_module(module)


_load_pack()


def pytest_terminal_summary(terminalreporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "no ComfyUI host" in str(report.longrepr)]
    if skipped:
        terminalreporter.section("NO COMFYUI HOST", sep="!")
        terminalreporter.line(f"{len(skipped)} tests that need a real ComfyUI were SKIPPED.")
        terminalreporter.line("Set COMFYUI_PATH (or COMFYUI_PATHS) to ComfyUI's folder and run again.")
