"""What the parts about memory do on a real GPU: estimates beside measured peaks, strategies, 8-bit weights, shortage.

    python bench/memory_gpu.py [--hosts PATH …] [--settings dynamic static old] [--only NAME …] [--folder FOLDER]

Checkpoints of SD 1.5 and SDXL in full size, of noise, are written into FOLDER (9 GB); each host runs alone, its stages
measured from within (``memory_gpu_probe.py``). Peaks are torch's own; under dynamic VRAM, where weights are not torch's, what
the driver says besides. The last line is one JSON object.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rows  # noqa: F401 – registers the package under the name ``pack``

# isort: split
from filelock import FileLock
from memory_gpu_graphs import SIDE, Found, auto, loaded, native
from memory_gpu_models import LORA, SD15, SDXL
from pack.client import Client
from pack.errors import BadRequest, UserError
from pack.routes import RETRIED
from pack.serve import serving

HERE = Path(__file__).resolve().parent
GIB = 1 << 30
STRATEGIES = (None, "none", "balanced", "aggressive", "auto")
FORMS = ("default", "fp8_e4m3fn", "int8")  # "default" is 16 bits on a GPU
ALONE = ("forms", "shortage")  # what is timed, and what takes the GPU from all others
# name → (which of the hosts, its arguments)
SETTINGS = {"dynamic": (0, []), "static": (0, ["--disable-dynamic-vram"]), "old": (1, [])}


class Bench:
    """A running host, and what is measured on it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.pictures: dict[str, Any] = {}

    def run(self, graph: dict[str, Any], follow: Any = None) -> Found:
        """The stages of one run, its wall seconds, its picture (an array) and its plan where it has one."""
        self.client.get("/iig_bench")
        began = time.perf_counter()
        run = self.client.run(graph, follow)
        seconds = time.perf_counter() - began
        array, texts = picture(self.client.image(run.images()[0]))
        plan = json.loads(texts["intelligent_generation"])["plan"] if "intelligent_generation" in texts else None
        told = self.client.get("/iig_bench")
        return {"seconds": round(seconds, 2), "stages": told["rows"], "array": array, "plan": plan, "run": run}

    def free(self) -> None:
        """As ComfyUI's own button does, and until it is done."""
        self.client.post("/free", {"unload_models": True, "free_memory": True})
        time.sleep(1.5)

    def memory(self) -> Found:
        told: Found = self.client.get("/intelligent_generation/memory")
        return told

    # ---------------------------------------------------------------- cases

    def plain(self) -> Iterator[Found]:
        """Auto Pipeline as it comes: what was estimated beside what was taken."""
        for name, side, batch in ((SD15, 512, 1), (SDXL, SIDE, 1), (SDXL, SIDE, 4)):
            self.free()
            found = self.run(auto(checkpoint=name, width=side, height=side, batch=batch))
            yield {"model": name, "batch": batch, **look(found["array"]), "seconds": found["seconds"], **beside(found)}

    def strategies(self) -> Iterator[Found]:
        """The same picture, cold and warm, with each strategy."""
        for strategy in STRATEGIES:
            self.free()
            cold = self.run(native(SDXL, strategy))
            warm = self.run(native(SDXL, strategy, seed=2))
            same = self.pictures.setdefault("strategies", cold["array"])
            told = {"strategy": strategy or "(without)", "same": distance(cold["array"], same), **look(cold["array"])}
            yield {**told, "cold_s": cold["seconds"], "warm_s": warm["seconds"], **peaks(cold["stages"]), "left": left(warm)}

    def forms(self) -> Iterator[Found]:
        """Each form of the weights: memory, speed, what it changes of the picture, a LoRA on top."""
        for form in FORMS:
            self.free()
            cold, again = self.run(loaded(form)), self.run(loaded(form, repeat=1))
            warm, styled = self.run(loaded(form, seed=2)), self.run(loaded(form, lora=LORA))
            after = self.run(loaded(form, repeat=2))
            plain = self.pictures.setdefault("form", cold["array"]), self.pictures.setdefault("lora", styled["array"])
            size = next((size for name, _, size in stage(warm, "sample")["models"] if "SDXL" in name or "Base" in name), 0)
            yield {
                "form": form,
                "distance": distance(cold["array"], plain[0]),
                "distance_lora": distance(styled["array"], plain[1]),
                "lora_effect": distance(styled["array"], cold["array"]),
                "again": distance(again["array"], cold["array"]),
                "after_lora": distance(after["array"], again["array"]),
                "sample_s": stage(warm, "sample")["seconds"],
                "sample_lora_s": stage(styled, "sample")["seconds"],
                "cold_s": cold["seconds"],
                "sample_peak": stage(warm, "sample")["torch_peak"],
                "driver_peak": taken(stage(warm, "sample")),
                "model_bytes": size,
            }

    def pool(self) -> Iterator[Found]:
        """A → B → A → B loads each once; all of it is given back when asked."""
        self.free()
        before = self.memory()["pool"]["misses"]
        seconds = [self.run(auto(checkpoint=name, seed=seed, width=512, height=512))["seconds"]
                   for seed in (1, 2) for name in (SD15, SDXL)]  # fmt: skip
        held = self.memory()
        self.client._answer("POST", "/intelligent_generation/memory/free", json={"what": "everything"}, headers=HEADERS)
        time.sleep(2)
        freed = self.memory()
        yield {
            "seconds": seconds,
            "loads": held["pool"]["misses"] - before,
            "devices": held["devices"],
            "ram_mb": held["ram"]["process_bytes"] >> 20,
            "models": [(each["name"], each["loaded_bytes"], each["dtype"]) for each in held["models"]],
            "after": {
                "devices": freed["devices"],
                "ram_mb": freed["ram"]["process_bytes"] >> 20,
                "models": len(freed["models"]),
            },
        }

    def overflow(self) -> Iterator[Found]:
        """Torch may take less than the run needs: the prompt is tried once more with a cheaper plan."""
        self.free()
        plain = self.run(auto(checkpoint=SDXL, prompt="a tall ship"))
        limit = int(stage(plain, "sample")["torch_peak"] * 0.75)
        self.free()
        self.client.post("/iig_bench", {"bytes": limit})
        heard: list[Found] = []
        try:
            found = self.run(auto(checkpoint=SDXL, prompt="a tall ship", seed=7),
                             lambda kind, data: heard.append(data) if kind == RETRIED else None)  # fmt: skip
            told = {"relief": relief(found), "warnings": [each["key"] for each in found["plan"]["warnings"]],
                    **look(found["array"]), **peaks(found["stages"])}  # fmt: skip
        except BadRequest as fault:
            told = {"failed": str(fault)[-600:]}
        finally:
            self.client.post("/iig_bench", {"bytes": 0})
        yield {"limit": limit, "heard": [each["sentence"] for each in heard], **told}

    def shortage(self) -> Iterator[Found]:
        """Another program holds the GPU but for a few GiB."""
        for free_gib in (5, 3):
            self.free()
            with ballast(free_gib):
                try:
                    found = self.run(auto(checkpoint=SDXL, prompt=f"a grey heron {free_gib}"))
                    told = {"estimate": found["plan"]["estimate"]["vram_bytes"], "relief": relief(found),
                            "seconds": found["seconds"], **look(found["array"]), **peaks(found["stages"])}  # fmt: skip
                except BadRequest as fault:
                    told = {"failed": str(fault)[-600:]}
                self.free()
            yield {"free_gib": free_gib, **told}


HEADERS = {"X-Intelligent-Generation": "1"}
CASES = ("plain", "strategies", "forms", "pool", "overflow", "shortage")


# --------------------------------------------------------------------------- figures


def picture(raw: bytes) -> tuple[Any, dict[str, str]]:
    import numpy as np
    from PIL import Image

    image = Image.open(io.BytesIO(raw))
    return np.asarray(image.convert("RGB"), dtype=np.float32), dict(getattr(image, "text", {}))


def look(array: Any) -> Found:
    """A picture of NaN is black: it has no spread."""
    return {"spread": round(float(array.std()), 1), "mean": round(float(array.mean()), 1)}


def distance(one: Any, other: Any) -> float:
    """Mean difference of a pixel's value, 0–255."""
    return round(float(abs(one - other).mean()), 3) if one.shape == other.shape else 255.0


def stage(found: Found, name: str) -> Found:
    return next((each for each in reversed(found["stages"]) if each["stage"] == name), {"seconds": 0, "torch_peak": 0,
                "free_before": 0, "free_least": 0, "models": []})  # fmt: skip


def taken(row: Found) -> int:
    """What the driver saw go while the stage ran."""
    return int(row["free_before"] - row["free_least"])


def peaks(stages: list[Found]) -> Found:
    """The highest of each stage in MiB: what torch allocated, and the least that was free."""
    told: Found = {}
    for name in ("load", "encode", "sample", "decode"):
        here = [each for each in stages if each["stage"] == name]
        if here:
            told[name] = {
                "torch_mib": max(each["torch_peak"] for each in here) >> 20,
                "went_mib": max(each["free_before"] - each["free_least"] for each in here) >> 20,
                "seconds": round(sum(each["seconds"] for each in here), 2),
            }
    return told


def beside(found: Found) -> Found:
    """Estimated and measured MiB by stage, and their ratio; what is taken is torch's peak, or what the driver saw go."""
    told, measured = {}, peaks(found["stages"])
    for cost in found["plan"]["estimate"]["stages"]:
        ours, row = (cost["weights_bytes"] + cost["working_bytes"]) >> 20, measured.get(cost["stage"], {})
        took = row.get("torch_mib", 0)
        told[cost["stage"]] = {"estimate_mib": ours, **row, "ratio": round(took / ours, 3) if ours else None}
    return {"by_stage": told, "estimate": found["plan"]["estimate"]["vram_bytes"] >> 20, "relief": relief(found)}


def relief(found: Found) -> list[Any]:
    return list(found["plan"]["estimate"].get("relief", []))


def left(found: Found) -> list[Any]:
    """The models that ComfyUI still holds after the last stage: (network, MiB on the GPU)."""
    return [(name, held >> 20) for name, held, _ in found["stages"][-1]["models"]] if found["stages"] else []


# --------------------------------------------------------------------------- around it


@contextmanager
def ballast(free_gib: float) -> Iterator[None]:
    """A program of its own that leaves only so much of the GPU."""
    code = (
        "import torch,sys\nkept=[]\nfree=lambda: torch.cuda.mem_get_info()[0]\ntorch.cuda.init()\n"
        f"while free()-{int(free_gib * GIB)} > 2**27:\n"
        f" kept.append(torch.empty(min(2**31, free()-{int(free_gib * GIB)}),dtype=torch.uint8,device='cuda'))\n"
        "print('held',flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin and other.stdout and other.stdout.readline().strip() == "held"
        try:
            yield
        finally:
            other.stdin.close()


@contextmanager
def turn(folder: Path | None) -> Iterator[None]:
    """Of several benches on these models one at a time."""
    if folder is None:
        yield
        return
    with FileLock(folder / "turn.lock"):
        yield


def measure(name: str, hosts: list[Path], models: Path, only: list[str], note: Callable[[str, Any], None]) -> None:
    which, arguments = SETTINGS[name]
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        (home / "custom_nodes").mkdir()
        shutil.copy(HERE / "memory_gpu_probe.py", home / "custom_nodes")
        given = {"pack": HERE.parent, "models": models, "home": home, "arguments": ["--disable-api-nodes", *arguments]}
        environ = {"INTELLIGENT_GENERATION_EMBEDDING_MODEL": "none"}
        with serving(hosts[which], environ=environ, **given) as server:
            bench = Bench(Client(server.url))
            for case in only:
                print(f"{name:8}{case}", flush=True)
                began, told = time.perf_counter(), []
                try:
                    with turn(models if case in ALONE else None):
                        for row in getattr(bench, case)():
                            told.append(row)
                            print(f"{name:8}{case:11}{json.dumps(row)[:900]}", flush=True)
                except (UserError, KeyError, IndexError, ValueError, OSError) as fault:
                    told.append({"failed": f"{type(fault).__name__}: {fault}"[-800:]})
                    print(f"{name:8}{case:11}FAILED {told[-1]}", flush=True)
                note(f"{name}.{case}", {"seconds": round(time.perf_counter() - began, 1), "rows": told})
            note(f"{name}.log", server.log.read_text(encoding="utf-8", errors="replace")[-60000:])


def main() -> None:
    usual = [Path.home() / "comfy" / name for name in ("ComfyUI", "ComfyUI-0.3.64")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=Path, nargs=2, default=usual, help="a ComfyUI of 0.33 or newer, and 0.3.64")
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--only", nargs="*", default=list(CASES), choices=CASES)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "bench-models")
    parser.add_argument("--out", type=Path, help="a file to write what is found into as it comes")
    asked = parser.parse_args()
    subprocess.run([sys.executable, str(HERE / "memory_gpu_models.py"), str(asked.hosts[0]), str(asked.folder)],
                   cwd=asked.hosts[0], check=True)  # fmt: skip
    found: Found = {}

    def note(name: str, told: Any) -> None:
        found[name] = told
        if asked.out:
            asked.out.write_text(json.dumps(found), encoding="utf-8")

    for name in asked.settings:
        measure(name, asked.hosts, asked.folder, asked.only, note)
    print(json.dumps({name: told for name, told in found.items() if not name.endswith(".log")}))


if __name__ == "__main__":
    main()
