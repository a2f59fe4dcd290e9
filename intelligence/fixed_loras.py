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
        matches = _called(use, library)
        fitting = [file for file in matches if file.usable and loads_on(file, family)]
        if len(fitting) > 1:
            choices.append(_choice(use, request, library))  # says which ones answer to the name
        elif fitting:
            choices.append(_used(use, fitting[0]))
        else:
            warnings.append(_why_not(use, matches, family))
    return tuple(choices), tuple(warnings)


def _called(use: LoraUse, library: Library) -> list[ModelFile]:
    exact = library.find(Kind.LORA, use.name)
    return [exact] if exact else answering([file for file in library.files if file.kind is Kind.LORA], use.name)


def asked_files(request: Request, analysis: Analysis, library: Library) -> tuple[ModelFile, ...]:
    """The local files of the LoRAs the person asks for, in the stack or in the prompt."""
    uses = (*(request.loras or ()), *analysis.loras)
    return tuple(file for use in uses for file in _called(use, library)[:1])


def beside(
    written: tuple[LoraChoice, ...], advised: tuple[LoraChoice, ...], reasons: tuple[Reason, ...], family: Family
) -> tuple[Reason, ...]:
    """The advice's ``reasons``; where it adds nothing to what the prompt names, it does not say that no LoRA is used."""
    if not written or advised:
        return reasons
    kept = tuple(reason for reason in reasons if reason.key not in ("lora.none", "lora.no_files"))
    return (Reason("loras", "loras.prompt_only", {"family": family.label}), *kept)


def loads_on(file: ModelFile, family: Family) -> bool:
    """Whether a LoRA's keys fit the family's models; one of unknown family may."""
    return file.family is None or file.family == family.id or file.family in family.lora_parents


def _why_not(use: LoraUse, matches: list[ModelFile], family: Family) -> Reason:
    if not matches:
        return Reason(f"lora:{use.name}", "warn.lora_missing", {"name": use.name})
    file = matches[0]
    if not file.usable:
        return Reason(f"lora:{file.name}", "warn.lora_broken", {"name": stem(file.name)})
    other = families()[file.family].label if file.family in families() else file.family
    values = {"name": stem(file.name), "other": other, "family": family.label}
    return Reason(f"lora:{file.name}", "warn.lora_left_out", values)


def _choice(use: LoraUse, request: Request, library: Library) -> LoraChoice:
    file = library.find(Kind.LORA, use.name)
    if file is None:
        if not library.complete and not library.of(Kind.LORA):
            raise MissingModel("library_not_ready", request.language, name=use.name)
        file = find_named(library, (Kind.LORA,), use.name, request.language)
    return _used(use, file)


def _used(use: LoraUse, file: ModelFile) -> LoraChoice:
    use = replace(use, name=file.name)
    values = {"name": stem(file.name), "strength": use.strength_model}
    reason = Reason(f"lora:{file.name}", "loras.fixed", values)
    return LoraChoice(use, distillation=file.distillation, reasons=(reason,))
