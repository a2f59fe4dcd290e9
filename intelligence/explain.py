"""A plan in words: Markdown rendered from its reasons alone, at four levels of detail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..data import table
from ..errors import sentence
from ..plan import GIB, LoraChoice, Measured, Plan, Reason, Verbosity
from .named import stem
from .resolution import megapixels

LEVELS = tuple(Verbosity)
# What the parameter section lists, in this order; the first ones at every level that has the section.
MAIN = ("steps", "cfg", "guidance", "size", "sampler", "scheduler")
MORE = ("shift", "clip_skip", "batch", "denoise", "tiled_decode", "weight_dtype")
MODEL = ("model", "text_encoders", "vae", "second")
SMALL_PRINT = ("vram.stages", "vram.loras")
LONGEST_VALUE = 600


def explain(
    plan: Plan, verbosity: Verbosity = Verbosity.STANDARD, language: str = "en", measured: Measured | None = None
) -> str:
    """Markdown. MINIMAL is one line and the warnings; STANDARD adds LoRAs, main parameters and performance;
    DETAILED adds what was read, the model, alternatives with scores, trade-offs and tips; TECHNICAL adds
    files, shares of memory and every remaining reason."""
    level = LEVELS.index(verbosity)
    blocks = [_summary(plan, language)]
    for title, least, lines in _sections(plan, level, language, measured):
        if level >= least and (listed := list(lines)):
            blocks.append(f"## {_say(f'title.{title}', language)}\n\n" + "\n".join(f"- {line}" for line in listed))
    return "\n\n".join(blocks) + "\n"


def _sections(plan: Plan, level: int, language: str, measured: Measured | None) -> Iterator[tuple[str, int, Iterable[str]]]:
    yield "read", 2, _rendered(plan.analysis.reasons, language)
    yield "model", 2, _by_decision(plan, MODEL if level < 3 else (*MODEL, "library"), language)
    yield "loras", 1, _loras(plan, level, language)
    yield "alternatives", 2, _alternatives(plan, level, language)
    yield "parameters", 1, _parameters(plan, level, language)
    yield "prompt", 2, _by_decision(plan, ("prompt", "negative"), language)
    yield "performance", 1, _performance(plan, level, language, measured)
    yield "tradeoffs", 2, _by_decision(plan, ("tradeoff",), language)
    yield "warnings", 0, _rendered(plan.warnings, language)
    yield "tips", 2, _by_decision(plan, ("tip",), language)
    yield "technical", 3, _technical(plan, language)


# --------------------------------------------------------------------------- the line on top


def _summary(plan: Plan, language: str) -> str:
    settings = plan.settings
    named = [f"{stem(choice.use.name)} (α={choice.use.strength_model:g})" for choice in plan.loras]
    key = "summary.none" if not named else "summary.one" if len(named) == 1 else "summary.selected"
    selected = _say(key, language, loras=_listed(named, language))
    guidance = "" if settings.guidance is None else f", {_say('label.guidance', language)} {settings.guidance:g}"
    params = _say("summary.params", language, steps=settings.steps, cfg=f"{settings.cfg:g}", size=_size(plan, language))
    complexity = _say("summary.complexity", language, level=_label("level", plan.analysis.complexity.level.value, language))
    return f"{selected} | {params}{guidance} | {complexity}"


def _size(plan: Plan, language: str) -> str:
    size = (plan.settings.width, plan.settings.height)
    if plan.request.keeps_shape:
        return _say("summary.shape", language, megapixels=f"{megapixels(size):g}")
    return f"{size[0]}×{size[1]}"


def _listed(names: list[str], language: str) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {_say('summary.and', language)} {names[-1]}"


# --------------------------------------------------------------------------- sections


def _loras(plan: Plan, level: int, language: str) -> Iterator[str]:
    if level >= 2 or not plan.loras:
        yield from _by_decision(plan, ("loras",), language)
    for choice in plan.loras:
        told = choice.reasons if level >= 2 else tuple(reason for reason in choice.reasons if reason.key != "lora.scores")
        yield _of_lora(choice, f" (α={choice.use.strength_model:g})", told, language)


def _alternatives(plan: Plan, level: int, language: str) -> Iterator[str]:
    for choice in plan.near_misses if level >= 3 else plan.near_misses[:5]:
        yield _of_lora(choice, "", choice.reasons, language)


def _of_lora(choice: LoraChoice, strength: str, told: tuple[Reason, ...], language: str) -> str:
    """All sentences about one LoRA in one line; each of them begins with its name, said once."""
    name = stem(choice.use.name)
    said = [line.removeprefix(f"{name}: ") for line in _rendered(told, language)]
    first, *others = said or [""]
    return " ".join((f"**{name}**{strength}: {first}", *(line[:1].upper() + line[1:] for line in others)))


def _parameters(plan: Plan, level: int, language: str) -> Iterator[str]:
    for decision in (*MAIN, *(MORE if level >= 2 else ())):
        told = [reason for reason in plan.reasons if reason.decision == decision]
        if told:
            yield f"**{_say(f'label.{decision}', language)}**: " + " ".join(_rendered(told, language))


def _performance(plan: Plan, level: int, language: str, measured: Measured | None) -> Iterator[str]:
    reasons = [reason for reason in plan.reasons if reason.decision in ("vram", "time")]
    yield from _rendered((reason for reason in reasons if level >= 2 or reason.key not in SMALL_PRINT), language)
    if measured is None:
        return
    yield _say("measured.time", language, seconds=f"{measured.seconds:.3g}", expected=_expected_seconds(plan))
    if measured.peak_bytes is not None:
        expected = in_binary_units(plan.estimate.vram_bytes)
        yield _say("measured.vram", language, used=in_binary_units(measured.peak_bytes), expected=expected)


def _expected_seconds(plan: Plan) -> str:
    return "–" if plan.estimate.seconds is None else f"{plan.estimate.seconds:g}"


def _technical(plan: Plan, language: str) -> Iterator[str]:
    models = vars(plan.models)
    for name, value in {"family": plan.family, "recipe": plan.recipe, **models, "distillation": plan.distillation}.items():
        if value:
            yield f"{name}: {', '.join(value) if isinstance(value, tuple) else value}"
    yield ", ".join(f"{name}={value}" for name, value in vars(plan.settings).items())
    yield ", ".join(f"{name}={value}" for name, value in vars(plan.estimate).items())
    dimensions = ", ".join(f"{name} {value:g}" for name, value in plan.analysis.complexity.dimensions.items())
    yield _say("technical.complexity", language, total=f"{plan.analysis.complexity.total:g}", dimensions=dimensions or "–")
    yield _say(
        "technical.versions", language, plan=plan.version, library=plan.library_version, reader=plan.analysis.reader.value
    )


# --------------------------------------------------------------------------- sentences


def _by_decision(plan: Plan, decisions: tuple[str, ...], language: str) -> list[str]:
    return _rendered((reason for decision in decisions for reason in plan.reasons if reason.decision == decision), language)


def _rendered(reasons: Iterable[Reason], language: str) -> list[str]:
    return [render(reason, language) for reason in reasons]


def render(reason: Reason, language: str = "en") -> str:
    """One reason as a sentence. A key this version does not know (a plan of a newer one) is shown as it is."""
    values: dict[str, object] = {name: _shown(name, value, language) for name, value in reason.values.items()}
    try:
        return sentence("explain", reason.key, language, values)
    except KeyError:
        return f"{reason.key} {_plainly(reason.values)}".strip()


def _plainly(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _shown(name: str, value: Any, language: str) -> str:
    if name.endswith("_bytes") and isinstance(value, (int, float)):
        return in_binary_units(value)
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, (int, float)):
        return f"{value:g}" if abs(value) < 1e6 else f"{value:,.0f}"
    text = " ".join(str(value).split())
    if name in ("name", "lora", "other"):
        text = stem(text) if text else text
    text = _label(name, text, language)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _label(name: str, value: str, language: str) -> str:
    """Words for values that are rows of a table or members of an enum."""
    rows = {"style": "styles", "content": "contents"}
    if name in rows and value in table(rows[name]):
        labels = table(rows[name])[value]["label"]
        return str(labels.get(language, labels["en"]))
    if name == "reliefs":
        return " + ".join(_say_or(f"relief.{relief}", relief, language) for relief in value.split(" + "))
    if name in ("level", "priority", "quality", "what"):
        return _say_or(f"{name}.{value}", value, language)
    return value


def _say_or(key: str, otherwise: str, language: str) -> str:
    try:
        return sentence("explain", key, language, {})
    except KeyError:
        return otherwise


def _say(key: str, language: str, **values: object) -> str:
    return sentence("explain", key, language, values)


def in_binary_units(size_bytes: float) -> str:
    """A size as memory is sold and as plans name it; small things in MiB, very small ones in KiB."""
    if size_bytes >= GIB / 10:
        return f"{size_bytes / GIB:.1f} GiB"
    return f"{size_bytes / 2**20:.0f} MiB" if size_bytes >= 2**19 or not size_bytes else f"{size_bytes / 2**10:.0f} KiB"
