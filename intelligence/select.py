"""Which of the ranked LoRAs go into the picture: few, each for something else that the prompt asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..data import table
from ..plan import Analysis, Constraints, Leaning, Level, ModelFile
from .matching import Match, Nature, Wishes, asked_for, camps_of, match
from .ranking import Ranked
from .text import fold, name_words, rarity

NO_LEANING = Leaning()
_VERSION = re.compile(r"[\s_.-]*(?:v(?:er(?:sion)?)?[\s_.]*\d+(?:[._]\d+)*[a-z]?|\d+e|e\d+|-?0{2,}\d+|final|fp16|fp8)\b", re.I)


@dataclass(frozen=True)
class Candidate:
    """A ranked LoRA with what of the prompt it answers to."""

    ranked: Ranked
    match: Match
    asked: bool
    factor: float = 1.0

    @property
    def relevance(self) -> float:
        """How sure the choice is, 0–1: the score, and that a name was said where one was."""
        said = table("recommend")["asked"]["certainty"] * self.match.share if self.asked else 0.0
        return float(1 - (1 - min(1.0, self.ranked.score)) * (1 - min(1.0, said)))

    @property
    def file(self) -> ModelFile:
        return self.ranked.file


@dataclass(frozen=True)
class Refusal:
    """A LoRA that was not chosen: ``why`` completes the key ``lora.not.<why>``, ``other`` names who stands against it."""

    candidate: Candidate
    why: str
    other: str = ""

    @property
    def asked(self) -> bool:
        return self.why == "one_detail" or self.candidate.asked


@dataclass
class _Stack:
    limit: int
    chosen: list[Candidate] = field(default_factory=list)
    covered: set[str] = field(default_factory=set)

    def add(self, candidate: Candidate) -> None:
        self.chosen.append(candidate)
        self.covered |= candidate.match.words

    def count(self, nature: Nature) -> int:
        return sum(candidate.match.nature is nature for candidate in self.chosen)


def candidate_of(ranked: Ranked, wishes: Wishes, factor: float = 1.0) -> Candidate:
    """A ranked LoRA set beside what the prompt asks for; ``factor`` is how well its family's LoRAs work here."""
    found = match(ranked.file, wishes)
    return Candidate(ranked, found, asked_for(found, wishes), factor)


def select(
    candidates: Sequence[Candidate], analysis: Analysis, constraints: Constraints, leaning: Leaning = NO_LEANING
) -> tuple[tuple[Candidate, ...], tuple[Refusal, ...]]:
    """The chosen LoRAs, best first, and the refused ones in the order of their scores. Nothing is chosen that the
    prompt does not ask for, so both may be empty."""
    wishes = Wishes.of(analysis)
    stack, refusals = _Stack(constraints.max_loras), []
    detail_wanted = wants_detail(analysis)
    ordered = sorted(candidates, key=lambda each: each.match.nature in (Nature.DETAIL, Nature.UTILITY))
    for candidate in ordered:
        refusal = _forbidden(candidate, constraints) or _unfit(candidate, detail_wanted)
        refusal = refusal or _unwelcome(candidate, stack, leaning) or _clash(candidate, stack, analysis, wishes)
        if refusal:
            refusals.append(refusal)
        else:
            stack.add(candidate)
    return tuple(stack.chosen), tuple(sorted(refusals, key=lambda each: -each.candidate.ranked.score))


def wants_detail(analysis: Analysis) -> bool:
    """Detail is a concept of its own in complex prompts and where it is said; never in simple ones."""
    if analysis.complexity.level is Level.SIMPLE:
        return False
    return analysis.complexity.level is Level.COMPLEX or bool(analysis.of("detail"))


def _forbidden(candidate: Candidate, constraints: Constraints) -> Refusal | None:
    file = candidate.file
    if file.name in constraints.blocked_ids or (file.hub_id and file.hub_id in constraints.blocked_ids):
        return Refusal(candidate, "blocked_id")
    if tag := blocked_tag(file, constraints.blocked_tags):
        return Refusal(candidate, "blocked_tag", tag)
    if file.nsfw and not constraints.allow_nsfw:
        return Refusal(candidate, "nsfw")
    if file.distillation:
        return Refusal(candidate, "distillation")
    return None


def blocked_tag(file: ModelFile, blocked: Sequence[str]) -> str | None:
    """The blocked tag that this file carries among its tags, trigger words or in its title."""
    held = {_plain(tag) for tag in (*file.tags, *(word for group in file.trigger_groups for word in group))}
    title = f" {_plain(file.title)} "
    return next((tag for tag in blocked if _plain(tag) in held or f" {_plain(tag)} " in title), None)


def _plain(text: str) -> str:
    return " ".join(fold(text).replace("_", " ").split())


def _unfit(candidate: Candidate, detail_wanted: bool) -> Refusal | None:
    if candidate.match.nature is Nature.DETAIL and not detail_wanted:
        return Refusal(candidate, "detail_not_asked")
    utility = candidate.match.nature is Nature.UTILITY
    if candidate.match.nature is not Nature.DETAIL and (utility or not candidate.asked):
        everyday = bool(candidate.match.words) and candidate.match.share >= table("recommend")["asked"]["named_share"]
        return Refusal(candidate, "everyday" if everyday and not utility else "not_asked")
    if candidate.factor < table("recommend")["asked"]["least_factor"]:
        return Refusal(candidate, "distant_family", candidate.file.family or "")
    return None


def _unwelcome(candidate: Candidate, stack: _Stack, leaning: Leaning) -> Refusal | None:
    """What this person clearly dislikes for such pictures, alone or beside one chosen before it; a LoRA they name is
    theirs to have."""
    if _is_named(candidate):
        return None
    act, liking = table("learning")["act"], leaning.loras.get(candidate.file.name)
    if liking and liking.score <= act["disliked"] and liking.ratings >= act["disliked_ratings"]:
        return Refusal(candidate, "disliked")
    for other in stack.chosen:
        one, two = sorted((candidate.file.name, other.file.name))
        if (one, two) in leaning.avoided:
            return Refusal(candidate, "disliked_pair", other.file.name)
    return None


def _is_named(candidate: Candidate) -> bool:
    whole = candidate.asked and candidate.match.share >= 1 and candidate.match.nature is Nature.CHARACTER
    return candidate.match.literal or whole


def _clash(candidate: Candidate, stack: _Stack, analysis: Analysis, wishes: Wishes) -> Refusal | None:
    limits = table("recommend")["limits"]
    nature = candidate.match.nature
    if twin := next((other for other in stack.chosen if same_model(candidate.file, other.file)), None):
        return Refusal(candidate, "duplicate", twin.file.name)
    if nature is Nature.DETAIL:
        if stack.count(Nature.DETAIL):
            return Refusal(candidate, "one_detail", _name(stack, Nature.DETAIL))
    elif not _covers_something(candidate, stack, limits["new_share"]):
        return Refusal(candidate, "covers_nothing_new", stack.chosen[0].file.name if stack.chosen else "")
    if nature is Nature.STYLE and stack.count(Nature.STYLE) >= limits["styles"]:
        return Refusal(candidate, "styles_full", _name(stack, Nature.STYLE))
    if other := _opposed(candidate, stack, analysis, wishes):
        return Refusal(candidate, "conflict_style" if other == analysis.style else "conflict", other)
    if len(stack.chosen) >= stack.limit:
        return Refusal(candidate, "limit")
    return None


def _covers_something(candidate: Candidate, stack: _Stack, least: float) -> bool:
    new = sum(rarity(word) for word in candidate.match.words - stack.covered)
    return new > 0 and new >= least * candidate.match.mass


def _opposed(candidate: Candidate, stack: _Stack, analysis: Analysis, wishes: Wishes) -> str | None:
    if candidate.match.nature is not Nature.STYLE:
        return None
    own = _camps(candidate.file)
    wanted = camps_of([analysis.style]) | camps_of(wishes.styles)
    if len(own) == 1 and wanted and not own & wanted:
        return analysis.style
    for other in stack.chosen:
        theirs = _camps(other.file) if other.match.nature is Nature.STYLE else frozenset()
        if len(own) == len(theirs) == 1 and own != theirs:
            return other.file.name
    return None


def _camps(file: ModelFile) -> frozenset[str]:
    return camps_of((*file.tags, *name_words(file.title)))


def same_model(one: ModelFile, two: ModelFile) -> bool:
    """Two versions of one model: the same page on the hub, or the same title or file name but for the version."""
    if one.hub_id and one.hub_id == two.hub_id:
        return True
    return bool(_bare(one.title) and _bare(one.title) == _bare(two.title)) or _bare_path(one) == _bare_path(two)


def _bare(text: str) -> str:
    return _VERSION.sub("", fold(text)).strip(" _-.")


def _bare_path(file: ModelFile) -> str:
    return _bare(file.name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0])


def _name(stack: _Stack, nature: Nature) -> str:
    return next(candidate.file.name for candidate in stack.chosen if candidate.match.nature is nature)
