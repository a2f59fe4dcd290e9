"""The LoRAs a person fixed, as choices: names found, strengths kept."""

from __future__ import annotations

from dataclasses import replace

from ..data.families import Family, families
from ..errors import MissingModel
from ..plan import Analysis, Kind, Library, LoraChoice, LoraUse, Mode, ModelFile, Reason, Request
from .named import answering, find_named, stem


def fixed_loras(request: Request, written: tuple[LoraChoice, ...], library: Library) -> tuple[LoraChoice, ...] | None:
    """The stack the person fixed, with the ones ``written`` in the prompt; ``None`` when the pack may choose.

    Raises ``MissingModel`` with near names for a LoRA that is not there.
    """
    if request.loras is None and request.mode is not Mode.MANUAL:
        return None
    found = [_choice(use, request, library) for use in request.loras or ()]
    return tuple({choice.use.name: choice for choice in (*written, *found)}.values())


def written_loras(
    request: Request, written: tuple[LoraUse, ...], library: Library, family: Family
) -> tuple[tuple[LoraChoice, ...], tuple[Reason, ...]]:
    """The LoRAs that stand in the prompt as ``<lora:…>``, and warnings for those left out, because they are not on
    this machine or do not load on ``family``: prompts are often pasted from elsewhere."""
    choices, warnings = [], []
    for use in written:
        choice = _choice_or_none(use, request, library)
        warning = _why_not(use, choice, library, family)
        if warning is not None:
            warnings.append(warning)
        elif choice is not None:
            choices.append(choice)
    return tuple(choices), tuple(warnings)


def asked_files(request: Request, analysis: Analysis, library: Library) -> tuple[ModelFile, ...]:
    """The local files of the LoRAs the person asks for, in the stack or in the prompt."""
    files = list(library.of(Kind.LORA))
    found = (
        library.find(Kind.LORA, use.name) or next(iter(answering(files, use.name)), None)
        for use in (*(request.loras or ()), *analysis.loras)
    )
    return tuple(file for file in found if file is not None)


def loads_on(file: ModelFile, family: Family) -> bool:
    """Whether a LoRA's keys fit the family's models; one of unknown family may."""
    return file.family is None or file.family == family.id or file.family in family.lora_parents


def _why_not(use: LoraUse, choice: LoraChoice | None, library: Library, family: Family) -> Reason | None:
    if choice is None:
        return Reason(f"lora:{use.name}", "warn.lora_missing", {"name": use.name})
    file = library.find(Kind.LORA, choice.use.name)
    if file is None or loads_on(file, family):
        return None
    other = families()[file.family].label if file.family in families() else file.family
    values = {"name": stem(file.name), "other": other, "family": family.label}
    return Reason(f"lora:{file.name}", "warn.lora_left_out", values)


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
