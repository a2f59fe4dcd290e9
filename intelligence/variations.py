"""One plan becomes a set of plans to choose from, in a stated order. Pure; nothing is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count as counting
from itertools import islice, product

from ..data import table
from ..errors import BadRequest, sentence
from ..feedback import Strategy, Variation
from ..plan import Library, Machine, Plan, Reason
from .revise import Place, revise
from .vary_loras import Labelled, lora_variations
from .vary_prompts import prompt_variations
from .vary_settings import Axis, axes_of, label, with_values

SEEDS = 2**64  # ComfyUI's seeds are 64-bit


@dataclass(frozen=True)
class Spread:
    """The pictures to make, first the plan itself; ``seconds`` for all of them (``None`` = not known), how many of those
    asked for are ``left_out``, and why."""

    items: tuple[Variation, ...]
    seconds: float | None = None
    left_out: int = 0
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class _Task:
    plan: Plan
    seed: int
    count: int
    place: Place
    axes: tuple[Axis, ...]

    @property
    def language(self) -> str:
        return self.plan.request.language

    def own(self, column: str = "", row: str = "") -> Variation:
        said = sentence("explain", "varied.plan", self.language, {})
        return Variation(self.plan, self.seed, said, column, row)


def variations(
    plan: Plan,
    strategy: Strategy,
    count: int,
    *,
    seed: int = 0,
    library: Library = Library(),  # noqa: B008 – frozen
    machine: Machine = Machine(),  # noqa: B008
    max_seconds: float | None = None,
    axes: Sequence[str] = (),
) -> Spread:
    """At most ``count`` pictures of ``plan``, none twice, all of its family, nothing changed that the person fixed.
    ``axes`` names the settings that PARAMETER varies ("cfg", "guidance", "steps", "sampler", "size"); without it all that
    may. Raises ``BadRequest`` for a count outside 1–100, ``max_seconds`` not above 0, and unknown axes."""
    most = table("variations")["count"]["most"]
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= most:
        raise BadRequest("batch_count", plan.request.language, count=str(count)[:20], most=most)
    if max_seconds is not None and not max_seconds > 0:
        raise BadRequest("out_of_range", plan.request.language, faults=f"max_seconds {max_seconds} (> 0)")
    place = Place(library, machine)
    task = _Task(plan, seed % SEEDS, count, place, _wanted_axes(plan, machine, axes))
    made = tuple(islice(_distinct(_STRATEGIES[strategy](task), plan), count))
    kept = _within(made, max_seconds)
    return Spread(kept, seconds_of(kept), count - len(kept), _why(plan, strategy, count, made, kept, max_seconds))


def _wanted_axes(plan: Plan, machine: Machine, names: Sequence[str]) -> tuple[Axis, ...]:
    known = ("cfg", "guidance", "steps", "sampler", "size")
    if unknown := [name for name in names if name not in known]:
        raise BadRequest("batch_axis", plan.request.language, name=str(unknown[0])[:40], known=", ".join(known))
    there = {axis.name: axis for axis in axes_of(plan, machine)}
    return tuple(there[name] for name in dict.fromkeys(names or there) if name in there)


def seconds_of(items: Sequence[Variation]) -> float | None:
    """Seconds for all of them one after another, the models loaded once."""
    costs = [item.plan.estimate for item in items]
    if any(cost.seconds is None for cost in costs):
        return None
    overhead = float(table("settings")["overhead"]["seconds"])
    guesses = sum(not cost.measured for cost in costs)
    return float(round(sum(cost.seconds or 0.0 for cost in costs) - overhead * max(0, guesses - 1), 1))


def _within(items: tuple[Variation, ...], max_seconds: float | None) -> tuple[Variation, ...]:
    """As many from the first on as the time allows, at least one."""
    if max_seconds is None:
        return items
    fitting = [number for number in range(1, len(items) + 1) if (seconds_of(items[:number]) or 0.0) <= max_seconds]
    return items[: max(fitting, default=1)]


def _distinct(items: Iterable[Variation], plan: Plan) -> Iterator[Variation]:
    """Without repetitions, and without what would not fit the memory where the plan itself does."""
    seen = set()
    for item in items:
        made = item.plan
        key = (item.seed, made.settings, tuple(choice.use for choice in made.loras), made.prompt, made.negative)
        too_large = made.estimate.fits is False and plan.estimate.fits is not False
        if key not in seen and not too_large:
            seen.add(key)
            yield item


def _why(
    plan: Plan, strategy: Strategy, count: int, made: Sequence[Variation], kept: Sequence[Variation], limit: float | None
) -> tuple[Reason, ...]:
    told = [Reason("batch", f"varied.strategy.{strategy.value}", {"count": len(kept)})]
    if len(made) < count:
        told.append(Reason("batch", "varied.fewer", {"count": len(made), "wanted": count}))
    if len(kept) < len(made):
        told.append(Reason("batch", "varied.time", {"count": len(kept), "wanted": len(made), "limit": limit}))
    return tuple(told)


# --------------------------------------------------------------------------- strategies


def _seeds(task: _Task, start: int = 0) -> Iterator[Variation]:
    for number in counting(start):
        seed = (task.seed + number) % SEEDS
        said = sentence("explain", "varied.seed", task.language, {"seed": seed})
        yield Variation(task.plan, seed, said)


def _parameters(task: _Task) -> Iterator[Variation]:
    """A grid of the first two axes where there is room for one; then, or else, one change at a time."""
    if task.count >= table("variations")["count"]["grid_from"] and len(task.axes) > 1:
        yield from _grid(task, *_grid_axes(task))
    else:
        yield task.own()
    yield from _one_at_a_time(task)


def _grid_axes(task: _Task) -> tuple[Axis, Axis]:
    """The largest grid of at most ``count`` pictures; the squarer of two as large."""
    columns, rows = task.axes[:2]
    shapes = product(range(2, len(columns.values) + 1), range(2, len(rows.values) + 1))
    wide, high = max(
        (shape for shape in shapes if shape[0] * shape[1] <= task.count),
        key=lambda shape: (shape[0] * shape[1], -abs(shape[0] - shape[1]), shape[0]),
    )
    return columns.take(wide), rows.take(high)


def _grid(task: _Task, columns: Axis, rows: Axis) -> Iterator[Variation]:
    for down, across in product(rows.values, columns.values):
        column, row = label(columns.name, across, task.language), label(rows.name, down, task.language)
        if (across, down) == (columns.values[0], rows.values[0]):
            yield task.own(column, row)
            continue
        change = with_values(task.plan, {columns.name: across, rows.name: down})
        yield Variation(revise(task.plan, change, task.place), task.seed, f"{column} · {row}", column, row)


def _one_at_a_time(task: _Task) -> Iterator[Variation]:
    """The second value of each axis, then the third of each …"""
    for place in range(1, max((len(axis.values) for axis in task.axes), default=1)):
        for axis in (axis for axis in task.axes if place < len(axis.values)):
            value = axis.values[place]
            made = revise(task.plan, with_values(task.plan, {axis.name: value}), task.place)
            yield Variation(made, task.seed, label(axis.name, value, task.language))


def _loras(task: _Task) -> Iterator[Variation]:
    yield task.own()
    yield from _revised(task, lora_variations(task.plan, task.place))


def _prompts(task: _Task) -> Iterator[Variation]:
    yield task.own()
    yield from _revised(task, prompt_variations(task.plan))


def _revised(task: _Task, labelled: Iterable[Labelled]) -> Iterator[Variation]:
    for each in labelled:
        yield Variation(revise(task.plan, each.change, task.place), task.seed, each.label)


def _mixed(task: _Task) -> Iterator[Variation]:
    """The plan, then in turn another LoRA stack, another seed, another setting, another prompt."""
    yield task.own()
    loras = _revised(task, lora_variations(task.plan, task.place))
    prompts = _revised(task, prompt_variations(task.plan))
    waiting = [loras, _seeds(task, 1), _one_at_a_time(task), prompts]
    while waiting:  # the seeds never end
        for source in tuple(waiting):
            found = next(source, None)
            if found is None:
                waiting.remove(source)
            else:
                yield found


_STRATEGIES = {
    Strategy.SEED: _seeds,
    Strategy.PARAMETER: _parameters,
    Strategy.LORA: _loras,
    Strategy.MIXED: _mixed,
    Strategy.PROMPT: _prompts,
}
