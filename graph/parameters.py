"""The plain-text ``parameters`` block that A1111-style programs and hubs read from a picture."""

from __future__ import annotations

from ..data import table
from ..plan import Plan, Settings


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
    return f"{_spelled('sampler', settings.sampler)} {_spelled('scheduler', settings.scheduler)}".strip()


def _spelled(kind: str, name: str) -> str:
    row = table("samplers")[kind].get(name, {})
    return str(row.get("a1111", row.get("label", name if kind == "sampler" else "")))


def _fields(plan: Plan, seed: int | None) -> dict[str, object]:
    settings = plan.settings
    fields: dict[str, object] = {"Steps": settings.steps, "Sampler": sampler_label(settings), "CFG scale": f"{settings.cfg:g}"}
    if settings.guidance is not None:
        fields["Distilled CFG Scale"] = f"{settings.guidance:g}"
    if seed is not None:
        fields["Seed"] = seed
    if not plan.request.keeps_shape:  # the picture's own shape is known only once it is drawn
        fields["Size"] = f"{settings.width}x{settings.height}"
    fields["Model"] = _stem(plan.models.checkpoint or plan.models.diffusion_model or "")
    if settings.clip_skip:
        fields["Clip skip"] = settings.clip_skip
    if settings.denoise < 1:
        fields["Denoising strength"] = f"{settings.denoise:g}"
    return fields


def _stem(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
