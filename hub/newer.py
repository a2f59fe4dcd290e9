"""Whether the models on the disk have newer versions: one question a model, not a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ..errors import BadRequest, UserError
from ..offers import Offer, Ref, Version
from .asking import Asking, Sleep, Stop, Word
from .registry import Registry
from .remembering import Remembering
from .scan import tell_again

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Updates:
    """``asked`` questions went to hubs; ``newer`` are local versions (``Ref`` texts) with the id of a newer one."""

    asked: int
    newer: Mapping[str, str]
    complete: bool = True
    trouble: tuple[UserError, ...] = ()


def find_newer(
    registry: Registry,
    sources: Mapping[str, Remembering],
    *,
    stop: Stop | None = None,
    on_progress: Progress | None = None,
    sleep: Sleep = time.sleep,
) -> Updates:
    """Ask for every identified model whether there is a newer version for the same base model. Blocks."""
    asking, found, complete = Asking(sources, stop, sleep), dict[str, str](), True
    models = _models(registry)
    for number, (model, refs) in enumerate(models.items()):
        if model.hub not in asking:
            continue
        offer = asking.ask(model.hub, partial(_newest, model))
        complete &= offer is not Word.UNANSWERED
        if isinstance(offer, Offer):
            found |= {str(ref): newer_than(ref.version, offer) for ref in refs}
        if on_progress:
            on_progress(number + 1, len(models), str(model))
    registry.mending(lambda: _keep(registry, found))
    told = {ref: version for ref, version in found.items() if version}
    return Updates(asking.asked, told, complete, tuple(asking.trouble.values()))


def _newest(model: Ref, source: Remembering) -> Offer:
    return source.describe(model)


def newer_than(version: str, offer: Offer) -> str:
    """The id of the newest version for the same base model that came after ``version``, by the newest offer and
    the versions it lists; empty where there is none, or ``version`` is not listed."""
    newest = Version(offer.ref.version, offer.version_name, offer.base_model, offer.published)
    versions = (newest, *(each for each in offer.versions if each.id != newest.id))
    place = next((place for place, each in enumerate(versions) if each.id == version), 0)
    own = versions[place]
    return next((each.id for each in versions[:place] if each.base_model == own.base_model), "")


def _models(registry: Registry) -> dict[Ref, set[Ref]]:
    models: dict[Ref, set[Ref]] = {}
    for file in registry.library().files:
        ref = _ref(file.hub_id)
        if ref and ref.version:
            models.setdefault(ref.of_model, set()).add(ref)
    return models


def _ref(hub_id: str | None) -> Ref | None:
    try:
        return Ref.parse(hub_id) if hub_id else None
    except BadRequest:
        return None


def _keep(registry: Registry, found: Mapping[str, str]) -> None:
    for file in registry.library().files:
        newer = found.get(file.hub_id or "")
        if newer is None or newer == file.newer:
            continue
        registry.proofs.keep_newer(str(file.hub_id), newer)
        path = registry.path_of(file)
        if path and (place := registry.root_and_name(file.kind, path)):
            tell_again(registry.cache, registry.proofs, file.kind, *place)
