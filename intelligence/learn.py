"""From evidence to taste: what is known of a person's likings, as it bears on one prompt. Pure.

Evidence about the same thing counts by how much its picture had in common with the prompt; what little there is, is
shrunk to what is usual for this person, the more so the less their verdicts tell things apart.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..data import table
from ..feedback import Tally
from ..plan import Analysis, Lean, Leaning, Liking, Plan, Taste
from .arms import NUMBERS, USUAL, USUAL_NAME, arm_of, arms_of, factor_of
from .evidence import ANY, contexts_of, model_of, rules, share_of
from .explore import ANY_OTHER, Chance
from .following import Followed, changes_between, relate
from .posterior import Belief, line, prior_weight, shrunk

__all__ = ["Followed", "changes_between", "contexts_of", "predicted", "relate", "rules", "taste_of"]

Named = dict[str, "Evidence"]


@dataclass(frozen=True)
class Evidence:
    """All evidence about one thing as it bears on a prompt; ``said`` is the tally to quote."""

    liked: float = 0.0
    weight: float = 0.0
    value: float = 0.0
    ratings: int = 0
    stars: float | None = None
    about: str = ""


NOTHING = Evidence()


def taste_of(tallies: Iterable[Tally], analysis: Analysis, version: int, *, explore: float, prompt: str) -> Taste:
    """What the tallies (those of ``contexts_of(analysis)``) say about this person. ``explore`` is the share of decisions,
    0–1, in which something little tried may go first; which ones is decided by ``prompt`` and ``version`` alone."""
    gathered = _gathered(tallies, analysis)
    chance = Chance(prompt, version, explore)
    usual = _usual(gathered, analysis)
    models: Named = {}
    for (kind, _), things in gathered.items():
        if kind == "checkpoint":
            models.update(_merged(things, analysis))
    return Taste(
        version,
        checkpoints={name: _liking(each, belief, usual) for name, each, belief in _believed(models, usual)},
        families={family: _leaning(family, gathered, analysis, usual, chance) for family in _families(gathered)},
    )


Gathered = dict[tuple[str, str], dict[str, dict[str, Tally]]]


def _gathered(tallies: Iterable[Tally], analysis: Analysis) -> Gathered:
    """Tallies by (kind, family), name and context."""
    wanted = frozenset(contexts_of(analysis))
    found: Gathered = defaultdict(lambda: defaultdict(dict))
    for tally in tallies:
        if tally.context in wanted and tally.weight > 0:
            found[tally.kind, tally.family][tally.name][tally.context] = tally
    return found


def _families(gathered: Gathered) -> list[str]:
    return sorted({family for _, family in gathered})


def _knobs(section: str) -> dict[str, Any]:
    rows: dict[str, Any] = table("learning")[section]
    return rows


# --------------------------------------------------------------------------- evidence that bears on this prompt


def _merged(things: Mapping[str, Mapping[str, Tally]], analysis: Analysis) -> Named:
    if not things:
        return {}
    kind = next(tally.kind for by_context in things.values() for tally in by_context.values())
    shares = _shares(share_of(kind), analysis)
    quoted = (f"content:{analysis.content}", f"style:{analysis.style}", ANY)
    return {name: _evidence(by_context, shares, quoted) for name, by_context in things.items()}


def _evidence(by_context: Mapping[str, Tally], shares: Mapping[str, float], quoted: tuple[str, ...]) -> Evidence:
    liked = disliked = value = 0.0
    for context, tally in by_context.items():
        share = shares.get(context, 0.0)
        liked += tally.liked * share
        disliked += tally.disliked * share
        value += tally.value * tally.liked * share
    mean = value / liked if liked > 0 else 0.0
    said = _quoted(by_context, quoted)
    if said is None:
        return Evidence(liked, liked + disliked, mean)
    return Evidence(liked, liked + disliked, mean, said.rated, said.stars, said.context.partition(":")[2])


def _shares(shares: Mapping[str, float], analysis: Analysis) -> dict[str, float]:
    """What evidence of each context counts; without concepts the other contexts count more, so that it adds up to 1."""
    contexts = contexts_of(analysis)
    kinds = [(context, "any" if context == ANY else context.partition(":")[0]) for context in contexts]
    many = {kind: sum(other == kind for _, other in kinds) for _, kind in kinds}
    total = sum(share for kind, share in shares.items() if kind in many)
    return {context: shares[kind] / many[kind] / total for context, kind in kinds if kind in shares}


def _quoted(by_context: Mapping[str, Tally], contexts: tuple[str, ...]) -> Tally | None:
    """The tally a sentence quotes: the ratings of pictures most like this one, where there are some."""
    listed = [by_context[context] for context in contexts if context in by_context and by_context[context].rated]
    return next((tally for tally in listed if tally.rated >= 3), listed[-1] if listed else None)


def _usual(gathered: Gathered, analysis: Analysis) -> float:
    """What this person's verdicts are like in general, half of it for pictures like this one: every picture has one
    checkpoint, so the checkpoints' evidence is that about all pictures."""
    knobs = _knobs("posterior")
    checkpoints = [things for (kind, _), things in gathered.items() if kind == "checkpoint"]
    overall = [by_context[ANY] for things in checkpoints for by_context in things.values() if ANY in by_context]
    anywhere = _shrunk_mean([(tally.liked, tally.weight) for tally in overall], knobs["usual"])
    merged = [each for things in checkpoints for each in _merged(things, analysis).values()]
    here = _shrunk_mean([(each.liked, each.weight) for each in merged], anywhere)
    return float(knobs["local"] * here + (1 - knobs["local"]) * anywhere)


def _shrunk_mean(rows: list[tuple[float, float]], prior: float) -> float:
    counts = _knobs("posterior")["usual_weight"]
    return float((sum(liked for liked, _ in rows) + counts * prior) / (sum(weight for _, weight in rows) + counts))


# --------------------------------------------------------------------------- likings


def _believed(things: Named, usual: float) -> Iterator[tuple[str, Evidence, Belief]]:
    prior = prior_weight([(each.liked, each.weight) for each in things.values()], usual)
    for name, each in things.items():
        yield name, each, shrunk(each.liked, each.weight, usual, prior)


def _usual_of(things: Named, usual: float) -> float:
    """What to expect of one nothing is known of: each thing counts alike once it is known a little. What is liked is used
    most, so the mean of all pictures would soon be that of the favourites."""
    knobs = _knobs("posterior")
    counts = [(each.liked, each.weight, min(1.0, knobs["enough"] / each.weight)) for each in things.values() if each.weight > 0]
    liked = sum(liked * share for liked, _, share in counts) + knobs["usual_weight"] * usual
    return float(liked / (sum(weight * share for _, weight, share in counts) + knobs["usual_weight"]))


def _score(mean: float, usual: float) -> float:
    """−1…1; differences too small to matter decide nothing, so that contradictory verdicts change nothing."""
    away, knobs = mean - usual, _knobs("posterior")
    return math.copysign(min(1.0, max(0.0, abs(away) - knobs["same"]) / knobs["reach"]), away)


def _liking(each: Evidence, belief: Belief, usual: float, lift: float = 0.0) -> Liking:
    score = _score(belief.mean, usual)
    lifted = max(-1.0, min(1.0, score + lift / _knobs("posterior")["reach"]))
    strength = round(each.value, 2) if each.liked >= _knobs("act")["strength_weight"] else None
    tried = lifted - score > _knobs("act")["told"]
    return Liking(lifted, each.ratings, each.stars, each.about, strength, tried)


def _leaning(family: str, gathered: Gathered, analysis: Analysis, usual: float, chance: Chance) -> Leaning:
    loras = _merged(gathered.get(("lora", family), {}), analysis)
    pairs = _merged(gathered.get(("pair", family), {}), analysis)
    leans = dict(_leans(family, gathered, analysis, usual, chance))
    return Leaning(_likings(loras, usual, chance.budget), leans, _avoided(pairs, loras))


def _likings(loras: Named, usual: float, budget: float) -> dict[str, Liking]:
    """The less is known of a LoRA, the more a budget for exploring lifts it (an upper confidence bound, Auer 2002)."""
    usual = _usual_of(loras, usual)
    believed = list(_believed(loras, usual))
    if believed and budget:
        prior = prior_weight([(each.liked, each.weight) for each in loras.values()], usual)
        believed.append((ANY_OTHER, NOTHING, shrunk(0.0, 0.0, usual, prior)))
    lift = _knobs("explore")["lift"] * budget
    return {name: _liking(each, belief, usual, lift * belief.sd) for name, each, belief in believed}


def _avoided(pairs: Named, loras: Named) -> frozenset[tuple[str, str]]:
    """Pairs that did clearly worse than either of their parts did."""
    act, found = _knobs("act"), set()
    for name, pair in pairs.items():
        one, _, two = name.partition("|")
        if pair.weight < act["pair_ratings"] or one not in loras or two not in loras:
            continue
        parts = min(_alone(loras[each], pair) for each in (one, two))
        if (pair.liked + parts) / (pair.weight + 1) < parts - act["pair_worse"]:
            found.add((one, two))
    return frozenset(found)


def _alone(part: Evidence, pair: Evidence) -> float:
    """How a LoRA is liked without the other one, shrunk to how it is liked at all."""
    whole = part.liked / part.weight if part.weight else 0.5
    rest = max(0.0, part.weight - pair.weight)
    return (max(0.0, part.liked - pair.liked) + whole) / (rest + 1)


# --------------------------------------------------------------------------- settings


def _leans(family: str, gathered: Gathered, analysis: Analysis, usual: float, chance: Chance) -> Iterator[tuple[str, Lean]]:
    """What is liked; on a share of decisions one setting is moved to find out more (Thompson 1933)."""
    explored = [kind for kind in _knobs("explore")["kinds"] if (kind, family) in gathered]
    chosen = explored[int(chance.unit("setting", family) * len(explored))] if chance.tries and explored else ""
    for kind in (*NUMBERS, "sampler", "size"):
        arms = _merged(gathered.get((kind, family), {}), analysis)
        if not arms:
            continue
        lean = _number(kind, arms, usual, chance if kind == chosen else None) if kind in NUMBERS else _name(arms, usual)
        if lean is not None:
            yield kind, lean


def _number(kind: str, arms: Named, usual: float, chance: Chance | None) -> Lean | None:
    """The arm that is surely better than the usual one; where something is tried, its neighbour that looks best."""
    beliefs = line({int(name): (each.liked, each.weight) for name, each in arms.items()}, usual)
    knobs = _knobs("arm")
    # What nobody has seen is for exploring, not for believing.
    best = beliefs.best([0, *(int(name) for name, each in arms.items() if each.weight >= knobs["seen"])])
    more, doubt = beliefs.better(best)
    arm = best if more > knobs["margin"] + knobs["sure"] * doubt else 0
    tried = False
    if chance is not None:
        near = [each for each in (arm - 1, arm, arm + 1) if abs(each) <= knobs["arms"]]
        drawn = max(near, key=lambda each: _drawn(beliefs.better(each, arm), chance.normal(kind, str(each))))
        arm, tried = drawn, drawn != arm
    if arm == 0:
        return None
    each, before = arms.get(str(arm), NOTHING), arms.get(USUAL, NOTHING)
    return Lean(factor_of(kind, arm), "", each.ratings, each.stars, before.stars, each.about, tried)


def _drawn(better: tuple[float, float], normal: float) -> float:
    return better[0] + better[1] * normal


def _name(arms: Named, usual: float) -> Lean | None:
    """The sampler or size that is surely better than the usual one."""
    prior = prior_weight([(each.liked, each.weight) for each in arms.values()], usual)
    beliefs = {name: shrunk(each.liked, each.weight, usual, prior) for name, each in arms.items()}
    before = beliefs.get(USUAL_NAME, shrunk(0.0, 0.0, usual, prior))
    others = {name: belief for name, belief in beliefs.items() if name != USUAL_NAME}
    if not others:
        return None
    best = max(sorted(others), key=lambda name: others[name].mean)
    knobs, doubt = _knobs("arm"), (others[best].sd ** 2 + before.sd**2) ** 0.5
    if others[best].mean - before.mean <= knobs["margin"] + knobs["sure"] * doubt:
        return None
    each, usual_one = arms[best], arms.get(USUAL_NAME, NOTHING)
    return Lean(1.0, best, each.ratings, each.stars, usual_one.stars, each.about)


# --------------------------------------------------------------------------- how well a plan will be liked


def predicted(plan: Plan, taste: Taste) -> float:
    """How well this person will probably like it, 0–1; 0.5 where nothing is known."""
    knobs, leaning = _knobs("predicted"), taste.on(plan.family)
    scores = [leaning.loras[choice.use.name].score for choice in plan.loras if choice.use.name in leaning.loras]
    total: float = knobs["loras"] * (sum(scores) / len(scores)) if scores else 0.0
    if liking := taste.checkpoints.get(model_of(plan)):
        total += knobs["checkpoint"] * liking.score
    total += knobs["setting"] * sum(_agrees(kind, arm, leaning) for kind, (arm, _) in arms_of(plan).items())
    names = {choice.use.name for choice in plan.loras}
    total -= knobs["pair"] * any(set(pair) <= names for pair in leaning.avoided)
    return 0.5 + 0.5 * max(-1.0, min(1.0, total))


def _agrees(kind: str, arm: str, leaning: Leaning) -> float:
    """1 where a setting is as the person likes it, −1 where they like another and this is not it."""
    lean = leaning.settings.get(kind)
    if lean is None or lean.tried:
        return 0.0
    if lean.name:
        return 1.0 if lean.name == arm else -1.0
    wanted = int(arm_of(kind, lean.factor))
    return 1.0 - 2.0 * min(1.0, abs(int(arm) - wanted) / max(1, abs(wanted)))
