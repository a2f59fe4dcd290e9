"""One recipe per shape of graph. A family's row names its recipe; nothing here knows a family by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .builder import Link
from .parts import Job, Parts, load, second_half

# Tiles of 512 pixels overlapping by 64, and the video fields' defaults: nodes.py VAEDecodeTiled.
_TILES = {"tile_size": 512, "overlap": 64, "temporal_size": 64, "temporal_overlap": 8}
_LAST_STEP = 10_000
_MEGAPIXEL = 1024 * 1024  # ComfyUI's own: nodes_post_processing.py ImageScaleToTotalPixels

Outputs = dict[str, Link]
Conditions = tuple[Link, Link]


@dataclass(frozen=True)
class Span:
    """Steps of a two-stage sampling: of ``total``, begin at ``start`` and change models at ``turn``."""

    total: int
    start: int
    turn: int


@dataclass(frozen=True)
class Stage:
    """One of the ``KSamplerAdvanced`` of a two-stage sampling."""

    name: str
    model: Link
    conditions: Conditions
    total: int
    start: int
    end: int = _LAST_STEP
    adds_noise: bool = True


def one_pass(job: Job) -> Outputs:
    """One model, one ``KSampler``; with a refiner in the plan, two ``KSamplerAdvanced``."""
    parts = load(job)
    conditions = conditioned(job, parts.clip)
    start = starting_latent(job, parts.vae)
    refiner = job.plan.models.second
    latent = _refined(job, refiner, parts, conditions, start) if refiner else _sampled(job, parts, conditions, start)
    return finished(job, parts, conditions, latent)


def two_part(job: Job) -> Outputs:
    """A model for the noisy steps and one for the clean ones, both on the same text."""
    parts = load(job)
    conditions = conditioned(job, parts.clip)
    start = starting_latent(job, parts.vae)
    second = job.plan.models.second
    if second:
        latent = _two_stages(job, (parts.model, second_half(job, second)), (conditions, conditions), start)
    else:
        latent = _sampled(job, parts, conditions, start)
    return finished(job, parts, conditions, latent)


def scheduled(job: Job) -> Outputs:
    """Sigmas that depend on the picture's size: ``SamplerCustomAdvanced`` with the family's own scheduler."""
    parts = load(job)
    positive, negative = conditioned(job, parts.clip)
    add, settings = job.nodes.add, job.plan.settings
    latent = add(
        "sampler",
        "SamplerCustomAdvanced",
        noise=add("noise", "RandomNoise", noise_seed=job.seed).out(),
        guider=add(
            "guider", "CFGGuider", model=parts.model, positive=positive, negative=negative, cfg=float(settings.cfg)
        ).out(),
        sampler=add("sampler_choice", "KSamplerSelect", sampler_name=settings.sampler).out(),
        sigmas=_sigmas(job),
        latent_image=starting_latent(job, parts.vae),
    ).out()
    return finished(job, parts, (positive, negative), latent)


RECIPES: dict[str, Callable[[Job], Outputs]] = {
    "checkpoint": one_pass,
    "split": one_pass,
    "two_part": two_part,
    "scheduled": scheduled,
}


def conditioned(job: Job, clip: Link, prefix: str = "") -> Conditions:
    """The encoded prompt and negative prompt; zeroed where a negative prompt has no effect."""
    text = job.nodes.add(prefix + "positive", "CLIPTextEncode", text=job.plan.prompt, clip=clip).out()
    positive = text
    if job.family.guidance and job.plan.settings.guidance is not None:
        guidance = float(job.plan.settings.guidance)
        positive = job.nodes.add(prefix + "guidance", "FluxGuidance", conditioning=text, guidance=guidance).out()
    if job.plan.settings.cfg > 1:
        written = job.plan.negative or ""
        negative = job.nodes.add(prefix + "negative", "CLIPTextEncode", text=written, clip=clip)
    else:
        negative = job.nodes.add(prefix + "negative", "ConditioningZeroOut", conditioning=list(text))
    return positive, negative.out()


def starting_latent(job: Job, vae: Link) -> Link:
    """An empty latent of the planned size, or the given picture brought to that size."""
    settings = job.plan.settings
    size = {"width": int(settings.width), "height": int(settings.height)}
    if job.image is None:
        extra = _latent_extras(job.family.latent_node, vae)
        return job.nodes.add("empty_latent", job.family.latent_node, **extra, **size, batch_size=int(settings.batch)).out()
    latent = job.nodes.add("encoded", "VAEEncode", pixels=_resized(job, size), vae=vae).out()
    if settings.batch > 1:
        latent = job.nodes.add("batch", "RepeatLatentBatch", samples=latent, amount=int(settings.batch)).out()
    return latent


def _resized(job: Job, size: dict[str, int]) -> Link:
    """The given picture at the size the person fixed, else in its own shape with the planned number of pixels."""
    fixed, inputs = job.plan.request.fixed, {"image": list(job.image or ()), "upscale_method": "lanczos"}
    if fixed.width or fixed.height:
        return job.nodes.add("resized", "ImageScale", **inputs, **size, crop="center").out()
    megapixels = round(size["width"] * size["height"] / _MEGAPIXEL, 2)
    steps = job.family.multiple  # hosts before 0.33 know no such input and ignore it
    return job.nodes.add("resized", "ImageScaleToTotalPixels", **inputs, megapixels=megapixels, resolution_steps=steps).out()


def finished(job: Job, parts: Parts, conditions: Conditions, latent: Link) -> Outputs:
    """The decoded image beside everything a canvas may want to go on from."""
    tiled = job.plan.settings.tiled_decode
    class_type, extra = ("VAEDecodeTiled", _TILES) if tiled else ("VAEDecode", {})
    image = job.nodes.add("decode", class_type, samples=latent, vae=parts.vae, **extra).out()
    positive, negative = conditions
    links = {"image": image, "latent": latent, "model": parts.model, "clip": parts.clip, "vae": parts.vae}
    return {name: list(link) for name, link in {**links, "positive": positive, "negative": negative}.items()}


def _latent_extras(class_type: str, vae: Link) -> dict[str, Any]:
    if class_type == "EmptyHunyuanLatentVideo":
        return {"length": 1}
    return {"vae": vae, "length": 1} if class_type == "Wan22ImageToVideoLatent" else {}


def _sampled(job: Job, parts: Parts, conditions: Conditions, latent: Link) -> Link:
    settings = job.plan.settings
    sampler = job.nodes.add(
        "sampler",
        "KSampler",
        model=parts.model,
        seed=job.seed,
        steps=int(settings.steps),
        cfg=float(settings.cfg),
        sampler_name=settings.sampler,
        scheduler=settings.scheduler,
        positive=conditions[0],
        negative=conditions[1],
        latent_image=latent,
        denoise=_denoise(job),
    )
    return sampler.out()


def _refined(job: Job, refiner: str, parts: Parts, conditions: Conditions, latent: Link) -> Link:
    loader = job.nodes.add("refiner", "CheckpointLoaderSimple", ckpt_name=refiner)
    refining = conditioned(job, loader.out(1), "refiner_")
    return _two_stages(job, (parts.model, loader.out(0)), (conditions, refining), latent)


def _two_stages(job: Job, models: tuple[Link, Link], texts: tuple[Conditions, Conditions], latent: Link) -> Link:
    span = _span(job)
    if span.start >= span.turn:
        return _stage(job, Stage("sampler", models[1], texts[1], span.total, span.start), latent)
    first = Stage("sampler", models[0], texts[0], span.total, span.start, span.turn)
    # The second stage adds no noise of its own; seed 0 is what the official templates give it.
    second = Stage("second_sampler", models[1], texts[1], span.total, span.turn, adds_noise=False)
    return _stage(job, second, _stage(job, first, latent))


def _stage(job: Job, stage: Stage, latent: Link) -> Link:
    settings = job.plan.settings
    sampler = job.nodes.add(
        stage.name,
        "KSamplerAdvanced",
        model=stage.model,
        add_noise=_switch(stage.adds_noise),
        noise_seed=job.seed if stage.adds_noise else 0,
        steps=stage.total,
        cfg=float(settings.cfg),
        sampler_name=settings.sampler,
        scheduler=settings.scheduler,
        positive=stage.conditions[0],
        negative=stage.conditions[1],
        latent_image=latent,
        start_at_step=stage.start,
        end_at_step=stage.end,
        return_with_leftover_noise=_switch(stage.end < _LAST_STEP),
    )
    return sampler.out()


def _span(job: Job) -> Span:
    steps = int(job.plan.settings.steps)
    total = _stretched(steps, _denoise(job))
    return Span(total, total - steps, round(total * (job.family.second_switch or 1.0)))


def _sigmas(job: Job) -> Link:
    settings, denoise = job.plan.settings, _denoise(job)
    size = {"width": int(settings.width), "height": int(settings.height)}
    steps = _stretched(int(settings.steps), denoise)
    sigmas = job.nodes.add("scheduler", job.family.scheduler_node or "Flux2Scheduler", steps=steps, **size)
    if denoise == 1:
        return sigmas.out()
    return job.nodes.add("denoise", "SplitSigmasDenoise", sigmas=sigmas.out(), denoise=denoise).out(1)


def _denoise(job: Job) -> float:
    """Less than 1 would leave an empty latent half noise."""
    return float(job.plan.settings.denoise) if job.image is not None else 1.0


def _stretched(steps: int, denoise: float) -> int:
    """As many steps in all as leave ``steps`` of them at this denoise: comfy/samplers.py KSampler.set_steps."""
    return min(_LAST_STEP, int(steps / max(denoise, 1 / _LAST_STEP)))


def _switch(on: bool) -> str:
    return "enable" if on else "disable"
