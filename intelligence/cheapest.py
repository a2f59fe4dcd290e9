"""The cheapest set of reliefs with which a plan fits the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from ..data import table
from ..data.families import Family
from ..plan import (
    GIB,
    Constraints,
    Estimate,
    Fixed,
    Machine,
    Models,
    Offload,
    Precision,
    Priority,
    Reason,
    Relief,
    Settings,
    Stage,
    StageCost,
)
from .estimate import (
    Holding,
    Load,
    budget_bytes,
    decode_bytes,
    estimate,
    peak_factor,
    reserve_bytes,
    shares_ram,
    streamed_bytes,
)
from .resolution import shrink

MOST_MOVABLE = 2  # ComfyUI's loaders of three and four text encoders have no choice of device
_OFFLOADS = {Relief.BALANCED: Offload.BALANCED, Relief.AGGRESSIVE: Offload.AGGRESSIVE}


@dataclass(frozen=True)
class Held:
    """How a plan's models are held: the forms of their weights, and which of them stay on the device."""

    weight_dtype: Precision = Precision.DEFAULT
    encoder_dtype: Precision = Precision.DEFAULT
    encoder_on_cpu: bool = False
    offload: Offload = Offload.NONE

    def on(self, models: Models) -> Models:
        """The same files, held like this."""
        return replace(
            models,
            weight_dtype=self.weight_dtype,
            encoder_dtype=self.encoder_dtype,
            encoder_on_cpu=self.encoder_on_cpu,
        )


@dataclass(frozen=True)
class Fit:
    """Settings that fit as well as they can, how the models are held, what that costs, and what was given up for it."""

    settings: Settings
    estimate: Estimate
    held: Held = Held()
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What a plan has to fit: the family's sizes, the person's limits, the machine. ``load_with`` gives the
    weights in memory for the precisions of model and text encoders; ``castable`` and ``casts_encoder`` say which of them
    the loader can cast. ``memory`` is the strategy the person fixed, ``held`` how the models are held to begin with;
    ``given`` what was given up for that; ``settled`` says that nothing gives way, whatever the person left open, and
    ``unmanaged`` that the graph says nothing of memory, so that ComfyUI makes room for each stage by itself, ``encoder_moves`` that the loader of the text encoders can keep them on the CPU."""

    family: Family
    fixed: Fixed
    constraints: Constraints
    machine: Machine
    priority: Priority
    load_with: Callable[[Precision, Precision], Load]
    castable: bool = False
    few_steps: bool = False
    manual: bool = False
    keeps_shape: bool = False
    casts_encoder: bool = False
    memory: Offload | None = None
    held: Held = Held()
    unmanaged: bool = False
    encoder_moves: bool = True
    settled: bool = False
    given: tuple[Relief, ...] = ()

    def cost(self, settings: Settings, held: Held = Held()) -> Estimate:
        return estimate(self.family, settings, self.load(held), self.machine, self.constraints, self.holding(held))

    def load(self, held: Held) -> Load:
        return self.load_with(held.weight_dtype, held.encoder_dtype)

    def holding(self, held: Held) -> Holding:
        """Where ComfyUI moves weights by itself, one stage always makes room for the next."""
        offload = Offload.BALANCED if self.machine.dynamic_vram or self.unmanaged else held.offload
        return Holding(offload, held.encoder_on_cpu, self.streams(held.offload))

    def streams(self, offload: Offload) -> bool:
        """ComfyUI fills what the machine has: of a limit below that it knows nothing."""
        limit, there = self.constraints.max_vram_bytes, self.machine.vram_bytes
        limited = limit is not None and (not there or limit < there)
        return not limited and (self.machine.dynamic_vram or offload is Offload.AGGRESSIVE)

    @property
    def budget(self) -> int:
        return budget_bytes(self.machine, self.constraints)

    @property
    def room(self) -> int:
        """What weights and working memory may take together."""
        return int(self.budget / peak_factor(self.family, self.machine)) - reserve_bytes()


def cheapest(settings: Settings, limits: Limits) -> Fit:
    """The settings with the reliefs that cost the person least of those with which the plan fits, none where it fits as
    it is; where it never does, what comes nearest."""
    plain = relieved(settings, limits, ())
    assert plain is not None  # only a relief can be of no use
    if plain.estimate.fits is None or limits.manual or limits.settled or _badness(plain, limits) <= (0, 0, 0.0):
        return plain
    ways = [way for reliefs in _sets(settings, limits) if (way := relieved(settings, limits, reliefs)) is not None]
    return min(ways, key=lambda way: _badness(way, limits))


def what_would_help(settings: Settings, limits: Limits) -> tuple[Relief, ...]:
    """The cheapest reliefs with which the plan would fit had the person fixed nothing; none where nothing helps, or where
    it would fit for all they fixed."""
    if limits.settled and cheapest(settings, replace(limits, settled=False)).estimate.fits:
        return ()
    free = replace(limits, fixed=Fixed(), memory=None, manual=False, unmanaged=False, settled=False, given=())
    found = cheapest(settings, free)
    return found.estimate.relief if found.estimate.fits else ()


def relieved(settings: Settings, limits: Limits, reliefs: tuple[Relief, ...]) -> Fit | None:
    """The plan with these reliefs; ``None`` where one of them would not do anything."""
    if limits.memory is Offload.AGGRESSIVE or Relief.TILED in reliefs:
        settings = replace(settings, tiled_decode=True)
    if Relief.SINGLE in reliefs:
        settings = replace(settings, batch=1)
    held = _held(limits, reliefs)
    if held is None:
        return None
    cost = limits.cost(settings, held)
    if Relief.SMALLER in reliefs:
        smaller = _shrunk(settings, limits, cost.stages)
        if smaller is None:
            return None
        settings, cost = smaller, limits.cost(smaller, held)
    return Fit(settings, replace(cost, relief=(*limits.given, *reliefs)), held)


# --------------------------------------------------------------------------- what may give way


def _sets(settings: Settings, limits: Limits) -> Iterator[tuple[Relief, ...]]:
    others = [relief for relief, possible in _POSSIBLE.items() if possible(settings, limits)]
    for count in range(len(others) + 1):
        for chosen in combinations(others, count):
            for offload in _offloads(limits):
                yield tuple(relief for relief in Relief if relief in chosen or relief in offload)


def _offloads(limits: Limits) -> tuple[tuple[Relief, ...], ...]:
    useless = limits.machine.dynamic_vram or shares_ram(limits.machine)
    if limits.memory is not None or limits.held.offload is not Offload.NONE or useless:
        return ((),)
    return ((), (Relief.BALANCED,), (Relief.AGGRESSIVE,))


def _may_shrink(settings: Settings, limits: Limits) -> bool:
    free = limits.fixed.width is None and limits.fixed.height is None
    return free and settings.width * settings.height > limits.family.min_side**2


_POSSIBLE: dict[Relief, Callable[[Settings, Limits], bool]] = {
    Relief.TILED: lambda settings, limits: not settings.tiled_decode,
    Relief.QUANTISED: lambda settings, limits: bool(limits.castable and limits.machine.precisions),
    Relief.SINGLE: lambda settings, limits: settings.batch > 1 and limits.fixed.batch is None,
    Relief.SMALLER: _may_shrink,
}


def _held(limits: Limits, reliefs: tuple[Relief, ...]) -> Held | None:
    held = replace(limits.held, offload=limits.memory or limits.held.offload)
    for relief, offload in _OFFLOADS.items():
        held = replace(held, offload=offload) if relief in reliefs else held
    if Relief.QUANTISED in reliefs:
        cast = _cast(held, limits)
        if cast is None:
            return None
        held = cast
    if limits.encoder_moves and _leaves_device(held, limits) and not _encoder_fits(held, limits):
        held = replace(held, encoder_on_cpu=True)
    return held


def _cast(held: Held, limits: Limits) -> Held | None:
    """The diffusion model in 8 bits, and the text encoders where they would not fit the GPU otherwise."""
    cast = replace(held, weight_dtype=limits.machine.precisions[0])
    if limits.casts_encoder and not _encoder_fits(held, limits):
        cast = replace(cast, encoder_dtype=limits.machine.precisions[0])
    return cast if limits.load(cast).weights_bytes < limits.load(held).weights_bytes else None


def _leaves_device(held: Held, limits: Limits) -> bool:
    machine = limits.machine
    return held.offload is not Offload.NONE and not machine.dynamic_vram and not shares_ram(machine)


def _encoder_fits(held: Held, limits: Limits) -> bool:
    working = int(table("memory")["encode"]["working_bytes"])
    return limits.load(held).encoder_bytes + working <= limits.room


def _shrunk(settings: Settings, limits: Limits, stages: tuple[StageCost, ...]) -> Settings | None:
    """The size at which each stage has room; ``None`` where no size has. Working memory grows with the pixels."""
    floor, factor = limits.family.min_side**2, 1.0
    for stage in stages:
        over = stage.weights_bytes + stage.working_bytes - limits.room
        if over > 0 and stage.stage is not Stage.ENCODE and stage.working_bytes > over:
            factor = min(factor, 1 - over / stage.working_bytes)
    pixels = settings.width * settings.height
    if factor == 1.0:
        return None
    width, height = shrink(limits.family, (settings.width, settings.height), max(floor, int(pixels * factor)))
    return replace(settings, width=width, height=height)


# --------------------------------------------------------------------------- what it costs


def _badness(way: Fit, limits: Limits) -> tuple[int, int, float]:
    """Least first: whether it fits, by how much it does not, what it costs the person in seconds."""
    if not way.estimate.fits:
        return 2, way.estimate.vram_bytes, _seconds(way, limits)
    return int(not (leaves_room(way, limits) and _has_ram(way, limits))), 0, _seconds(way, limits)


def _has_ram(way: Fit, limits: Limits) -> bool:
    there = limits.machine.ram_bytes
    return shares_ram(limits.machine) or not there or way.estimate.ram_bytes <= there


def leaves_room(way: Fit, limits: Limits) -> bool:
    """Whether a decode leaves the room for a desktop that who asks for little memory wants."""
    if limits.priority is not Priority.LOW_VRAM:
        return True
    needed = decode_bytes(limits.family, way.settings, limits.machine) + limits.load(way.held).vae_bytes
    return needed <= float(table("memory")["low_vram"]["decode_share"]) * limits.budget


def _seconds(way: Fit, limits: Limits) -> float:
    rows = table("memory")
    given_up = sum(float(rows["cost"][relief.value][limits.priority.value]) for relief in way.estimate.relief)
    fetched = streamed_bytes(way.estimate.stages, limits.load(way.held)) / GIB * float(rows["streamed"]["seconds_per_gib"])
    return given_up + fetched * way.settings.steps
