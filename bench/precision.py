"""Output error of each precision against float32, on the same seed, per ComfyUI and architecture.

    python bench/precision.py --hosts ~/comfy/ComfyUI ~/comfy/ComfyUI-0.3.64

Small models of each architecture are filled with noise shaped like trained weights (rows and columns of different size,
a few outlying ones) and sampled on the CPU, each host in a process of its own. Reported are the relative L2 error of the
latent after the last step and the PSNR of its decoded picture, without and with a LoRA; the bytes the model takes beside
those of fp16; and its load time beside ComfyUI's own. Noise tells how the forms rank, not how real pictures look. The last line of
output is one JSON object.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import rows  # noqa: F401 – registers the package under the name ``pack``

# isort: split
from pack.demo.flow import flux_shapes, sd3_shapes
from pack.demo.layers import randomise
from pack.demo.shapes import SD15_FULL, SDXL, unet_shapes
from pack.demo.sparse import Weights, Zeros, save
from pack.demo.vae import set_scale, vae_shapes

FORMS = ("default", "fp16", "bf16", "fp8_e4m3fn", "int8")
STEPS, LATENT, LORA_RANK, LORA_SIZE = 6, 16, 8, 0.15
# name → (weights, latent channels, context width, pooled width, CFG, oldest host that reads its sizes from the file)
SHAPES: dict[str, tuple[Callable[[], Weights], int, int, int, float, tuple[int, int]]] = {
    "SD 1.5": (lambda: unet_shapes(SD15_FULL), 4, 768, 768, 4.0, (0, 3)),
    "SDXL": (lambda: unet_shapes(SDXL), 4, 2048, 1280, 4.0, (0, 3)),
    "SD 3": (lambda: sd3_shapes(4), 16, 4096, 2048, 4.0, (0, 3)),
    "Flux": (lambda: flux_shapes(256, 2, 4), 16, 4096, 2048, 1.0, (0, 33)),
}


def trained_like(weights: Weights, seed: int) -> Weights:
    """Noise in every matrix, its rows and columns of different size; gains of norms spread, a few large."""
    random = np.random.default_rng(seed)
    for name, tensor in randomise(weights, seed).items():
        if isinstance(tensor, Zeros):
            continue
        sizes = np.exp(random.normal(0, 0.3, tensor.shape[0])).astype(np.float32)
        if tensor.ndim == 1:
            sizes[random.random(len(sizes)) < 0.01] *= 8
            weights[name] = (tensor * sizes).astype(np.float16)
        else:
            sizes[random.random(len(sizes)) < 0.005] *= 4
            columns = np.exp(random.normal(0, 0.3, tensor.shape[1])).astype(np.float32)
            shape = (-1, *[1] * (tensor.ndim - 1)), (1, -1, *[1] * (tensor.ndim - 2))
            weights[name] = (tensor * sizes.reshape(shape[0]) * columns.reshape(shape[1]) / 1.15).astype(np.float16)
    return weights


def lora_on(weights: Weights, seed: int) -> dict[str, Any]:
    """A LoRA of noise on every matrix within a block, each change ``LORA_SIZE`` of its matrix."""
    import torch

    random, lora = torch.Generator().manual_seed(seed), {}
    for name, tensor in weights.items():
        if name.endswith(".weight") and len(tensor.shape) == 2 and min(tensor.shape) >= 64 and "block" in name:
            outputs, inputs = tensor.shape
            size = float(np.std(np.asarray(tensor, np.float32))) * LORA_SIZE / math.sqrt(LORA_RANK)
            layer = f"diffusion_model.{name.removesuffix('.weight')}"
            lora[f"{layer}.lora_up.weight"] = torch.randn(outputs, LORA_RANK, generator=random) * size
            lora[f"{layer}.lora_down.weight"] = torch.randn(LORA_RANK, inputs, generator=random)
    return lora


# --------------------------------------------------------------------------- one host


def measure(host: Path, only: list[str]) -> Iterator[dict[str, Any]]:
    version = start_host(host)
    import torch

    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for name, (shapes, channels, context, pooled, cfg, oldest) in SHAPES.items():
            if version[:2] < oldest or (only and name not in only):
                continue
            weights = trained_like(shapes(), 1)
            path = Path(folder) / f"{name}.safetensors"
            save(path, weights)
            given = (conditioning(context, pooled, 2), conditioning(context, pooled, 3), channels, cfg)
            yield from measure_model(name, path, lora_on(weights, 4), given)


def measure_model(name: str, path: Path, lora: dict[str, Any], given: Any) -> Iterator[dict[str, Any]]:
    from pack.memory.load import load_diffusion_model

    truth, plain_s, sixteen = None, None, 0
    for form in FORMS:
        model, load_s = timed(lambda form=form: load_diffusion_model(path, form).model)
        results = {"": sample(model, *given), "lora": sample(with_lora(model, lora), *given), "after": sample(model, *given)}
        truth, plain_s = truth or results, plain_s or load_s
        size = int(model.model_size())
        sixteen = size if form == "fp16" else sixteen
        yield {
            "architecture": name,
            "form": form,
            "error": error(results[""], truth[""]),
            "error_lora": error(results["lora"], truth["lora"]),
            "lora_effect": error(truth["lora"], truth[""]),
            "psnr_db": psnr(results[""], truth[""]),
            "psnr_lora_db": psnr(results["lora"], truth["lora"]),
            "comes_back": bool((results["after"] == results[""]).all()),
            "bytes": size,
            "of_fp16": round(size / sixteen, 3) if sixteen else None,
            "load_ratio": round(load_s / plain_s, 2),
        }


def start_host(host: Path) -> tuple[int, ...]:
    os.chdir(host)
    sys.path.insert(0, str(host))
    sys.argv = ["main.py", "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfyui_version

    return tuple(int(part) for part in comfyui_version.__version__.split("."))


def timed(load: Any) -> tuple[Any, float]:
    """What it gives, and the median of two runs in seconds; the first, which reads the file, does not count."""
    load()
    times = []
    for _ in range(2):
        began = time.perf_counter()
        value = load()
        times.append(time.perf_counter() - began)
    return value, median(times)


def conditioning(context: int, pooled: int, seed: int) -> Any:
    import torch

    random = torch.Generator().manual_seed(seed)
    return [[torch.randn(1, 77, context, generator=random), {"pooled_output": torch.randn(1, pooled, generator=random)}]]


def sample(model: Any, positive: Any, negative: Any, channels: int, cfg: float) -> Any:
    import comfy.sample
    import torch

    latent = torch.zeros(1, channels, LATENT, LATENT)
    noise = comfy.sample.prepare_noise(latent, 7)
    return comfy.sample.sample(
        model, noise, STEPS, cfg, "euler", "normal", positive, negative, latent, seed=7, disable_pbar=True
    )


def with_lora(model: Any, lora: dict[str, Any]) -> Any:
    import comfy.sd

    return comfy.sd.load_lora_for_models(model, None, dict(lora), 1.0, 0.0)[0]


def error(found: Any, truth: Any) -> float:
    return float(((found - truth).norm() / truth.norm()).item())


def psnr(found: Any, truth: Any) -> float:
    """dB between the pictures that one random decoder makes of both."""
    import comfy.sd
    import torch

    channels = truth.shape[1]
    weights = set_scale(randomise(vae_shapes(channels), 3, 1.4)) if channels == 4 else None
    if weights is None:  # 16 channels have no toy decoder of noise: the latent itself, scaled to 0–1, stands in
        pictures = [value / (2 * truth.abs().max()) + 0.5 for value in (found, truth)]
    else:
        state = {name: torch.from_numpy(np.asarray(weights.at(name))) for name in weights}
        vae = comfy.sd.VAE(sd=state)
        pictures = [vae.decode(value / value.std() * truth.std()) for value in (found, truth)]
    squared = float(((pictures[0] - pictures[1]) ** 2).mean().item())
    return round(-10 * math.log10(max(squared, 1e-12)), 1)


# --------------------------------------------------------------------------- all hosts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = [Path.home() / "comfy" / name for name in ("ComfyUI", "ComfyUI-0.3.64")]
    parser.add_argument("--hosts", type=Path, nargs="+", default=usual)
    parser.add_argument("--only", nargs="*", default=[], choices=list(SHAPES))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.here:
        for row in measure(chosen.hosts[0].expanduser().resolve(), chosen.only):
            print("ROW " + json.dumps(row), flush=True)
        return
    results = {}
    for host in chosen.hosts:
        results[host.name] = list(of_host(host, chosen.only))
    print(json.dumps(results))


def of_host(host: Path, only: list[str]) -> Iterator[dict[str, Any]]:
    command = [sys.executable, str(Path(__file__).resolve()), "--here", "--hosts", str(host.expanduser().resolve())]
    print(
        f"\n{host.name}\n{'':8}{'form':12}{'error':>9}{'+ LoRA':>9}{'PSNR':>7}{'+ LoRA':>8}{'bytes':>12}{'÷ fp16':>8}{'load':>6}  back"
    )
    with subprocess.Popen([*command, *(["--only", *only] if only else [])], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if line.startswith("ROW "):
                row = json.loads(line[4:])
                show(row)
                yield row
    if process.returncode:
        raise SystemExit(f"{host.name} failed")


def show(row: dict[str, Any]) -> None:
    share = f"{row['of_fp16']:.2f}" if row["of_fp16"] else ""
    print(
        f"{row['architecture']:8}{row['form']:12}{row['error']:9.5f}{row['error_lora']:9.5f}{row['psnr_db']:7.1f}"
        f"{row['psnr_lora_db']:8.1f}{row['bytes']:12,}{share:>8}{row['load_ratio']:6.2f}  {row['comes_back']}",
        flush=True,
    )


if __name__ == "__main__":
    main()
