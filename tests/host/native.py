"""Native graphs written by hand from a plan's values, without the pack's own graph code."""

from __future__ import annotations

from typing import Any

from pack.plan import Plan

LATENT = {"sd35_medium": "EmptySD3LatentImage", "flux_dev": "EmptySD3LatentImage"}


def native_graph(plan: Plan, seed: int, image: str | None = None) -> dict[str, Any]:
    """What a person would wire for this plan with ComfyUI's own nodes; ``image`` is a file to start from."""
    graph, ends = _single_file(plan) if plan.models.checkpoint else _in_parts(plan)
    _loras(graph, ends, plan)
    _texts(graph, ends, plan)
    _patches(graph, ends, plan)
    _start(graph, ends, plan, image)
    settings = plan.settings
    graph["sample"] = {
        "class_type": "KSampler",
        "inputs": {
            "model": ends["model"],
            "positive": ends["positive"],
            "negative": ends["negative"],
            "latent_image": ends["latent"],
            "seed": seed,
            "steps": settings.steps,
            "cfg": settings.cfg,
            "sampler_name": settings.sampler,
            "scheduler": settings.scheduler,
            "denoise": settings.denoise,
        },
    }
    graph["picture"] = {"class_type": "VAEDecode", "inputs": {"samples": ["sample", 0], "vae": ends["vae"]}}
    graph["save"] = {"class_type": "SaveImage", "inputs": {"images": ["picture", 0], "filename_prefix": "native"}}
    return graph


def _single_file(plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    load = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": plan.models.checkpoint}}
    return {"load": load}, {"model": ["load", 0], "clip": ["load", 1], "vae": ["load", 2]}


def _in_parts(plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    models = plan.models
    names = models.text_encoders
    single = {"clip_name": names[0]} if len(names) == 1 else {"clip_name1": names[0], "clip_name2": names[1]}
    graph = {
        "load": {"class_type": "UNETLoader", "inputs": {"unet_name": models.diffusion_model, "weight_dtype": "default"}},
        "clip": {"class_type": "CLIPLoader" if len(names) == 1 else "DualCLIPLoader", "inputs": {**single, "type": "sd3"}},
        "vae": {"class_type": "VAELoader", "inputs": {"vae_name": models.vae}},
    }
    return graph, {"model": ["load", 0], "vae": ["vae", 0], "clip": ["clip", 0]}


def _loras(graph: dict[str, Any], ends: dict[str, Any], plan: Plan) -> None:
    for number, choice in enumerate(plan.loras):
        strengths = {"strength_model": choice.use.strength_model, "strength_clip": choice.use.strength_clip}
        inputs = {"model": ends["model"], "clip": ends["clip"], "lora_name": choice.use.name, **strengths}
        graph[f"lora{number}"] = {"class_type": "LoraLoader", "inputs": inputs}
        ends |= {"model": [f"lora{number}", 0], "clip": [f"lora{number}", 1]}


def _texts(graph: dict[str, Any], ends: dict[str, Any], plan: Plan) -> None:
    for name, text in (("positive", plan.prompt), ("negative", plan.negative or "")):
        graph[name] = {"class_type": "CLIPTextEncode", "inputs": {"clip": ends["clip"], "text": text}}
        ends[name] = [name, 0]
    if plan.settings.cfg == 1:
        graph["negative"] = {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["positive", 0]}}
    if plan.settings.guidance is not None:
        guided = {"conditioning": ["positive", 0], "guidance": plan.settings.guidance}
        graph["guided"] = {"class_type": "FluxGuidance", "inputs": guided}
        ends["positive"] = ["guided", 0]


def _patches(graph: dict[str, Any], ends: dict[str, Any], plan: Plan) -> None:
    if plan.family == "noobai_v":
        inputs = {"model": ends["model"], "sampling": "v_prediction", "zsnr": True}
        graph["v"] = {"class_type": "ModelSamplingDiscrete", "inputs": inputs}
        graph["rescale"] = {"class_type": "RescaleCFG", "inputs": {"model": ["v", 0], "multiplier": 0.7}}
        ends["model"] = ["rescale", 0]


def _start(graph: dict[str, Any], ends: dict[str, Any], plan: Plan, image: str | None) -> None:
    size = {"width": plan.settings.width, "height": plan.settings.height}
    ends["latent"] = ["latent", 0]
    if image is None:
        latent = LATENT.get(plan.family, "EmptyLatentImage")
        graph["latent"] = {"class_type": latent, "inputs": {**size, "batch_size": plan.settings.batch}}
        return
    graph["start"] = {"class_type": "LoadImage", "inputs": {"image": image}}
    scale = {"image": ["start", 0], "upscale_method": "lanczos", **size, "crop": "center"}
    graph["scaled"] = {"class_type": "ImageScale", "inputs": scale}
    graph["latent"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["scaled", 0], "vae": ends["vae"]}}
