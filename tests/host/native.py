"""Native graphs written by hand from a plan's values, without the pack's own graph code."""

from __future__ import annotations

from typing import Any

from pack.plan import Plan


def native_graph(plan: Plan, seed: int) -> dict[str, Any]:
    """What a person would wire for this plan with ComfyUI's own nodes."""
    graph = _single_file(plan) if plan.models.checkpoint else _in_parts(plan)
    _loras(graph, plan)
    _texts(graph, plan)
    settings = plan.settings
    latent = {"width": settings.width, "height": settings.height, "batch_size": settings.batch}
    graph["latent"] = {"class_type": LATENT.get(plan.family, "EmptyLatentImage"), "inputs": latent}
    graph["sample"] = {
        "class_type": "KSampler",
        "inputs": {
            "model": graph["ends"]["model"],
            "positive": graph["ends"]["positive"],
            "negative": graph["ends"]["negative"],
            "latent_image": ["latent", 0],
            "seed": seed,
            "steps": settings.steps,
            "cfg": settings.cfg,
            "sampler_name": settings.sampler,
            "scheduler": settings.scheduler,
            "denoise": settings.denoise,
        },
    }
    graph["picture"] = {"class_type": "VAEDecode", "inputs": {"samples": ["sample", 0], "vae": graph["ends"]["vae"]}}
    graph["save"] = {"class_type": "SaveImage", "inputs": {"images": ["picture", 0], "filename_prefix": "native"}}
    del graph["ends"]
    return graph


FLOW = ("sd3", "sd35", "flux")
LATENT = {name: "EmptySD3LatentImage" for name in ("sd35_large", "sd35_medium", "sd35_turbo", "sd3_medium", "flux_dev", "flux1_dev")}


def _single_file(plan: Plan) -> dict[str, Any]:
    load = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": plan.models.checkpoint}}
    return {"load": load, "ends": {"model": ["load", 0], "clip": ["load", 1], "vae": ["load", 2]}}


def _in_parts(plan: Plan) -> dict[str, Any]:
    models = plan.models
    unet = {"unet_name": models.diffusion_model, "weight_dtype": models.weight_dtype}
    return {
        "load": {"class_type": "UNETLoader", "inputs": unet},
        "vae": {"class_type": "VAELoader", "inputs": {"vae_name": models.vae}},
        "ends": {"model": ["load", 0], "vae": ["vae", 0], "clip": ["clip", 0]},
    }


def _loras(graph: dict[str, Any], plan: Plan) -> None:
    for number, choice in enumerate(plan.loras):
        ends = graph["ends"]
        strengths = {"strength_model": choice.use.strength_model, "strength_clip": choice.use.strength_clip}
        inputs = {"model": ends["model"], "clip": ends["clip"], "lora_name": choice.use.name, **strengths}
        graph[f"lora{number}"] = {"class_type": "LoraLoader", "inputs": inputs}
        ends |= {"model": [f"lora{number}", 0], "clip": [f"lora{number}", 1]}


def _texts(graph: dict[str, Any], plan: Plan) -> None:
    ends = graph["ends"]
    for name, text in (("positive", plan.prompt), ("negative", plan.negative or "")):
        graph[name] = {"class_type": "CLIPTextEncode", "inputs": {"clip": ends["clip"], "text": text}}
        ends[name] = [name, 0]
