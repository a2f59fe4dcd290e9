"""Full-size checkpoints of noise for ``memory_gpu.py``: the architectures as this ComfyUI builds them, in 16 bits.

python bench/memory_gpu_models.py COMFYUI FOLDER
"""

# mypy: disable-error-code="import-not-found,import-untyped"
from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SD15, SDXL, LORA = "bench_sd15.safetensors", "bench_sdxl.safetensors", "bench_sdxl_lora.safetensors"
LORA_RANK, LORA_SIZE = 16, 0.15  # of a matrix' own size
OUTPUT_GAIN = 0.3  # of the last layer: a model of noise would else drown the picture's own noise


def write(host: Path, folder: Path) -> None:
    """All files that are not there yet."""
    sys.path.insert(0, str(host))
    sys.argv = [sys.argv[0]]
    from comfy.cli_args import args

    args.cpu = True
    sys.path.insert(1, str(Path(__file__).parent))
    import rows  # noqa: F401  registers the package under the name ``pack``

    for name, shapes in ((SD15, _sd15()), (SDXL, _sdxl())):
        path = folder / "checkpoints" / name
        if not path.exists():
            _save(path, {key: noise(key, shape) for key, shape in shapes.items()})
    path = folder / "loras" / LORA
    if not path.exists():
        _save(path, dict(_lora(_unet("sdxl"))))


def noise(name: str, shape: tuple[int, ...]) -> Any:
    """Gains of norms at 1, biases at 0, matrices that neither swell nor shrink what goes through."""
    import torch

    if len(shape) < 2:
        return torch.full(shape, float(name.endswith("weight")), dtype=torch.float16)
    gain = OUTPUT_GAIN if name.endswith("diffusion_model.out.2.weight") else 1.0
    size = gain / math.sqrt(math.prod(shape[1:]))
    return torch.randn(shape, device=_device(), dtype=torch.float16).mul_(size).cpu()


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _save(path: Path, weights: Mapping[str, Any]) -> None:
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, str(path))


# --------------------------------------------------------------------------- shapes


def _sd15() -> dict[str, tuple[int, ...]]:
    return _under("model.diffusion_model.", _unet("sd15")) | _vae() | _under("cond_stage_model.transformer.", _clip_l())


def _sdxl() -> dict[str, tuple[int, ...]]:
    from pack.demo.clip import clip_shapes, to_openclip

    large = {name: tuple(tensor.shape) for name, tensor in to_openclip(clip_shapes(1280, 32)).items()}
    encoders = _under("conditioner.embedders.0.transformer.", _clip_l()) | _under("conditioner.embedders.1.model.", large)
    return _under("model.diffusion_model.", _unet("sdxl")) | _vae() | encoders


def _under(prefix: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {prefix + name: shape for name, shape in shapes.items()}


def _clip_l() -> dict[str, tuple[int, ...]]:
    from pack.demo.clip import PROJECTION, clip_shapes

    return {name: tuple(tensor.shape) for name, tensor in clip_shapes().items() if name != PROJECTION}


def _unet(family: str) -> dict[str, tuple[int, ...]]:
    import comfy.model_detection as detection
    import torch
    from memory_hosts import FULL_SIZE

    config = detection.model_config_from_unet_config(dict(FULL_SIZE[family][0]), {})
    config.set_inference_dtype(torch.float16, None)
    with torch.device("meta"):
        model = config.get_model({}, "", device=torch.device("meta"))
    return {name: tuple(tensor.shape) for name, tensor in model.diffusion_model.state_dict().items()}


def _vae() -> dict[str, tuple[int, ...]]:
    import importlib

    import torch
    from memory_hosts import VAES

    module, name, arguments, _ = VAES["sdxl"]
    with torch.device("meta"):
        made = getattr(importlib.import_module(f"comfy.ldm.{module}"), name)(**arguments)
    return _under("first_stage_model.", {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()})


def _lora(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, Any]]:
    """On every matrix of the transformer blocks."""
    import torch

    for name, shape in shapes.items():
        if "transformer_blocks" in name and name.endswith(".weight") and len(shape) == 2:
            layer, size = f"diffusion_model.{name.removesuffix('.weight')}", LORA_SIZE / math.sqrt(LORA_RANK * shape[1])
            yield f"{layer}.lora_up.weight", torch.randn(shape[0], LORA_RANK, dtype=torch.float16) * size
            yield f"{layer}.lora_down.weight", torch.randn(LORA_RANK, shape[1], dtype=torch.float16)


if __name__ == "__main__":
    write(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
