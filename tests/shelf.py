"""Model files as a person might have them, for the tests of what chooses among them."""

from __future__ import annotations

from pack.data.families import families
from pack.plan import GIB, Kind, Library, Machine, ModelFile

SAMPLERS = (
    "euler",
    "euler_ancestral",
    "heun",
    "dpmpp_2m",
    "dpmpp_2m_sde_gpu",
    "dpmpp_sde_gpu",
    "lcm",
    "uni_pc",
    "res_multistep",
    "er_sde",
    "ddim",
)
SCHEDULERS = ("normal", "karras", "exponential", "sgm_uniform", "simple", "ddim_uniform", "beta")
WORKED_EXAMPLE = "anime girl, magical powers, Victorian mansion, detailed, masterpiece"


def gpu(gib: int = 12, **changes) -> Machine:
    known = {"samplers": SAMPLERS, "schedulers": SCHEDULERS, "host_version": "0.33.0", "ram_bytes": 64 * GIB}
    return Machine("cuda", gib * GIB, **{**known, **changes})


def checkpoint(name: str = "sd_xl_base_1.0.safetensors", family: str | None = "sdxl", **changes) -> ModelFile:
    row = families()[family or "sdxl"]
    known = {
        "size_bytes": 6_938_078_334,
        "family": family,
        "architecture": row.architecture,
        "confidence": 0.95,
        "parts": frozenset({"unet", "clip", "vae"}),
        "part_bytes": {"unet": 5_135_149_760, "clip": 1_636_000_000, "vae": 167_000_000},
        "dtype": "fp16",
    }
    return ModelFile(Kind.CHECKPOINT, name, **{**known, **changes})


def diffusion(name: str, family: str, gib: float = 12.0, **changes) -> ModelFile:
    known = {
        "size_bytes": int(gib * GIB),
        "family": family,
        "architecture": families()[family].architecture,
        "confidence": 0.95,
        "dtype": "bf16",
    }
    return ModelFile(Kind.DIFFUSION_MODEL, name, **{**known, **changes})


def parts_of(family: str) -> tuple[ModelFile, ...]:
    row = families()[family]
    encoders = [ModelFile(Kind.TEXT_ENCODER, part.file, 2 * GIB, dtype="fp16") for part in row.text_encoders]
    vae = [ModelFile(Kind.VAE, row.vae.file, 160_000_000, dtype="fp16")] if row.vae else []
    return (*encoders, *vae)


def lora(name: str, family: str = "sdxl", **changes) -> ModelFile:
    known = {
        "size_bytes": 220_000_000,
        "family": family,
        "architecture": families()[family].architecture,
        "confidence": 0.95,
        "keys": 722,
    }
    return ModelFile(Kind.LORA, name, **{**known, **changes})


def library(*files: ModelFile, version: str = "1", complete: bool = True) -> Library:
    return Library(files, version, complete)


def complete_set(family: str) -> tuple[ModelFile, ...]:
    """One model of the family with all that a graph needs beside it."""
    row = families()[family]
    if not row.text_encoders:
        return (checkpoint(f"{family}.safetensors", family), *parts_of(family))
    first = diffusion(f"{family}_high_noise.safetensors" if row.halves else f"{family}.safetensors", family)
    second = (diffusion(f"{family}_low_noise.safetensors", family),) if row.halves else ()
    return (first, *second, *parts_of(family))


LORAS = (
    lora(
        "anime_style_v2.safetensors",
        title="Anime Style v2",
        tags=("anime", "style"),
        trigger_groups=(("anime style",),),
        downloads=5_000,
    ),
    lora("detail_enhancer.safetensors", title="Detail Enhancer", tags=("detail", "enhancer", "tool"), downloads=50_000),
    lora(
        "watercolor_wash.safetensors",
        title="Watercolor Wash",
        tags=("watercolor", "style"),
        trigger_groups=(("wtrclr",),),
        downloads=900,
    ),
    lora(
        "steam_locomotive.safetensors",
        title="Steam Locomotive",
        tags=("vehicle", "train"),
        trigger_groups=(("steam locomotive",),),
        downloads=300,
    ),
    lora("flux_anime.safetensors", "flux_dev", title="Anime for Flux", tags=("anime", "style"), downloads=90_000),
)
