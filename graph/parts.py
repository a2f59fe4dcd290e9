"""What a graph begins with: the model, its text encoder and its VAE, with LoRAs and sampling patches on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..data.families import Family, distillations
from ..errors import MissingModel
from ..plan import LoraUse, Plan, Precision, Prediction
from .builder import Builder, Link, Node

_CLIP_LOADERS = {1: "CLIPLoader", 2: "DualCLIPLoader", 3: "TripleCLIPLoader", 4: "QuadrupleCLIPLoader"}
# The loaders of three and four encoders know only one model and have no type to choose.
_UNTYPED = ("TripleCLIPLoader", "QuadrupleCLIPLoader")
# ComfyUI's own base shift for Flux: comfy_extras/nodes_model_advanced.py ModelSamplingFlux.
_BASE_SHIFT = 0.5


@dataclass(frozen=True)
class Job:
    """A plan on its way into native nodes; ``image`` links to a picture to start from."""

    plan: Plan
    family: Family
    seed: int
    nodes: Builder
    image: Link | None = None


@dataclass(frozen=True)
class Parts:
    """Links to the three things every recipe needs."""

    model: Link
    clip: Link
    vae: Link


def load(job: Job) -> Parts:
    """The plan's files, LoRAs, clip skip and sampling patches. Raises ``MissingModel`` when the plan names
    no file for one of the three."""
    parts = _loaded(job)
    parts = _with_loras(job, parts)
    return replace(parts, model=patched(job, parts.model), clip=_with_clip_skip(job, parts.clip))


def second_half(job: Job, name: str) -> Link:
    """The second model of a two-part family, with its own LoRAs and patches."""
    model = _diffusion_model(job, "second_model", name)
    for use in _loras(job, half=1):
        model = _lora_on_model(job, f"second_{lora_id(use.name)}", model, use)
    return patched(job, model, "second_")


def lora_id(name: str) -> str:
    """A node id that follows the LoRA and not its place in the stack: ComfyUI keeps a loaded LoRA per id."""
    return "lora_" + hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:8]


def patched(job: Job, model: Link, prefix: str = "") -> Link:
    """The model with prediction type, shift and rescaled CFG as the family asks."""
    family, settings = job.family, job.plan.settings
    if mode := _sampling_mode(job):
        zsnr = family.zsnr and mode == "v_prediction"
        model = job.nodes.add(prefix + "prediction", "ModelSamplingDiscrete", model=model, sampling=mode, zsnr=zsnr).out()
    if family.shift_node and settings.shift is not None:
        model = _shifted(job, prefix + "shift", family.shift_node, model, float(settings.shift))
    if family.rescale_cfg is not None and settings.cfg > 1:
        model = job.nodes.add(prefix + "rescale_cfg", "RescaleCFG", model=model, multiplier=family.rescale_cfg).out()
    return model


def _loaded(job: Job) -> Parts:
    models = job.plan.models
    if models.checkpoint:
        checkpoint = _checkpoint(job, models.checkpoint)
        model, clip, vae = (checkpoint.out(slot) for slot in range(3))
    elif models.diffusion_model and models.text_encoders and models.vae:
        model, clip, vae = _diffusion_model(job, "diffusion_model", models.diffusion_model), [], []
    else:
        raise MissingModel("plan_without_model", job.plan.request.language, family=job.family.label)
    if models.text_encoders:
        clip = _text_encoders(job, models.text_encoders)
    if models.vae:
        vae = job.nodes.add("vae", "VAELoader", vae_name=models.vae).out()
    return Parts(model, clip, vae)


def _checkpoint(job: Job, name: str) -> Node:
    """ComfyUI's own loader where it can do what the plan says: it knows no precision and no device."""
    models = job.plan.models
    precisions = {"weight_dtype": models.weight_dtype.value, "encoder_dtype": models.encoder_dtype.value}
    if set(precisions.values()) == {Precision.DEFAULT.value} and not models.encoder_on_cpu:
        return job.nodes.add("checkpoint", "CheckpointLoaderSimple", ckpt_name=name)
    device = _device(models.encoder_on_cpu)
    return job.nodes.add("checkpoint", "IIG_LoadCheckpoint", ckpt_name=name, **precisions, encoder_device=device)


def _diffusion_model(job: Job, place: str, name: str) -> Link:
    dtype = job.plan.models.weight_dtype
    # ComfyUI's own loader casts every layer to fp8, which errs twice as much (bench/precision.py).
    loader = "UNETLoader" if dtype is Precision.DEFAULT else "IIG_LoadDiffusionModel"
    return job.nodes.add(place, loader, unet_name=name, weight_dtype=dtype.value).out()


def _device(on_cpu: bool) -> str:
    return "cpu" if on_cpu else "default"


def _text_encoders(job: Job, names: tuple[str, ...]) -> Link:
    usual = job.family.clip_loader if len(names) == len(job.family.text_encoders) else None
    loader = usual or _CLIP_LOADERS[len(names)]
    labels = ["clip_name"] if len(names) == 1 else [f"clip_name{place}" for place in range(1, len(names) + 1)]
    inputs = dict(zip(labels, names, strict=True))
    if loader not in _UNTYPED:
        inputs |= {"type": job.plan.models.clip_type or job.family.clip_type or "stable_diffusion"}
        inputs["device"] = _device(job.plan.models.encoder_on_cpu)
    return job.nodes.add("text_encoder", loader, **inputs).out()


def _with_loras(job: Job, parts: Parts) -> Parts:
    for use in _loras(job, half=0):
        if not job.family.lora_text_encoder:
            parts = replace(parts, model=_lora_on_model(job, lora_id(use.name), parts.model, use))
            continue
        lora = job.nodes.add(
            lora_id(use.name),
            "LoraLoader",
            model=parts.model,
            clip=parts.clip,
            lora_name=use.name,
            strength_model=float(use.strength_model),
            strength_clip=float(use.strength_clip),
        )
        parts = replace(parts, model=lora.out(0), clip=lora.out(1))
    return parts


def _lora_on_model(job: Job, name: str, model: Link, use: LoraUse) -> Link:
    strength = float(use.strength_model)
    return job.nodes.add(name, "LoraLoaderModelOnly", model=model, lora_name=use.name, strength_model=strength).out()


def _loras(job: Job, half: int) -> Iterator[LoraUse]:
    seen: set[str] = set()
    for choice in job.plan.loras:
        name = choice.use.name
        if choice.chosen and name not in seen and job.family.half_of(name) in (None, half):
            seen.add(name)
            yield choice.use


def _with_clip_skip(job: Job, clip: Link) -> Link:
    skip = job.plan.settings.clip_skip
    if job.family.clip_skip is None or skip is None or skip < 2:
        return clip
    return job.nodes.add("clip_skip", "CLIPSetLastLayer", clip=clip, stop_at_clip_layer=-int(skip)).out()


def _sampling_mode(job: Job) -> str | None:
    row = distillations().get(job.plan.distillation or "")
    if row and row.sampling:
        return row.sampling
    return "v_prediction" if job.family.prediction is Prediction.V else None


def _shifted(job: Job, name: str, class_type: str, model: Link, shift: float) -> Link:
    if class_type != "ModelSamplingFlux":
        return job.nodes.add(name, class_type, model=model, shift=shift).out()
    size = {"width": int(job.plan.settings.width), "height": int(job.plan.settings.height)}
    return job.nodes.add(name, class_type, model=model, max_shift=shift, base_shift=_BASE_SHIFT, **size).out()
