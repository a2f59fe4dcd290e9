"""How fast the registry scans, beside merely opening and parsing the same files.

    python bench/scan.py [1000 10000 100000] [--flat] [--quick] [--keep DIR]

Writes sparse LoRA files with realistic headers (504 or more tensors, training tags) and two sidecars each into a temporary
folder, then measures for each size: the floor (open and parse every header and sidecar with the same parser),
the first scan, an ``os.scandir`` + stat walk, an unchanged rescan, building the library, and how long an event
loop in the same process has to wait while a scan runs. The last line of output is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import random
import resource
import shutil
import statistics
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PER_FOLDER = 100
WORDS = [
    "ink",
    "watercolor",
    "neon",
    "forest",
    "portrait",
    "armor",
    "dress",
    "city",
    "night",
    "soft",
    "light",
    "anime",
    "photo",
    "vintage",
    "detailed",
    "glowing",
    "robe",
    "castle",
]


def load_pack() -> None:
    if "pack" not in sys.modules:
        spec = importlib.util.spec_from_file_location("pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["pack"] = module
        spec.loader.exec_module(module)


# --------------------------------------------------------------------------- files


def lora_shapes() -> dict[str, tuple[int, ...]]:
    """A kohya SD 1.5 LoRA of the U-Net's and text encoder's attention and feed-forward layers and some convolutions."""
    shapes: dict[str, tuple[int, ...]] = {}
    for block in [f"down_blocks_{n}_attentions_{m}" for n in range(3) for m in range(2)] + ["mid_block_attentions_0"]:
        for layer in [f"attn{n}_to_{part}" for n in (1, 2) for part in ("q", "k", "v", "out_0")] + [
            "ff_net_0_proj",
            "ff_net_2",
        ]:
            width = 768 if layer in ("attn2_to_k", "attn2_to_v") else 320
            name = f"lora_unet_{block}_transformer_blocks_0_{layer}"
            shapes |= {f"{name}.alpha": (), f"{name}.lora_down.weight": (16, width), f"{name}.lora_up.weight": (320, 16)}
    for depth in range(12):
        for part in ("mlp_fc1", "mlp_fc2", *(f"self_attn_{each}_proj" for each in ("q", "k", "v", "out"))):
            name = f"lora_te_text_model_encoder_layers_{depth}_{part}"
            shapes |= {f"{name}.alpha": (), f"{name}.lora_down.weight": (16, 768), f"{name}.lora_up.weight": (768, 16)}
    for number in range(28):
        name = f"lora_unet_up_blocks_{number // 8}_resnets_{number % 8}_conv1"
        shapes |= {f"{name}.alpha": (), f"{name}.lora_down.weight": (16, 320, 3, 3), f"{name}.lora_up.weight": (320, 16, 1, 1)}
    return shapes


def tensor_header() -> tuple[dict[str, Any], int]:
    header: dict[str, Any] = {}
    at = 0
    for name, shape in lora_shapes().items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return header, at


def write_library(folder: Path, count: int, flat: bool) -> None:
    tensors, data_bytes = tensor_header()
    body = json.dumps(tensors, separators=(",", ":"))[1:].encode()
    chance = random.Random(count)
    for number in range(count):
        place = folder if flat else folder / f"set {number // PER_FOLDER:04}"
        place.mkdir(parents=True, exist_ok=True)
        words = chance.sample(WORDS, 3)
        stem = str(place / f"{words[0]}_{words[1]}_{number:06}")
        with open(f"{stem}.safetensors", "wb") as file:
            head = b'{"__metadata__":' + json.dumps(metadata(words, chance)).encode() + b"," + body
            file.write(struct.pack("<Q", len(head)) + head)
            file.truncate(8 + len(head) + data_bytes)
        Path(f"{stem}.civitai.info").write_text(json.dumps(hub_page(number, words, chance)))
        Path(f"{stem}.metadata.json").write_text(json.dumps(manager_page(number, words, 8 + len(head) + data_bytes)))


def metadata(words: list[str], chance: random.Random) -> dict[str, str]:
    tags = {f"{word} {other}": chance.randint(1, 90) for word in WORDS for other in words}
    return {
        "ss_base_model_version": "sd_v1",
        "ss_sd_model_name": "v1-5-pruned.safetensors",
        "ss_network_dim": "16",
        "ss_tag_frequency": json.dumps({f"10_{words[0]}": tags}),
        "modelspec.architecture": "stable-diffusion-v1/lora",
    }


def hub_page(number: int, words: list[str], chance: random.Random) -> dict[str, Any]:
    return {
        "id": number + 1,
        "modelId": 7 * number + 1,
        "name": "v1.0",
        "baseModel": "SD 1.5",
        "trainedWords": [", ".join(words), words[0]],
        "description": "<p>" + " ".join(chance.choices(WORDS, k=80)) + "</p><p>Use a weight of 0.6-0.8.</p>",
        "model": {"name": " ".join(words).title(), "type": "LORA", "nsfw": False, "poi": False, "tags": words},
        "stats": {"downloadCount": chance.randint(0, 100_000), "thumbsUpCount": chance.randint(0, 9000)},
        "images": [{"url": f"https://image.example/{number}/{n}.jpeg", "width": 512, "height": 768} for n in range(4)],
    }


def manager_page(number: int, words: list[str], size: int) -> dict[str, Any]:
    return {
        "file_name": f"{number:06}",
        "model_name": " ".join(words).title(),
        "size": size,
        "base_model": "SD 1.5",
        "tags": words,
        "usage_tips": '{"strength": 0.7}',
        "notes": "",
    }


# --------------------------------------------------------------------------- measurements


def floor(folder: Path) -> int:
    """Open and parse every header and sidecar, with the registry's parser and nothing else."""
    parsed = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(place, name), "rb", buffering=0) as file:
                if name.endswith(".safetensors"):
                    start = file.read(65_536)
                    length = int.from_bytes(start[:8], "little")
                    while len(start) < 8 + length:
                        start += file.read(8 + length - len(start))
                    json.loads(start[8 : 8 + length])
                else:
                    json.loads(file.read())
            parsed += 1
    return parsed


def stat_walk(folder: str) -> int:
    seen = 0
    with os.scandir(folder) as listing:
        for entry in listing:
            if entry.is_dir():
                seen += stat_walk(entry.path)
            else:
                entry.stat()
                seen += 1
    return seen


class Cost(NamedTuple):
    """Seconds by the clock, and of the processor alone: on a busy machine only the latter means much."""

    wall: float
    cpu: float

    def against(self, floor: Cost) -> dict[str, float]:
        return {"wall": round(self.wall / floor.wall, 2), "cpu": round(self.cpu / floor.cpu, 2)}


def timed(act: Callable[[], Any], rounds: int = 1) -> Cost:
    """The median of some rounds."""
    return median([_once(act) for _ in range(rounds)])


def _once(act: Callable[[], Any]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def median(costs: list[Cost]) -> Cost:
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


def longest_stall(act: Callable[[], Any]) -> float:
    """How long an event loop that only ticks has to wait at worst while ``act`` runs in a thread, in seconds."""

    async def tick() -> float:
        worst = 0.0
        thread = threading.Thread(target=act)
        thread.start()
        while thread.is_alive():
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - start - 0.001)
        return worst

    return asyncio.run(tick())


def measure(folder: Path, count: int, database: Path, rounds: int) -> dict[str, Any]:
    from pack.hub.registry import Registry  # type: ignore[import-not-found]
    from pack.plan import Kind  # type: ignore[import-not-found]

    def registry() -> Registry:
        return Registry(database, {Kind.LORA: [folder]})

    def first() -> None:
        for path in database.parent.glob(f"{database.stem}*"):
            path.unlink()
        fresh = registry()
        report = fresh.scan()
        fresh.close()
        assert report.read == count and not report.problems, report

    # The first pass also warms the page cache, so that both sides read memory.
    stalls = {"stall_floor_ms": longest_stall(lambda: floor(folder))}
    floors, firsts = [], []
    for _ in range(rounds):
        floors.append(timed(lambda: floor(folder)))
        firsts.append(timed(first))
    walking = timed(lambda: stat_walk(str(folder)), 3)
    rescan = timed(lambda: registry().scan(), 3)
    library = timed(lambda: registry().library(), 3)
    again = registry()
    again.scan()
    again.library()
    same = timed(again.library, 5)
    stalls |= {
        "stall_rescan_ms": longest_stall(lambda: registry().scan()),
        "stall_library_ms": longest_stall(lambda: registry().library()),
        "stall_first_scan_ms": longest_stall(first),
    }
    opened, scanned = median(floors), median(firsts)
    return {
        "files": count,
        "floor_s": round(opened.wall, 3),
        "first_scan_s": round(scanned.wall, 3),
        "first_scan_files_per_s": round(count / scanned.wall),
        "first_scan_against_floor": scanned.against(opened),
        "speed_against_floor": round(opened.wall / scanned.wall, 3),
        "stat_walk_s": round(walking.wall, 4),
        "rescan_s": round(rescan.wall, 4),
        "rescan_against_walk": rescan.against(walking),
        "library_s": round(library.wall, 3),
        "library_unchanged_ms": round(1000 * same.wall, 3),
        **{name: round(1000 * stall, 1) for name, stall in stalls.items()},
        "database_mb": round(database.stat().st_size / 1e6, 1),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("sizes", nargs="*", type=int, help="numbers of LoRA files (default: 1000 10000 100000)")
    options.add_argument("--flat", action="store_true", help="all files in one folder")
    options.add_argument("--quick", action="store_true", help="1,000 files, one round")
    options.add_argument("--keep", type=Path, help="write the files here and leave them")
    given = options.parse_args()
    sizes = given.sizes or ([1000] if given.quick else [1000, 10_000, 100_000])
    load_pack()
    work = given.keep or Path(tempfile.mkdtemp(prefix="scan-bench-"))
    results = []
    try:
        for count in sizes:
            folder = work / f"{'flat' if given.flat else 'sets'}-{count}"
            if not folder.exists():
                write_library(folder, count, given.flat)
            results.append(measure(folder, count, work / "registry.sqlite3", 1 if given.quick or count > 20_000 else 3))
            print(json.dumps(results[-1]), flush=True)
            if not given.keep:
                shutil.rmtree(folder)
    finally:
        if not given.keep:
            shutil.rmtree(work, ignore_errors=True)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"flat": given.flat, "tensors": len(lora_shapes()), "sizes": results, "peak_memory_mb": round(peak_mb)}))


if __name__ == "__main__":
    main()
