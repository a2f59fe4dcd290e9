"""What sets two pictures apart: their plans side by side, row by row, only where they differ. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from ..errors import sentence
from ..plan import Generation, Plan
from .explain import in_binary_units
from .named import stem

_SETTINGS = ("steps", "cfg", "guidance", "sampler", "scheduler", "shift", "clip_skip", "denoise", "batch", "tiled_decode")
_MOST_WORDS = 1000  # of each text; what sets words apart one by one takes time with their square
_PIECE = re.compile(r"\s*\S+")  # a word with the space before it, so that pieces put together are the text again


@dataclass(frozen=True)
class Piece:
    """A stretch of text: ``kind`` is "same", "removed" (only in the first) or "added" (only in the second)."""

    kind: str
    text: str


@dataclass(frozen=True)
class Difference:
    """One row: ``what`` is a name that stays ("steps", "lora:ink.safetensors"), the rest is words; empty = it has none.
    ``pieces`` tell texts word by word."""

    what: str
    label: str
    a: str
    b: str
    pieces: tuple[Piece, ...] = ()


def differences(a: Generation, b: Generation, language: str = "en") -> tuple[Difference, ...]:
    """Rows in the order a person asks: words, model, LoRAs, settings, seed, cost."""
    one, two = a.plan, b.plan
    rows = [*_texts(one, two, language), *_model(one, two, language), *_loras(one, two, language)]
    rows += [*_settings(one, two, language), *_seed(a, b, language), *_cost(one, two, language)]
    return tuple(rows)


def word_pieces(a: str, b: str) -> tuple[Piece, ...]:
    """From one text to the other, word by word; the pieces that are not "added" make up ``a``, those not "removed" ``b``."""
    first, second = _PIECE.findall(a), _PIECE.findall(b)
    bare = [[piece.strip() for piece in pieces] for pieces in (first, second)]
    found = []
    for tag, low, high, start, end in _opcodes(*bare):
        if tag == "equal":
            found.append(Piece("same", "".join(second[start:end])))
            continue
        found += [Piece("removed", "".join(first[low:high]))] if high > low else []
        found += [Piece("added", "".join(second[start:end]))] if end > start else []
    return tuple(found)


def _opcodes(a: list[str], b: list[str]) -> list[tuple[str, int, int, int, int]]:
    """As ``SequenceMatcher`` tells them; of very long texts only what they begin and end with alike is found."""
    if max(len(a), len(b)) <= _MOST_WORDS:
        return list(SequenceMatcher(a=a, b=b, autojunk=False).get_opcodes())
    start = _alike(a, b)
    end = _alike(a[start:][::-1], b[start:][::-1])
    last, other = len(a) - end, len(b) - end
    codes = [("equal", 0, start, 0, start), ("replace", start, last, start, other), ("equal", last, len(a), other, len(b))]
    return [code for code in codes if code[2] > code[1] or code[4] > code[3]]


def _alike(a: list[str], b: list[str]) -> int:
    """How many words both begin with."""
    return next((at for at, (one, two) in enumerate(zip(a, b, strict=False)) if one != two), min(len(a), len(b)))


# --------------------------------------------------------------------------- rows


def _texts(one: Plan, two: Plan, language: str) -> Iterator[Difference]:
    texts = {
        "prompt": (one.request.prompt, two.request.prompt),
        "prompt_used": (one.prompt, two.prompt),
        "negative": (one.negative or "", two.negative or ""),
    }
    for what, (a, b) in texts.items():
        if a != b:
            yield Difference(what, _label(what, language), a, b, word_pieces(a, b))


def _model(one: Plan, two: Plan, language: str) -> Iterator[Difference]:
    yield from _row("model", (_main(one), _main(two)), language)
    for what in ("vae", "second"):
        yield from _row(what, (getattr(one.models, what), getattr(two.models, what)), language)
    encoders = [", ".join(stem(name) for name in plan.models.text_encoders) for plan in (one, two)]
    yield from _row("text_encoders", encoders, language)
    yield from _row("weight_dtype", (one.models.weight_dtype.value, two.models.weight_dtype.value), language)
    yield from _row("family", (one.family, two.family), language)


def _main(plan: Plan) -> str:
    return stem(plan.models.checkpoint or plan.models.diffusion_model or "")


def _loras(one: Plan, two: Plan, language: str) -> Iterator[Difference]:
    a, b = ({choice.use.name: choice.use for choice in plan.loras} for plan in (one, two))
    for name in [*a, *(name for name in b if name not in a)]:
        strengths = [_strength(uses[name].strength_model, uses[name].strength_clip) if name in uses else "" for uses in (a, b)]
        if strengths[0] != strengths[1]:
            yield Difference(f"lora:{name}", _label("lora", language, name=stem(name)), strengths[0], strengths[1])
    words = [", ".join(word for choice in plan.loras for word in choice.triggers) for plan in (one, two)]
    yield from _row("triggers", words, language)


def _strength(model: float, clip: float) -> str:
    return f"{model:g}" if abs(model - clip) < 1e-6 else f"{model:g} / {clip:g}"


def _settings(one: Plan, two: Plan, language: str) -> Iterator[Difference]:
    sizes = [f"{plan.settings.width}×{plan.settings.height}" for plan in (one, two)]
    yield from _row("size", sizes, language)
    for what in _SETTINGS:
        yield from _row(what, (getattr(one.settings, what), getattr(two.settings, what)), language)
    yield from _row("priority", (one.request.priority.value, two.request.priority.value), language)


def _seed(a: Generation, b: Generation, language: str) -> Iterator[Difference]:
    yield from _row("seed", (a.seed, b.seed), language)


def _cost(one: Plan, two: Plan, language: str) -> Iterator[Difference]:
    seconds = [None if plan.estimate.seconds is None else f"{plan.estimate.seconds:.3g} s" for plan in (one, two)]
    yield from _row("time", seconds, language)
    memory = [in_binary_units(plan.estimate.vram_bytes) if plan.estimate.vram_bytes else "" for plan in (one, two)]
    yield from _row("memory", memory, language)


# --------------------------------------------------------------------------- words


def _row(what: str, values: Iterable[object], language: str) -> Iterator[Difference]:
    """Nothing where both of the two values read the same."""
    one, two = (_shown(value, language) for value in values)
    if one != two:
        yield Difference(what, _label(what, language), one, two)


def _shown(value: object, language: str) -> str:
    if isinstance(value, bool):
        return sentence("differences", "yes" if value else "no", language, {})
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


def _label(what: str, language: str, **values: object) -> str:
    return sentence("differences", what, language, values)
