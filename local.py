"""The main job without a canvas: on this machine, with ComfyUI when there is one, with a plan and a ready
workflow when there is none."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .client import Client
from .demo.write import write_demo
from .errors import BadRequest, sentence
from .files import write_whole
from .graph import api
from .hub.registry import Registry
from .intelligence.analyze import analyze
from .intelligence.explain import explain
from .pipeline import make_plan
from .plan import GIB, Constraints, Fixed, Kind, Library, Machine, Mode, Plan, Request, Taste, Verbosity
from .serve import cpu_arguments, serving
from .terminal import tell_retry
from .values import to_json

if TYPE_CHECKING:
    from .hub.desk import Desk

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
    if not (options.models or options.comfyui):
        return Library()
    registry = local_registry(options)
    registry.scan()
    return registry.library()


def local_registry(options: argparse.Namespace) -> Registry:
    """The registry of the models in the person's place: with ComfyUI the one that it uses itself."""
    return Registry(data_folder(options) / "library.sqlite", model_folders(options))


def local_desk(options: argparse.Namespace, needs_place: bool = True) -> Desk:
    """The hubs as seen from the person's place, unscanned. Raises ``BadRequest`` where a folder that was named is not
    there, or, with ``needs_place``, none was named."""
    from .hub.desk import Desk

    for place in filter(None, (options.comfyui, options.models)):
        if not Path(place).is_dir():
            raise BadRequest("place_missing", path=str(place))
    if needs_place and not (options.comfyui or options.models):
        raise BadRequest("place_unnamed")
    return Desk(data_folder(options), local_registry(options))


def data_folder(options: argparse.Namespace) -> Path:
    """Where what the pack stores lies: with ComfyUI its user folder, so that both share keys, queue and cards; else a
    folder of the cache that belongs to the models' place."""
    if options.comfyui and Path(options.comfyui).is_dir():
        return Path(options.comfyui).resolve() / "user" / "__intelligent_generation"
    place = options.models or options.comfyui
    return CACHE / "libraries" / _short_hash(Path(place).resolve()) if place else CACHE / "hubs"


def model_folders(options: argparse.Namespace) -> dict[Kind, list[Path]]:
    """The folders of each kind in ``--models``, or in the ComfyUI's own models folder with what its
    ``extra_model_paths.yaml`` adds; none where no place is named."""
    if options.models:
        return folders_below(Path(options.models).resolve())
    if not options.comfyui:
        return {}
    comfyui = Path(options.comfyui).resolve()
    return folders_below(comfyui / "models", extra_folders(comfyui / "extra_model_paths.yaml"))


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


def folders_below(place: Path, extra: Mapping[str, Sequence[Path]] = MappingProxyType({})) -> dict[Kind, list[Path]]:
    """The folders of a models folder laid out as ComfyUI's, older folder names and ``extra`` folders included."""
    return {
        kind: [folder for name in FOLDERS.get(kind, (kind.value,)) for folder in (place / name, *extra.get(name, ()))]
        for kind in Kind
    }


def scanned(place: Path) -> Library:
    """The library below a models folder."""
    registry = Registry(CACHE / "libraries" / f"{_short_hash(place.resolve())}.sqlite", folders_below(place))
    registry.scan()
    return registry.library()


def _short_hash(place: Path) -> str:
    return hashlib.sha256(str(place).encode()).hexdigest()[:12]


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


def machine_here(comfyui: Path | None) -> Machine:
    """This machine, as far as it can be told without ComfyUI running: memory in whole GiB, 0 where it is not known."""
    ram_bytes = _ram_bytes()
    device, vram_bytes = _graphics_card(ram_bytes)
    return Machine(device, vram_bytes // GIB * GIB, ram_bytes // GIB * GIB, _version_of(comfyui))


def _ram_bytes() -> int:
    try:
        import psutil
    except ImportError:
        names = getattr(os, "sysconf_names", {})
        known = "SC_PHYS_PAGES" in names and "SC_PAGE_SIZE" in names
        return max(0, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) if known else 0
    return int(psutil.virtual_memory().available)


def _graphics_card(ram_bytes: int) -> tuple[str, int]:
    """Device and its memory; a card whose memory cannot be asked for counts as one of unknown size."""
    if asked := shutil.which("nvidia-smi"):
        query = [asked, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        try:
            told = subprocess.run(query, capture_output=True, text=True, timeout=5, check=True).stdout.split()
        except (OSError, subprocess.SubprocessError):
            return "cuda", 0
        return "cuda", int(told[0]) * 1024**2 if told and told[0].isdigit() else 0  # ComfyUI takes the first card
    if sys.platform == "darwin":
        return "mps", ram_bytes  # one memory for both
    unknown = sys.platform == "win32" or Path("/dev/kfd").exists() or Path("/dev/dxg").exists()
    return ("cuda", 0) if unknown else ("cpu", 0)


def _version_of(comfyui: Path | None) -> str:
    try:
        told = (Path(comfyui) / "comfyui_version.py").read_text(encoding="utf-8") if comfyui else ""
    except (OSError, ValueError):
        told = ""
    found = re.search(r"__version__ = [\"']([\w.]+)[\"']", told)
    return found[1] if found else Machine().host_version


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
        tell_retry(kind, data)

    def _show(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{text[: self.width]:{self.width}}", end="\n" if not text else "", file=sys.stderr, flush=True)
