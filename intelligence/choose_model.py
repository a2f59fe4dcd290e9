"""Which model draws the picture: the one the person named, or the best local one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..data import table
from ..data.families import Family, families
from ..errors import BadRequest, MissingModel
from ..plan import Analysis, Kind, Library, Machine, ModelFile, Models, Reason, Request, Taste
from .candidates import MODEL_KINDS, candidates, family_called, family_of, nothing_usable, runs_here
from .leaning import about_of
from .model_parts import Parts, find_parts
from .named import answering, find_named, stem
from .suitability import WEIGHTS, Judged, Wish, judge


@dataclass(frozen=True)
class ModelChoice:
    """The chosen file, its family and the files that go with it; ``alternatives`` are the next best, with
    their score out of 100."""

    file: ModelFile
    family: Family
    parts: Parts
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()
    alternatives: tuple[tuple[str, float], ...] = ()

    @property
    def models(self) -> Models:
        single = self.file.kind is Kind.CHECKPOINT
        return Models(
            checkpoint=self.file.name if single else None,
            diffusion_model=None if single else self.file.name,
            text_encoders=tuple(file.name for file in self.parts.text_encoders),
            vae=self.parts.vae.name if self.parts.vae else None,
            second=self.parts.second.name if self.parts.second else None,
        )


def choose_model(request: Request, analysis: Analysis, library: Library, taste: Taste, machine: Machine) -> ModelChoice:
    """The named checkpoint, or the local one that fits style, content, family and machine best.

    Raises ``MissingModel`` when there is none or when a text encoder or VAE it needs is not there, and
    ``BadRequest`` when a named one is ambiguous, unusable, or of a family nobody knows.
    """
    only = _family_asked(request, library)
    if request.checkpoint is not None and only is None:
        return _named(request, library, machine)
    files = candidates(library, machine, request.constraints, only)
    if not files:
        raise nothing_usable(library, machine, request.constraints, request.language, only)
    wish = Wish.of(request, analysis, library, taste, machine)
    ranked = sorted((judge(file, wish) for file in files), key=lambda candidate: (-candidate.score, candidate.file.name))
    return _first_complete(ranked, request, analysis, library, machine, taste)


def _family_asked(request: Request, library: Library) -> Family | None:
    """The family the person named instead of a file; a file of that very name goes first."""
    if request.checkpoint is None:
        return None
    models = [file for file in library.files if file.kind in MODEL_KINDS]
    family = None if answering(models, request.checkpoint) else family_called(request.checkpoint)
    return family if family and any(file.family == family.id for file in models) else None


def _named(request: Request, library: Library, machine: Machine) -> ModelChoice:
    assert request.checkpoint is not None
    file = find_named(library, MODEL_KINDS, request.checkpoint, request.language, in_part=True)
    family = family_of(file)
    if family is None:
        raise BadRequest("family_unclear", request.language, name=file.name, families=", ".join(sorted(families())))
    if not runs_here(family, machine):
        raise BadRequest("needs_host", request.language, family=family.label, host=family.min_host, here=machine.host_version)
    parts, part_reasons, warnings = find_parts(file, family, library, request, machine)
    values = {"name": stem(file.name), "family": family.label}
    if file.family is None:
        warnings = (Reason("model", "warn.model_special", values), *warnings)
    return ModelChoice(file, family, parts, (Reason("model", "model.named", values), *part_reasons), warnings)


def _first_complete(
    ranked: list[Judged], request: Request, analysis: Analysis, library: Library, machine: Machine, taste: Taste
) -> ModelChoice:
    fault: MissingModel | None = None
    skipped: list[Reason] = []
    for candidate in ranked:
        try:
            parts, part_reasons, warnings = find_parts(candidate.file, candidate.family, library, request, machine)
        except MissingModel as missing:
            fault = fault or missing
            values = {"name": stem(candidate.file.name), "files": str(missing.values.get("files", ""))}
            skipped.append(Reason("model", "model.incomplete", values))
            continue
        others = tuple((other.file.name, round(other.score, 1)) for other in ranked if other is not candidate)[:3]
        liked = _liked(candidate.file, taste)
        reasons = (*_why(candidate, others, analysis, request.language), *liked, *skipped, *part_reasons)
        return ModelChoice(candidate.file, candidate.family, parts, reasons, warnings, others)
    assert fault is not None
    raise fault


def _why(chosen: Judged, others: tuple[tuple[str, float], ...], analysis: Analysis, language: str) -> Iterator[Reason]:
    points = chosen.parts_of_score
    name = stem(chosen.file.name)
    values: dict[str, Any] = {
        "name": name,
        "family": chosen.family.label,
        "score": round(chosen.score, 1),
        "style": analysis.style,
    }
    yield Reason("model", "model.best" if others else "model.only", values)
    yield Reason("model", "model.scores", {"name": name, **{key: round(points[key] * WEIGHTS[key], 1) for key in WEIGHTS}})
    if any(factor < 1 for factor in chosen.factors.values()):
        yield Reason(
            "model", "model.factors", {"name": name, **{key: round(value, 2) for key, value in chosen.factors.items()}}
        )
    for other, score in others:
        yield Reason("model", "model.alternative", {"name": stem(other), "score": score})
    if chosen.file.confidence < 0.5:
        yield Reason(
            "model",
            "model.unsure",
            {"name": name, "family": chosen.family.label, "percent": round(chosen.file.confidence * 100)},
        )


def _liked(file: ModelFile, taste: Taste) -> tuple[Reason, ...]:
    """What is known of the person's liking for it, where it counted."""
    liking = taste.checkpoints.get(file.name)
    if liking is None or abs(liking.score) < table("learning")["act"]["told"]:
        return ()
    values = {"name": file.name, "ratings": liking.ratings}
    if liking.stars is None:
        return (Reason("model", "model.liked" if liking.score > 0 else "model.liked_less", values),)
    about, values_about = about_of(liking)
    return (Reason("model", f"model.rated{about}", {**values, "stars": round(liking.stars, 1), **values_about}),)
