"""The workflows that ``memory_gpu.py`` runs, in API format: one picture of a full-size checkpoint."""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from memory_gpu_models import SDXL

STEPS, SIDE = 10, 1024
ROOT = Path(__file__).resolve().parent.parent

Found = dict[str, Any]


def auto(**widgets: Any) -> Found:
    made: Found = json.loads((ROOT / "workflows" / "api" / "auto_pipeline.json").read_text(encoding="utf-8"))
    usual = {"prompt": "a red fox", "seed": 1, "width": SIDE, "height": SIDE, "steps": STEPS, "reader": "rules", "max_loras": 0}
    made["1"]["inputs"] |= {**usual, "batch": 1, **widgets}
    return made


def native(checkpoint: str, strategy: str | None, seed: int = 1) -> Found:
    nodes = {"load": node("CheckpointLoaderSimple", ckpt_name=checkpoint)}
    if strategy:
        nodes["strategy"] = node("IIG_MemoryStrategy", model=["load", 0], strategy=strategy)
    return nodes | drawing(["strategy" if strategy else "load", 0], ["load", 1], seed)


def loaded(form: str, lora: str = "", seed: int = 1, repeat: int = 0) -> Found:
    how = {"ckpt_name": SDXL, "weight_dtype": form, "encoder_dtype": "default", "encoder_device": "default"}
    nodes, ends = {"load": node("IIG_LoadCheckpoint", **how)}, "load"
    if repeat:  # all of it runs again, on what was loaded
        nodes["other"] = node("EmptyLatentImage", width=64, height=64 * repeat, batch_size=1)
        nodes["load"]["inputs"]["after"] = ["other", 0]
    if lora:
        strengths = {"strength_model": 1.0, "strength_clip": 0.0}
        nodes["lora"] = node("LoraLoader", model=["load", 0], clip=["load", 1], lora_name=lora, **strengths)
        ends = "lora"
    return nodes | drawing([ends, 0], [ends, 1], seed)


def drawing(model: list[Any], clip: list[Any], seed: int) -> Found:
    links = {"positive": ["positive", 0], "negative": ["negative", 0], "latent_image": ["latent", 0], "model": model}
    how = {"seed": seed, "steps": STEPS, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    return {
        "positive": node("CLIPTextEncode", clip=clip, text="a red fox"),
        "negative": node("CLIPTextEncode", clip=clip, text="blue"),
        "latent": node("EmptyLatentImage", width=SIDE, height=SIDE, batch_size=1),
        "sample": node("KSampler", **links, **how),
        "decode": node("VAEDecode", samples=["sample", 0], vae=["load", 2]),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="bench"),
    }


def node(class_type: str, **inputs: Any) -> Found:
    return {"class_type": class_type, "inputs": inputs}
