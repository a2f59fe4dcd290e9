"""Whether many prompts leave anything behind: toy checkpoints in turn through Auto Pipeline on a real ComfyUI.

    python bench/pool.py [--prompts 200] [--checkpoints 3] [--quick] [--pool-gb GB] [--arguments "--cache-none"] [HOST …]

HOST is a ComfyUI folder (default: COMFYUI_PATHS, else ~/comfy/ComfyUI and ~/comfy/ComfyUI-0.3.64). Each prompt is a picture
of 64x64 in one step with a seed of its own. After each, the resident memory of ComfyUI's process is read; the first quarter
warms up, over the rest a line is laid (least squares): its slope is what a prompt leaves behind. With --pool-gb too small
for all of them, checkpoints leave and come back all the time. The last line of output is one JSON object.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WARMING = 4  # one in so many prompts


def load(name: str, path: Path) -> Any:
    """A module by its path, once; the package is its root under an arbitrary folder name."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(path.parent)])
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def testing() -> Any:
    """How the tests start a host: which ones, and with what around them."""
    return load("host_tests", ROOT / "tests" / "host" / "conftest.py")


def write_checkpoints(folder: Path, count: int) -> list[str]:
    """The toy under several names: other files to ComfyUI and to the pool."""
    from pack.demo.write import write_models

    write_models(folder)
    toy = folder / "checkpoints" / "toy_sd15.safetensors"
    names = [f"bench_{place}.safetensors" for place in range(count)]
    for name in names:
        os.link(toy, toy.with_name(name))
    return names


def resident_kb(pid: int) -> int:
    """Linux: what is in RAM of the process now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def slope(values: list[int]) -> float:
    """Of the line through the values at 0, 1, 2 …, by least squares."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    above = sum((place - middle) * (value - mean) for place, value in enumerate(values))
    return above / sum((place - middle) ** 2 for place in range(len(values)))


def graph(checkpoint: str, seed: int) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((ROOT / "workflows" / "api" / "auto_pipeline.json").read_text(encoding="utf-8"))
    widgets = {"prompt": "a red fox", "checkpoint": checkpoint, "seed": seed, "width": 64, "height": 64, "steps": 1}
    made["1"]["inputs"] |= {**widgets, "reader": "rules", "max_loras": 0}
    return made


def measure(place: Path, models: Path, names: list[str], options: argparse.Namespace) -> dict[str, Any]:
    from pack.client import Client
    from pack.serve import serving

    environ = testing().environ_of(place)
    if options.pool_gb is not None:
        environ["INTELLIGENT_GENERATION_MEMORY_POOL_GB"] = str(options.pool_gb)
    arguments = ["--cpu", "--disable-api-nodes", *options.arguments.split()]
    with serving(place, pack=ROOT, models=models, arguments=arguments, environ=environ) as server:
        client, held, began = Client(server.url), [], time.monotonic()
        for seed in range(options.prompts):
            client.run(graph(names[seed % len(names)], seed))
            held.append(resident_kb(server.pid))
            if seed % 20 == 19:
                print(f"{place.name}: {seed + 1} prompts, {held[-1] / 1024:.0f} MB", flush=True)
        told = client.get("/intelligent_generation/memory")
        seconds = time.monotonic() - began
    return figures(held, told, seconds)


def figures(held: list[int], told: dict[str, Any], seconds: float) -> dict[str, Any]:
    pool, steady = told["pool"], held[len(held) // WARMING :]
    asked = pool["hits"] + pool["misses"]
    return {
        "prompts": len(held),
        "seconds_per_prompt": round(seconds / len(held), 3),
        "rss_mb": {"first": held[0] // 1024, "warm": steady[0] // 1024, "last": held[-1] // 1024, "most": max(held) // 1024},
        "slope_kb_per_prompt": round(slope(steady), 1),
        "entries": len(pool["entries"]),
        "pool_mb": pool["size_bytes"] >> 20,
        "loads": pool["misses"],
        "evictions": pool["evictions"],
        "hit_rate": round(pool["hits"] / asked, 3) if asked else None,
        "models_in_comfyui": len(told["models"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hosts", nargs="*", type=Path)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--checkpoints", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="30 prompts")
    parser.add_argument("--pool-gb", type=float, help="limit of the pool")
    parser.add_argument("--arguments", default="", help="more arguments for ComfyUI")
    options = parser.parse_args()
    options.prompts = 30 if options.quick else options.prompts
    load("pack", ROOT / "__init__.py")
    with tempfile.TemporaryDirectory(prefix="bench-pool-") as folder:
        names = write_checkpoints(Path(folder), options.checkpoints)
        found = {place.name: measure(place, Path(folder), names, options) for place in options.hosts or testing().hosts()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
