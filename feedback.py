"""The nouns of learning: what was made, what the person thought of it, what that adds up to; and batches.

Everything stored is an ``Event``: told once, counted once, whatever way it comes in (a node, a file that is
imported, a log that is replayed). Frozen values that refuse what is out of range; JSON by ``values``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .choices import Action, ItemState, Relation, Strategy
from .plan import Generation, Plan, Reason
from .values import refuse

MOST_COMMENT = 4000  # characters
MOST_TAGS = 30
MOST_TAG = 60  # characters
MOST_ID = 80


# --------------------------------------------------------------------------- what people say


@dataclass(frozen=True)
class Rating:
    """Stars 1–5, overall and by part; ``None`` = not said. Raises ``BadRequest`` for anything else, an empty rating
    included."""

    overall: int | None = None
    quality: int | None = None
    accuracy: int | None = None
    aesthetic: int | None = None
    comment: str = ""
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        refuse(_faults_of_rating(self))

    @property
    def stars(self) -> float | None:
        """The overall rating, else the mean of its parts."""
        parts = [stars for stars in (self.quality, self.accuracy, self.aesthetic) if stars is not None]
        if self.overall is not None:
            return float(self.overall)
        return sum(parts) / len(parts) if parts else None


def _faults_of_rating(rating: Rating) -> Iterator[str]:
    stars = {name: getattr(rating, name) for name in ("overall", "quality", "accuracy", "aesthetic")}
    for name, given in stars.items():
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= 5):
            yield f"{name} {str(given)[:20]} (1–5)"
    if len(rating.comment) > MOST_COMMENT:
        yield f"comment {len(rating.comment)} (≤ {MOST_COMMENT})"
    if len(rating.tags) > MOST_TAGS or any(not 0 < len(tag) <= MOST_TAG for tag in rating.tags):
        yield f"tags (≤ {MOST_TAGS}, 1–{MOST_TAG})"
    if not (any(given is not None for given in stars.values()) or rating.comment or rating.tags):
        yield "overall (1–5)"


@dataclass(frozen=True)
class Change:
    """A setting the person ran otherwise than the plan proposed. ``parameter`` is a field of ``Settings`` ("size" for
    width × height), "lora" (added, dropped) or "strength" (``subject`` names the LoRA); values as text."""

    parameter: str
    proposed: str
    used: str
    subject: str = ""


# --------------------------------------------------------------------------- events


@dataclass(frozen=True)
class Made:
    """A generation was started. ``parent`` is the generation it follows from; ``lineage`` what re-rolls and edits of one
    prompt share; ``batch`` and ``place`` say which item of which batch it is."""

    generation: Generation
    session: str
    lineage: str
    relation: Relation = Relation.NEW
    parent: str = ""
    changes: tuple[Change, ...] = ()
    batch: str = ""
    place: int = 0
    kind: Literal["made"] = "made"


@dataclass(frozen=True)
class Finished:
    """Its picture arrived: wall seconds and peak bytes of the device (``None`` = not known: it ran elsewhere, or was
    kept from before), the files' names in the output folder, and the ``workload`` the time belongs to
    (``estimate.timing_key``)."""

    generation_id: str
    seconds: float | None = None
    peak_bytes: int | None = None
    pictures: tuple[str, ...] = ()
    workload: str = ""
    kind: Literal["finished"] = "finished"


@dataclass(frozen=True)
class Rated:
    """The latest rating of a generation counts; ``None`` takes it back."""

    generation_id: str
    rating: Rating | None
    kind: Literal["rated"] = "rated"


@dataclass(frozen=True)
class Acted:
    """What was done with a picture, or undone."""

    generation_id: str
    action: Action
    undone: bool = False
    kind: Literal["acted"] = "acted"


@dataclass(frozen=True)
class Forgot:
    """The person wants something forgotten: ``what`` is "lora", "checkpoint", "style" (with its ``name``) or "all"."""

    what: Literal["lora", "checkpoint", "style", "all"]
    name: str = ""
    kind: Literal["forgot"] = "forgot"


Fact = Made | Finished | Rated | Acted | Forgot  # told apart by their ``kind``


@dataclass(frozen=True)
class Event:
    """A fact with who told it and when (``at`` seconds since the epoch by the teller's clock, which may be wrong: order
    is that of arrival). The same ``id`` twice counts once."""

    id: str
    at: float
    machine: str
    fact: Fact


# --------------------------------------------------------------------------- what it adds up to


@dataclass(frozen=True)
class Trait:
    """Something a generation had that a rating speaks about, in one ``context``: "*" anywhere, "style:anime",
    "content:portrait", "concept:knight". ``kind`` is "lora", "checkpoint", "pair" (two LoRAs, "one|two"), or a setting
    ("cfg", "guidance", "steps", "sampler", "size") whose ``name`` is the arm it falls in. ``value`` is a LoRA's strength,
    or a setting's own number."""

    kind: str
    name: str
    family: str
    context: str = "*"
    value: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """How well something was liked, 0–1, and how much that counts; ``stars`` where there is a rating."""

    liked: float
    weight: float
    stars: float | None = None


@dataclass(frozen=True)
class Standing:
    """All that is known of what a person thinks of one generation."""

    rating: Rating | None = None
    actions: frozenset[Action] = frozenset()


@dataclass(frozen=True)
class Tally:
    """All evidence about one trait. ``liked`` and ``disliked`` are weights, older evidence counting less; ``value`` is
    the mean of the trait's values, each counting as much as it was liked; ``stars`` is the mean of ``rated`` ratings."""

    kind: str
    name: str
    family: str
    context: str
    liked: float
    disliked: float
    value: float = 0.0
    stars: float | None = None
    rated: int = 0

    @property
    def weight(self) -> float:
        return self.liked + self.disliked


@dataclass(frozen=True)
class Rules:
    """What a store of events needs decided; the pure functions are ``intelligence/learn.py``'s. ``hints`` is evidence in
    the making of a picture itself; evidence counts half after ``half_life`` more verdicts."""

    traits: Callable[[Made], Sequence[Trait]]
    hints: Callable[[Made], Sequence[tuple[Trait, Verdict]]]
    verdict: Callable[[Standing], Verdict]
    half_life: float


@dataclass(frozen=True)
class Recorded:
    """A generation as the store knows it."""

    id: str
    at: float
    machine: str
    made: Made
    seconds: float | None = None
    peak_bytes: int | None = None
    pictures: tuple[str, ...] = ()
    standing: Standing = Standing()


@dataclass(frozen=True)
class Glimpse:
    """The little of a recent generation that says whether the next one follows from it."""

    id: str
    at: float
    session: str
    lineage: str
    prompt: str
    relation: Relation
    actions: frozenset[Action] = frozenset()
    rated: bool = False
    batch: str = ""


@dataclass(frozen=True)
class Session:
    """One sitting: times in seconds since the epoch; ``lineages`` counts prompts, ``stars`` is the mean of ``rated``."""

    id: str
    started: float
    ended: float
    generations: int
    lineages: int
    rated: int = 0
    stars: float | None = None


@dataclass(frozen=True)
class Overview:
    """What the store counted: all in all, or in one session. ``stars_given`` are the ratings of 1 … 5 stars;
    ``changes`` says how often people ran a parameter otherwise (parameter, subject, proposed, used, times), most frequent
    first; ``runs`` are the latest measured ones (family, seconds, peak bytes)."""

    generations: int = 0
    rated: int = 0
    stars: float | None = None
    stars_given: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    actions: Mapping[str, int] = field(default_factory=dict)
    changes: tuple[tuple[str, str, str, str, int], ...] = ()
    sessions: tuple[Session, ...] = ()
    runs: tuple[tuple[str, float, int | None], ...] = ()


# --------------------------------------------------------------------------- batches


@dataclass(frozen=True)
class Variation:
    """One picture of a batch to make: the plan and seed, what sets it apart (``label``), and where it stands in a grid
    (``column``, ``row`` are the labels of its axes; empty = no grid)."""

    plan: Plan
    seed: int
    label: str
    column: str = ""
    row: str = ""


@dataclass(frozen=True)
class Item:
    """A variation of a batch with its ``place`` (0 …) and what became of it. ``generation_id`` and ``pictures`` (names
    below the output folder of ``machine``) are there once it is done, ``error`` where it failed."""

    place: int
    variation: Variation
    state: ItemState = ItemState.WAITING
    generation_id: str = ""
    pictures: tuple[str, ...] = ()
    machine: str = ""
    error: str = ""


@dataclass(frozen=True)
class Batch:
    """A prompt's variations in their stated order. The ``id`` follows from what was asked, so asking again finds the
    same batch; ``seconds`` estimates the whole, ``None`` = not known; ``reasons`` say what varies, and why there are fewer
    pictures than were asked for."""

    id: str
    prompt: str
    strategy: Strategy
    items: tuple[Item, ...]
    seconds: float | None = None
    winner: int | None = None
    at: float = 0.0
    reasons: tuple[Reason, ...] = ()
