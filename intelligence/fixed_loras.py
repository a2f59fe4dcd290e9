"""The LoRAs a person fixed, as choices: names found, strengths kept."""

from __future__ import annotations

from dataclasses import replace

from ..errors import MissingModel
from ..plan import Kind, Library, LoraChoice, LoraUse, Mode, Reason, Request
from .named import find_named, stem


def fixed_loras(request: Request, written: tuple[LoraChoice, ...], library: Library) -> tuple[LoraChoice, ...] | None:
    """The stack the person fixed, with the ones ``written`` in the prompt; ``None`` when the pack may choose.

    Raises ``MissingModel`` with near names for a LoRA that is not there.
    """
    if request.loras is None and request.mode is not Mode.MANUAL:
        return None
    found = [_choice(use, request, library) for use in request.loras or ()]
    return tuple({choice.use.name: choice for choice in (*written, *found)}.values())


def written_loras(
    request: Request, written: tuple[LoraUse, ...], library: Library
) -> tuple[tuple[LoraChoice, ...], tuple[Reason, ...]]:
    """The LoRAs that stand in the prompt as ``<lora:…>``, and warnings for those that are not on this machine:
    prompts are often pasted from elsewhere."""
    found = [(use, _choice_or_none(use, request, library)) for use in written]
    absent = (use.name for use, choice in found if choice is None)
    warnings = tuple(Reason(f"lora:{name}", "warn.lora_missing", {"name": name}) for name in absent)
    return tuple(choice for _, choice in found if choice is not None), warnings


def _choice_or_none(use: LoraUse, request: Request, library: Library) -> LoraChoice | None:
    try:
        return _choice(use, request, library)
    except MissingModel:
        return None


def _choice(use: LoraUse, request: Request, library: Library) -> LoraChoice:
    file = library.find(Kind.LORA, use.name)
    if file is None:
        if not library.complete and not library.of(Kind.LORA):
            raise MissingModel("library_not_ready", request.language, name=use.name)
        file = find_named(library, (Kind.LORA,), use.name, request.language)
    use = replace(use, name=file.name)
    values = {"name": stem(file.name), "strength": use.strength_model}
    reason = Reason(f"lora:{file.name}", "loras.fixed", values)
    return LoraChoice(use, distillation=file.distillation, reasons=(reason,))
