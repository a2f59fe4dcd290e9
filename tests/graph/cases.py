"""Plans built by hand, one per family row and one per turn a recipe can take."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from pack.data.families import Family, families
from pack.graph import build
from pack.plan import Analysis, Fixed, LoraChoice, LoraUse, Models, Offload, Plan, Precision, Priority, Request, Settings

GOLDEN = Path(__file__).parent / "golden"
SEED = 42
IMAGE = ["outside", 0]
PROMPT = "a lighthouse at dusk"


def settings_of(row: Family) -> Settings:
    sampler, scheduler = row.samplers[Priority.BALANCED]
    width, height = row.buckets[0]
    high = row.cfg["default"][1]
    return Settings(
        steps=row.steps[Priority.BALANCED],
        cfg=1.0 if row.guidance else high,
        guidance=high if row.guidance else None,
        sampler=sampler,
        scheduler=scheduler,
        width=width,
        height=height,
        shift=row.shift,
        clip_skip=row.clip_skip,
    )


def models_of(row: Family) -> Models:
    if row.recipe == "checkpoint":
        return Models(checkpoint=f"{row.id}.safetensors")
    second = f"{row.id}_low_noise.safetensors" if row.halves else None
    encoders = tuple(part.file for part in row.text_encoders)
    return Models(None, f"{row.id}.safetensors", encoders, row.vae.file, second)


def plan_of(family: str) -> Plan:
    row = families()[family]
    return Plan(
        request=Request(PROMPT),
        analysis=Analysis(PROMPT, PROMPT),
        family=family,
        recipe=row.recipe,
        models=models_of(row),
        settings=settings_of(row),
        prompt=PROMPT,
        negative="blurry" if row.negative_acts else None,
    )


def lora(name: str, strength: float = 0.8) -> LoraChoice:
    return LoraChoice(LoraUse(name, strength, strength))


def with_settings(family: str, **changes) -> Plan:
    plan = plan_of(family)
    return replace(plan, settings=replace(plan.settings, **changes))


def _turns() -> dict[str, tuple[Plan, list | None]]:
    """What a recipe does beyond the plain case of each family."""
    sdxl, sd15, flux = plan_of("sdxl"), plan_of("sd15"), plan_of("flux_dev")
    wan, encoders = plan_of("wan22"), ("clip_l.safetensors", "clip_g.safetensors", "t5xxl_fp16.safetensors")
    halves = (lora("spark_high_noise.safetensors"), lora("spark_low_noise.safetensors"), lora("ink.safetensors"))
    refined = replace(sdxl.models, second="sd_xl_refiner_1.0.safetensors")
    split = Models(None, "sd3.5_large.safetensors", encoders, "sd3_vae.safetensors", weight_dtype=Precision.FP8)
    small = replace(sdxl.models, weight_dtype=Precision.FP8, encoder_on_cpu=True)
    qwen = plan_of("qwen_image")
    eighths = replace(qwen.models, weight_dtype=Precision.INT8, encoder_on_cpu=True)
    whole = Models("flux1-dev-fp8.safetensors")
    quick = replace(sd15.settings, steps=8, cfg=1.0, sampler="lcm", scheduler="sgm_uniform")
    return {
        "sdxl+loras": (replace(sdxl, loras=(lora("anime.safetensors"), lora("detail.safetensors", 0.5))), None),
        "sdxl+refiner": (replace(sdxl, models=refined), None),
        "sdxl+vae": (replace(sdxl, models=replace(sdxl.models, vae="sdxl_vae.safetensors")), None),
        "sd15+image": (with_settings("sd15", denoise=0.6, batch=2), IMAGE),
        "sd15+sized": (replace(sd15, request=replace(sd15.request, fixed=Fixed(width=512, height=768))), IMAGE),
        "sd15+tiled": (with_settings("sd15", tiled_decode=True), None),
        "sd15+lcm": (replace(sd15, settings=quick, distillation="lcm", negative=None), None),
        "sd35_large+split": (replace(plan_of("sd35_large"), models=split), None),
        "sd35_large+shift": (with_settings("sd35_large", shift=3.0), None),
        "flux_dev+checkpoint": (replace(flux, models=whole), None),
        "flux_dev+shift": (with_settings("flux_dev", shift=1.15), None),
        "flux_dev+loras": (replace(flux, loras=(lora("photo.safetensors"),)), None),
        "flux2_dev+image": (with_settings("flux2_dev", denoise=0.5), IMAGE),
        "qwen_image+loras": (replace(plan_of("qwen_image"), loras=(lora("ink.safetensors"),)), None),
        "sdxl+balanced": (replace(sdxl, memory=Offload.BALANCED), None),
        "sdxl+full": (replace(sdxl, request=replace(sdxl.request, memory=Offload.NONE)), None),
        "sdxl+aggressive": (replace(sdxl, models=small, memory=Offload.AGGRESSIVE, loras=(lora("anime.safetensors"),)), None),
        "qwen_image+aggressive": (replace(qwen, models=eighths, memory=Offload.AGGRESSIVE), None),
        "flux2_dev+balanced": (replace(plan_of("flux2_dev"), memory=Offload.BALANCED), None),
        "wan22+aggressive": (replace(wan, memory=Offload.AGGRESSIVE), None),
        "wan22+loras": (replace(wan, loras=halves), None),
        "wan22+half": (replace(wan, models=replace(wan.models, second=None)), None),
        "wan22+image": (with_settings("wan22", denoise=0.4), IMAGE),
    }


def cases() -> dict[str, tuple[Plan, list | None]]:
    """Plan and link to a first picture, by the name of the golden."""
    return {**{name: (plan_of(name), None) for name in families()}, **_turns()}


def golden_text(name: str) -> str:
    plan, image = cases()[name]
    graph = build(plan, SEED, image=image)
    return json.dumps({"nodes": graph.nodes, "outputs": graph.outputs}, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def rewrite() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.glob("*.json"):
        old.unlink()
    for name in cases():
        (GOLDEN / f"{name}.json").write_text(golden_text(name), encoding="utf-8")
