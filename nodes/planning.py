"""Gather what a plan needs from this ComfyUI, then let the pure pipeline decide."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from ..errors import BadRequest, MissingModel, UserError
from ..intelligence.analyze import analyze
from ..intelligence.candidates import MODEL_KINDS, family_called
from ..intelligence.explain import render
from ..intelligence.named import answering, find_named
from ..intelligence.wanted import Wanted, wanted_beside
from ..pipeline import make_plan
from ..plan import Analysis, Library, Machine, Plan, Reader, Reason, Request
from . import host, reading, recall, runs
from .semantics import vectors_for
from .shelf import shelf


def plan_for(request: Request, reader: str = "auto", analysis: Analysis | None = None) -> Plan:
    """The plan for ``request`` on this machine, with what its disk holds now; the prompt is read unless an
    ``analysis`` of it is there already. The checkpoint may be a hub's name for a model, too. A fault that a download
    would mend says which, and its value ``wanted`` holds them."""
    library = shelf().library()
    machine = host.machine(runs.seconds_per_step(), runs.peak_factors())
    request = _with_local_model(request, library, machine)
    analysis = analysis or read(request.prompt, reader)
    shelf().make_vectors(library)
    taste, vectors = recall.taste(request, analysis), vectors_for(analysis, library)
    try:
        plan = make_plan(request, analysis, library, taste, machine, vectors=vectors)
    except UserError as fault:
        from ..shop import with_offers

        raise with_offers(fault, library, machine, request.language, analysis) from fault
    notes = [str(note.in_language(request.language)) for note in shelf().registry.notes]
    said = tuple(Reason("library", "warn.library_note", {"note": note}) for note in notes)
    return replace(plan, warnings=(*plan.warnings, *said))


def plan_in_run(request: Request, reader: str = "auto", analysis: Analysis | None = None) -> Plan:
    """As ``plan_for``, for the prompt that runs: the browser that queued it hears what is missing."""
    try:
        plan = plan_for(request, reader, analysis)
    except UserError as fault:
        _tell_missing(fault.values.get("wanted", ()), request.language)
        raise
    _tell_missing(wanted_beside(plan), request.language)
    return plan


def proposal(plan: Plan) -> Plan | None:
    """What the pack would have done with the same prompt had the person fixed neither settings nor LoRAs; ``None`` where
    they fixed none."""
    free = recall.free_of(plan.request)
    if free is None or not free.learning:
        return None
    library, machine = shelf().registry.library(), host.machine(runs.seconds_per_step(), runs.peak_factors())
    taste, vectors = recall.taste(free, plan.analysis), vectors_for(plan.analysis, library)
    try:
        return make_plan(_with_local_model(free, library, machine), plan.analysis, library, taste, machine, vectors=vectors)
    except UserError:
        return None


def _with_local_model(request: Request, library: Library, machine: Machine) -> Request:
    """The request with a hub's name for its checkpoint made a local file's. Names of local files, and of families, cost
    nothing: only what looks like a hub's name is resolved."""
    name = (request.checkpoint or "").replace(os.sep, "/")
    if not name or _is_local(name, library):
        return request
    from ..shop import base_model
    from .desk import desk

    return replace(request, checkpoint=base_model(desk(), name, machine, request.language))


def _is_local(name: str, library: Library) -> bool:
    """Whether the planner knows what to make of a name: a file's, a part of one's, or a family's."""
    if ":" in name or "/" in name:
        return bool(answering([file for file in library.files if file.kind in MODEL_KINDS], name))
    try:
        return family_called(name) is not None or bool(find_named(library, MODEL_KINDS, name, in_part=True))
    except MissingModel:
        return False
    except BadRequest:  # several answer, or it cannot be used: the planner says so
        return True


def _tell_missing(listed: Any, language: str) -> None:
    if listed:
        host.send("missing", {"wanted": [wanted_told(each, language) for each in listed]})


def wanted_told(wanted: Wanted, language: str) -> dict[str, Any]:
    """A wanted file as JSON values: with a ``ref`` it can be downloaded, else ``search`` says what to look for."""
    return {
        "kind": wanted.kind.value,
        "name": wanted.name,
        "ref": wanted.ref,
        "search": wanted.search,
        "base_models": list(wanted.base_models),
        "size_bytes": wanted.size_bytes,
        "sha256": wanted.sha256,
        "why": render(wanted.why, language),
    }


def read(prompt: str, reader: str = "auto") -> Analysis:
    """The prompt as the rules read it, and the language model too where one answers."""
    analysis = analyze(prompt)
    if reader == Reader.RULES.value:
        return analysis
    return reading.read(analysis)


def fingerprint() -> str:
    """What a cached Auto Pipeline must not outlive: a changed library or taste."""
    return f"{shelf().library().version}|{recall.version()}"
