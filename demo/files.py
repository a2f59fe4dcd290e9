"""Which toy files there are: relative path below the models folder → how to build it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import TypeAlias

from ..plan import Prediction
from . import adapters, checkpoints, flow, hints, lora
from .catalogue import MANAGED, STYLES, VISITED
from .clip import clip
from .metadata import Style, civitai_sidecar, kohya_header, manager_sidecar, model_header, note, style_header
from .shapes import SD15_FULL, SD15_NANO, SDXL, UNetShape
from .sparse import Weights
from .upscaler import compact_upscaler
from .vae import vae

WARM = (1.0, 0.2, -1.0)
_SHAPES = {"sd15": SD15_FULL, "sdxl": SDXL}
_LYCORIS = "lycoris.kohya"


@dataclass(frozen=True)
class Model:
    """A model before it is written."""

    weights: Weights
    metadata: Mapping[str, str] = field(default_factory=dict)


Builder: TypeAlias = Callable[[], "Model | bytes"]


def _sd15(shape: UNetShape) -> Model:
    return Model(checkpoints.sd15(shape), model_header("Toy SD 1.5", "stable-diffusion-v1"))


def _sd15_random() -> Model:
    return Model(checkpoints.sd15_random(), model_header("Toy SD 1.5, random weights", "stable-diffusion-v1"))


def _sdxl(prediction: Prediction) -> Model:
    said = "v" if prediction is Prediction.V else "epsilon"
    return Model(checkpoints.sdxl(prediction), model_header(f"Toy SDXL ({said})", "stable-diffusion-xl-v1-base", said))


def _sd3() -> Model:
    return Model(flow.sd3(), model_header("Toy SD 3", "stable-diffusion-3", None))


def _flux(width: int, single: int, noise: bool) -> Model:
    return Model(flow.flux(width, 1, single, noise), model_header("Toy Flux", "flux-1-dev", None))


def _clip(width: int, layers: int) -> Model:
    return Model(clip(width, layers), note(f"CLIP text encoder of width {width}"))


def _vae(channels: int, scale: float, shift: float = 0.0) -> Model:
    return Model(vae(channels, scale, shift), note("autoencoder in TAESD's format"))


def _part(build: Callable[[], Weights], about: str) -> Model:
    return Model(build(), note(about))


def _random_lora(name: str, seed: int, algorithm: str = "low_rank", size: float = 0.06, text: bool = True) -> Model:
    """A LoRA of noise for SD 1.5 with kohya's names."""
    layers = lora.targets(SD15_FULL) + (lora.text_targets() if text else [])
    build = {
        "low_rank": lora.low_rank,
        "locon": lora.low_rank,
        "loha": lora.hadamard,
        "lokr": lora.kronecker,
        "dora": lora.dora,
    }[algorithm]
    if algorithm == "locon":
        layers += lora.CONVOLUTIONS
    module = "networks.lora" if algorithm in ("low_rank", "dora") else _LYCORIS
    return Model(build(layers, lora.kohya(), lora.noise(seed, size)), kohya_header(name, "sd15", module))


def _random_lora_sdxl(name: str, seed: int) -> Model:
    layers = lora.targets(SDXL) + lora.text_targets()
    return Model(lora.low_rank(layers, lora.kohya("lora_te1_"), lora.noise(seed)), kohya_header(name, "sdxl"))


def _diffusers_lora(names: lora.Names, seed: int) -> Model:
    layers = lora.targets(SD15_FULL) + lora.text_targets()
    return Model(lora.low_rank(layers, names, lora.noise(seed), with_alpha=False), note("LoRA of noise"))


def _warm_lora(name: str, family: str) -> Model:
    return Model(adapters.colour_word_shift(_SHAPES[family], WARM), kohya_header(name, family, rank=1))


def _style(style: Style) -> Model:
    return Model(adapters.colour_shift(_SHAPES[style.family], style.shift), style_header(style))


def _truncated() -> bytes:
    return struct.pack("<Q", 5000) + b'{"x":{"dtype"'


def _style_files() -> dict[str, Builder]:
    files: dict[str, Builder] = {}
    for style in STYLES:
        path = PurePosixPath(style.path)
        files[style.path] = partial(_style, style)
        if path.stem in MANAGED:
            files[str(path.with_suffix(".metadata.json"))] = partial(manager_sidecar, style)
        if path.stem in VISITED:
            files[str(path.with_suffix(".civitai.info"))] = partial(civitai_sidecar, style)
    return files


CHECKPOINTS: dict[str, Builder] = {
    "checkpoints/toy_sd15.safetensors": partial(_sd15, SD15_NANO),
    "checkpoints/toy_sd15_full.safetensors": partial(_sd15, SD15_FULL),
    "checkpoints/toy_sd15_random.safetensors": _sd15_random,
    "checkpoints/toy_sdxl.safetensors": partial(_sdxl, Prediction.EPS),
    "checkpoints/toy_sdxl_v.safetensors": partial(_sdxl, Prediction.V),
}

# Scales and shifts of the latent formats: comfy/latent_formats.py.
PARTS: dict[str, Builder] = {
    "diffusion_models/toy_sd3.safetensors": _sd3,
    "diffusion_models/toy_flux.safetensors": partial(_flux, 128, 1, True),
    "diffusion_models/toy_flux_h3072.safetensors": partial(_flux, 3072, 0, False),
    "text_encoders/toy_clip_l.safetensors": partial(_clip, 768, 12),
    "text_encoders/toy_clip_l_b.safetensors": partial(_clip, 768, 12),
    "text_encoders/toy_clip_g.safetensors": partial(_clip, 1280, 32),
    "vae/toy_vae_sd15.safetensors": partial(_vae, 4, checkpoints.SD15_SCALE),
    "vae/toy_vae_sdxl.safetensors": partial(_vae, 4, checkpoints.SDXL_SCALE),
    "vae/toy_vae_sd3.safetensors": partial(_vae, 16, 1.5305, 0.0609),
    "vae/toy_vae_flux.safetensors": partial(_vae, 16, 0.3611, 0.1159),
    "controlnet/toy_sd15_controlnet.safetensors": partial(_part, hints.controlnet, "ControlNet for colours"),
    "controlnet/toy_sd15_t2i.safetensors": partial(_part, hints.t2i_adapter, "T2I-Adapter for colours"),
    "upscale_models/toy_2x_compact.safetensors": partial(_part, compact_upscaler, "doubles every pixel"),
}

FORMAT_LORAS: dict[str, Builder] = {
    "loras/formats/sd15_random.safetensors": partial(_random_lora, "sd15_random", 0),
    "loras/formats/sd15_unet_only.safetensors": partial(_random_lora, "sd15_unet_only", 2, text=False),
    "loras/formats/sd15_locon.safetensors": partial(_random_lora, "sd15_locon", 3, "locon"),
    "loras/formats/sd15_loha.safetensors": partial(_random_lora, "sd15_loha", 4, "loha", 0.3),
    "loras/formats/sd15_lokr.safetensors": partial(_random_lora, "sd15_lokr", 5, "lokr", 0.05, text=False),
    "loras/formats/sd15_dora.safetensors": partial(_random_lora, "sd15_dora", 6, "dora"),
    "loras/formats/sd15_peft.safetensors": partial(_diffusers_lora, lora.peft, 7),
    "loras/formats/sd15_processor.safetensors": partial(_diffusers_lora, lora.attention_processor, 8),
    "loras/formats/sdxl_random.safetensors": partial(_random_lora_sdxl, "sdxl_random", 9),
    "loras/formats/sd15_warm.safetensors": partial(_warm_lora, "sd15_warm", "sd15"),
    "loras/formats/sdxl_warm.safetensors": partial(_warm_lora, "sdxl_warm", "sdxl"),
    "loras/formats/broken_truncated.safetensors": _truncated,
}

STYLE_LORAS = _style_files()

EMBEDDINGS: dict[str, Builder] = {
    "embeddings/toy_teal.safetensors": partial(_part, partial(adapters.embedding_sd15, "00a0a0"), "the colour teal"),
    "embeddings/sub/toy_pink.safetensors": partial(_part, partial(adapters.embedding_sd15, "ff60a0"), "the colour pink"),
    "embeddings/toy_negative.safetensors": partial(
        _part, partial(adapters.embedding_sd15, "403830"), "negative embedding: a muddy brown to stay away from"
    ),
    "embeddings/toy_teal_xl.safetensors": partial(_part, partial(adapters.embedding_sdxl, "00a0a0"), "the colour teal"),
}

FILES: dict[str, Builder] = {**CHECKPOINTS, **PARTS, **FORMAT_LORAS, **STYLE_LORAS, **EMBEDDINGS}

# One SDXL LoRA is among them to show that what does not fit the checkpoint is left out.
DEMO = (
    "checkpoints/toy_sd15.safetensors",
    *(name for name in STYLE_LORAS if "_xl." not in name or "pixel_art" in name),
    *(name for name in EMBEDDINGS if "_xl." not in name),
)
