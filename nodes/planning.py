"""Gather what a plan needs from this ComfyUI, then let the pure pipeline decide."""

from __future__ import annotations

from dataclasses import replace

from ..intelligence.analyze import analyze
from ..pipeline import make_plan
from ..plan import Analysis, Plan, Reader, Reason, Request, Taste
from . import host, reading, runs
from .semantics import vectors_for
from .shelf import shelf


def plan_for(request: Request, reader: str = "auto", analysis: Analysis | None = None) -> Plan:
    """The plan for ``request`` on this machine, with what its disk holds now; the prompt is read unless an
    ``analysis`` of it is there already."""
    analysis = analysis or read(request.prompt, reader)
    library = shelf().library()
    shelf().make_vectors(library)
    machine = host.machine(runs.seconds_per_step())
    plan = make_plan(request, analysis, library, Taste(), machine, vectors=vectors_for(analysis, library))
    notes = [str(note.in_language(request.language)) for note in shelf().registry.notes]
    said = tuple(Reason("library", "warn.library_note", {"note": note}) for note in notes)
    return replace(plan, warnings=(*plan.warnings, *said))


def read(prompt: str, reader: str = "auto") -> Analysis:
    """The prompt as the rules read it, and the language model too where one answers."""
    analysis = analyze(prompt)
    if reader == Reader.RULES.value:
        return analysis
    return reading.ollama().read(analysis)


def fingerprint() -> str:
    """What a cached Auto Pipeline must not outlive: a changed library or taste."""
    return f"{shelf().library().version}|{Taste().version}"
