"""The main job without a canvas: on this machine, with ComfyUI when there is one, with a plan and a ready
workflow when there is none."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .client import Client
from .demo.write import write_demo
from .errors import sentence
from .files import write_whole
from .graph import api
from .hub.registry import Registry
from .intelligence.analyze import analyze
from .intelligence.explain import explain
from .pipeline import make_plan
from .plan import GIB, Constraints, Fixed, Kind, Library, Machine, Mode, Plan, Request, Taste, Verbosity
from .serve import cpu_arguments, serving
from .values import to_json

ROOT = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "intelligent-generation"
TOY_SIDE = 256  # pixels
RUN_NAME = "intelligent-generation-run"
# ComfyUI looks into these folders too: folder_paths.py.
FOLDERS = {
    Kind.DIFFUSION_MODEL: ("diffusion_models", "unet"),
    Kind.TEXT_ENCODER: ("text_encoders", "clip"),
    Kind.CONTROLNET: ("controlnet", "t2i_adapter"),
}
MODEL_NODE, SAVE_NODE = "1", "2"  # the two nodes of workflows/api/auto_pipeline.json


def run_locally(request: Request, options: argparse.Namespace) -> int:
    """``run``: a picture where there is a ComfyUI, else the plan and its workflow. 0 in both cases."""
    if not options.comfyui:
        return _without_comfyui(request, options)
    comfyui, toy = Path(options.comfyui), toy_folder(options)
    if toy:
        print(sentence("terminal", "toy", request.language, {"place": comfyui / "models"}), file=sys.stderr)
        request = replace(request, fixed=_toy_size(request.fixed))
    pictures = options.output.resolve()
    places = {"pack": ROOT, "pack_name": RUN_NAME, "models": toy or options.models, "output": pictures}
    with serving(comfyui, arguments=_arguments(), **places) as server:
        run = Client(server.url).run(workflow(request, options.verbosity), Progress().follow)
    print("\n".join(run.outputs[SAVE_NODE]["text"]))
    for image in run.outputs[SAVE_NODE]["images"]:
        print(pictures / image["subfolder"] / image["filename"])
    return 0


def _toy_size(fixed: Fixed) -> Fixed:
    """A toy has nothing to show in a large picture; a CPU would draw minutes at it."""
    return fixed if fixed.width or fixed.height else replace(fixed, width=TOY_SIDE, height=TOY_SIDE)


def workflow(request: Request, verbosity: str = "standard", seed: int = 0, accepted: Plan | None = None) -> dict[str, Any]:
    """The API-format workflow that makes this request: an Auto Pipeline, with ``accepted`` where a plan is
    there already, and a Save Image with Plan."""
    graph: dict[str, Any] = json.loads((ROOT / "workflows" / "api" / "auto_pipeline.json").read_text(encoding="utf-8"))
    asked = {"prompt": request.prompt, "negative": request.negative, "checkpoint": request.checkpoint, "seed": seed}
    inputs = graph[MODEL_NODE]["inputs"]
    for widgets in (asked, vars(request.fixed), _limits(request.constraints)):
        inputs.update({name: value for name, value in widgets.items() if value is not None})
    mode = Mode.AUTO if request.mode is Mode.ASSISTED else request.mode  # an accepted plan needs nobody's consent
    inputs.update(mode=mode.value, priority=request.priority.value, language=request.language, verbosity=verbosity)
    if accepted:
        inputs["accepted_plan"] = to_json(accepted)
    graph[SAVE_NODE]["inputs"].update(language=request.language, verbosity=verbosity)
    return graph


def _limits(limits: Constraints) -> dict[str, Any]:
    """Constraints as the widgets of an Auto Pipeline."""
    return {
        "max_loras": limits.max_loras,
        "max_vram_gb": limits.max_vram_bytes and limits.max_vram_bytes / GIB,
        "max_seconds": limits.max_seconds,
        "max_steps": limits.max_steps,
        "max_megapixels": limits.max_pixels and limits.max_pixels / 1e6,
        "blocked": ", ".join((*limits.blocked_tags, *limits.blocked_ids)),
        "allow_nsfw": limits.allow_nsfw,
    }


def toy_folder(options: argparse.Namespace) -> Path | None:
    """The toy models, written when there is no usable model of the person's own."""
    library = local_library(options)
    if library.of(Kind.CHECKPOINT) or library.of(Kind.DIFFUSION_MODEL):
        return None
    folder = CACHE / "toy-models"
    write_demo(folder)
    return folder


def local_library(options: argparse.Namespace) -> Library:
    """What lies in ``--models``, or in the ComfyUI's own models folder."""
    if options.models:
        return scanned(options.models)
    if not options.comfyui:
        return Library()
    comfyui = Path(options.comfyui)
    return scanned(comfyui / "models", extra_folders(comfyui / "extra_model_paths.yaml"))


def extra_folders(listed: Path) -> dict[str, list[Path]]:
    """Folders by category from ComfyUI's ``extra_model_paths.yaml``; none where it is missing or broken."""
    import yaml

    try:
        sections = yaml.safe_load(listed.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError):
        return {}
    folders: dict[str, list[Path]] = {}
    for section in (section for section in sections.values() if isinstance(section, dict)):
        base = listed.parent / os.path.expanduser(section.get("base_path", "") or "")
        for category, lines in section.items():
            folders.setdefault(category, []).extend(base / line for line in str(lines).splitlines() if line.strip())
    return folders


def scanned(place: Path, extra: Mapping[str, Sequence[Path]] = MappingProxyType({})) -> Library:
    """The library below a models folder laid out as ComfyUI's, older folder names and ``extra`` folders included."""
    folders = {
        kind: [folder for name in FOLDERS.get(kind, (kind.value,)) for folder in (place / name, *extra.get(name, ()))]
        for kind in Kind
    }
    name = hashlib.sha256(str(place.resolve()).encode()).hexdigest()[:12]
    registry = Registry(CACHE / "libraries" / f"{name}.sqlite", folders)
    registry.scan()
    return registry.library()


def plan_locally(request: Request, options: argparse.Namespace) -> Plan:
    """The plan as this machine's disk allows it, toy models where there are no others."""
    library = local_library(options)
    if not (library.of(Kind.CHECKPOINT) or library.of(Kind.DIFFUSION_MODEL)):
        toy = toy_folder(options)
        library = scanned(toy) if toy else library
    return make_plan(request, analyze(request.prompt), library, Taste(), Machine())


def _without_comfyui(request: Request, options: argparse.Namespace) -> int:
    plan = plan_locally(request, options)
    print(explain(plan, Verbosity(options.verbosity), request.language))
    path = options.output.resolve() / "workflow_api.json"
    write_whole(path, json.dumps(api(plan, 0, "IIG"), indent=2, ensure_ascii=False) + "\n")
    print(sentence("terminal", "no_comfyui", request.language, {"path": path}))
    return 0


def _arguments() -> list[str]:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) // 2)))
    # This checkout and no other pack: another copy of it may lie in the same ComfyUI.
    return [*cpu_arguments(), "--disable-api-nodes", "--disable-all-custom-nodes", "--whitelist-custom-nodes", RUN_NAME]


class Progress:
    """One line of the terminal that follows a run."""

    def __init__(self) -> None:
        self.width = min(shutil.get_terminal_size().columns, 100)

    def follow(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "progress":
            done = 20 * data["value"] // max(data["max"], 1)
            self._show(f"[{'#' * done}{'.' * (20 - done)}] {data['value']}/{data['max']}")
        elif kind == "executing" and data.get("node"):
            self._show(str(data["node"]).rsplit(".", 1)[-1])
        elif kind == "execution_success":
            self._show("")

    def _show(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{text[: self.width]:{self.width}}", end="\n" if not text else "", file=sys.stderr, flush=True)
