"""The plain-text ``parameters`` block that A1111-style programs and hubs read from a picture."""

from __future__ import annotations

from ..plan import Plan, Settings

# ComfyUI's sampler names as A1111 spells them; others are written as they are.
_SAMPLERS = {
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "dpm_2": "DPM2",
    "dpm_2_ancestral": "DPM2 a",
    "lms": "LMS",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_2m_sde_gpu": "DPM++ 2M SDE",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "ddim": "DDIM",
    "uni_pc": "UniPC",
    "lcm": "LCM",
}
_SCHEDULERS = {
    "karras": "Karras",
    "exponential": "Exponential",
    "sgm_uniform": "SGM Uniform",
    "simple": "Simple",
    "beta": "Beta",
}


def parameters_text(plan: Plan, seed: int | None) -> str:
    """Prompt with ``<lora:…>`` tags, negative prompt, then one line of settings. Holds file names, never
    folders of the disk."""
    tags = "".join(f" <lora:{_stem(choice.use.name)}:{choice.use.strength_model:g}>" for choice in plan.loras)
    lines = [plan.prompt + tags]
    if plan.negative:
        lines.append(f"Negative prompt: {plan.negative}")
    lines.append(", ".join(f"{key}: {value}" for key, value in _fields(plan, seed).items()))
    return "\n".join(lines)


def sampler_label(settings: Settings) -> str:
    """Sampler and scheduler as people say them: "DPM++ 2M Karras"."""
    sampler = _SAMPLERS.get(settings.sampler, settings.sampler)
    scheduler = _SCHEDULERS.get(settings.scheduler, "")
    return f"{sampler} {scheduler}".strip()


def _fields(plan: Plan, seed: int | None) -> dict[str, object]:
    settings = plan.settings
    fields: dict[str, object] = {"Steps": settings.steps, "Sampler": sampler_label(settings), "CFG scale": f"{settings.cfg:g}"}
    if settings.guidance is not None:
        fields["Distilled CFG Scale"] = f"{settings.guidance:g}"
    if seed is not None:
        fields["Seed"] = seed
    fields["Size"] = f"{settings.width}x{settings.height}"
    fields["Model"] = _stem(plan.models.checkpoint or plan.models.diffusion_model or "")
    if settings.clip_skip:
        fields["Clip skip"] = settings.clip_skip
    if settings.denoise < 1:
        fields["Denoising strength"] = f"{settings.denoise:g}"
    return fields


def _stem(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
