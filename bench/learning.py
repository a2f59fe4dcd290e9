"""How much simulated people lose by what is chosen for them, compared with an oracle that knows their taste.

    python bench/learning.py [--quick] [--pictures 2000] [--seeds 6] [--people consistent noisy …]

"ours" is the product's own path: the prompt's analysis, ``make_plan`` with the taste of the history so far, the rules of
``intelligence/learn.py`` on tallies that decay as the database's do. The others choose among the very same LoRAs and CFG
values: "none" takes what is planned without a taste, "formula" the LoRA with the best success rate and mean rating so
far, "thompson" river's Thompson sampling for the LoRA of each style, "thompson_cfg" another one for the CFG beside it (so
much is tried then that it loses more than it gains). Success from 4 stars on was the best of four ways for these people.

Last line: one JSON object {"regret": {person: {"ours": …, "none": …, "formula": …, "thompson": …}}, "ratings_to_80": …}:
mean regret a picture × pictures, averaged over the seeds; ratings until the last 20 pictures pleased as much as 80 % of
what the oracle's would have ("of_gain": 80 % of the way from no learning to the oracle).
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from people import DRIFT_EVERY, KINDS, LORA_PART, LORAS_EACH, MACHINE, STEP, WITHOUT, Person, prompts, shelf

# isort: split
from pack.feedback import Made, Rating, Standing
from pack.intelligence.analyze import analyze
from pack.intelligence.arms import usual_settings
from pack.intelligence.learn import contexts_of, taste_of
from pack.pipeline import make_plan
from pack.plan import Analysis, Generation, Plan, Request, Taste
from pack.tests.ledger import Ledger
from river import bandit, proba

EXPLORE = 0.15  # the product's default
ARMS = range(-2, 3)  # CFG arms of the bandit
WINDOW = 20

Choice = tuple[str, float]  # LoRA, CFG ÷ usual


class Learner(Protocol):
    def choose(self, style: str, prompt: str) -> Choice: ...

    def hear(self, style: str, choice: Choice, stars: int) -> None: ...


SHELF = shelf()
ANALYSES: dict[str, Analysis] = {prompt: analyze(prompt) for _, prompt in prompts()}


def planned(prompt: str, taste: Taste) -> Plan:
    return make_plan(Request(prompt), ANALYSES[prompt], SHELF, taste, MACHINE)


@cache
def plain(prompt: str) -> Plan:
    return planned(prompt, Taste())


@cache
def usual_cfg(prompt: str) -> float:
    return float(usual_settings(plain(prompt))[0].cfg)


def choice_of(plan: Plan, prompt: str) -> Choice:
    return (plan.loras[0].use.name if plan.loras else ""), plan.settings.cfg / usual_cfg(prompt)


@cache
def bounds() -> tuple[float, float]:
    from pack.data.families import families

    ranges = families()["sdxl"].cfg.values()
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def within(ratio: float, prompt: str) -> float:
    """The ratio as the family's range and the grain of its CFG let it be."""
    low, high = bounds()
    return min(high, max(low, round(usual_cfg(prompt) * ratio * 2) / 2)) / usual_cfg(prompt)


# --------------------------------------------------------------------------- who chooses


class Ours:
    def __init__(self, explore: float = EXPLORE) -> None:
        self.ledger, self.explore, self.plan = Ledger(), explore, None

    def choose(self, style: str, prompt: str) -> Choice:
        analysis, ledger = ANALYSES[prompt], self.ledger
        tallies = ledger.tallies(contexts_of(analysis))
        taste = taste_of(tallies, analysis, ledger.version, explore=self.explore, prompt=prompt)
        self.plan = planned(prompt, taste)
        return choice_of(self.plan, prompt)

    def hear(self, style: str, choice: Choice, stars: int) -> None:
        self.ledger.judge(Made(Generation(self.plan, 1, "x"), "s", "l"), Standing(Rating(stars)))


class Unlearned:
    def choose(self, style: str, prompt: str) -> Choice:
        return choice_of(plain(prompt), prompt)

    def hear(self, style: str, choice: Choice, stars: int) -> None:
        pass


class Formula:
    """Half the share of ratings of 4 and more, half the mean rating; what was never rated counts 0.5."""

    def __init__(self) -> None:
        self.given: dict[str, list[int]] = defaultdict(list)

    def choose(self, style: str, prompt: str) -> Choice:
        first = choice_of(plain(prompt), prompt)[0]
        return max(loras_of(style), key=lambda name: (self._score(name), name == first)), 1.0

    def _score(self, name: str) -> float:
        given = self.given[name]
        if not given:
            return 0.5
        return 0.5 * sum(stars >= 4 for stars in given) / len(given) + 0.5 * (sum(given) / len(given) - 1) / 4

    def hear(self, style: str, choice: Choice, stars: int) -> None:
        self.given[choice[0]].append(stars)


class Thompson:
    """river's ThompsonSampling with Beta(1, 1): a picture is a success from 4 stars on (Agrawal & Goyal 2012)."""

    def __init__(self, seed: int, settings: bool = False) -> None:
        def sampler() -> Any:
            return bandit.ThompsonSampling(reward_obj=proba.Beta(1, 1), seed=seed)

        self.loras: dict[str, Any] = defaultdict(sampler)
        self.settings: dict[str, Any] = defaultdict(sampler)
        self.with_settings, self.arm = settings, 0

    def choose(self, style: str, prompt: str) -> Choice:
        lora = self.loras[style].pull(loras_of(style))
        self.arm = self.settings[style].pull(list(ARMS)) if self.with_settings else 0
        return lora, within(STEP**self.arm, prompt)

    def hear(self, style: str, choice: Choice, stars: int) -> None:
        self.loras[style].update(choice[0], stars >= 4)
        if self.with_settings:
            self.settings[style].update(self.arm, stars >= 4)


@cache
def loras_of(style: str) -> tuple[str, ...]:
    return tuple(f"{style}_{number}.safetensors" for number in range(LORAS_EACH))


# --------------------------------------------------------------------------- runs


@dataclass
class Course:
    """A person's way: regret all in all and in each picture, and ratings until 80 % was reached (0 = never)."""

    regret: float
    to_80: int
    to_80_of_gain: int


def best(person: Person, style: str, prompt: str) -> float:
    low, high = bounds()
    values = [low + 0.5 * step for step in range(int((high - low) * 2) + 1)]
    bare = max(person.pleasure(style, "", value / usual_cfg(prompt)) for value in values)
    return float(bare + LORA_PART * max(0.0, max(person.likes[style].values()) - WITHOUT))


def live(kind: str, seed: int, learner: Learner, pictures: int) -> Course:
    person, regret = Person(kind, seed, min(DRIFT_EVERY, pictures // 2)), 0.0
    recent: deque[tuple[float, float, float]] = deque(maxlen=WINDOW)
    reached = [0, 0]
    for picture in range(pictures):
        person.before(picture)
        style, prompt = person.asks(picture)
        choice = learner.choose(style, prompt)
        got, most = person.pleasure(style, *choice), best(person, style, prompt)
        base = person.pleasure(style, *choice_of(plain(prompt), prompt))
        regret += most - got
        recent.append((got, most, base))
        for which, share in enumerate(_shares(recent)):
            if not reached[which] and len(recent) == WINDOW and share >= 0.8:
                reached[which] = picture + 1
        learner.hear(style, choice, person.stars(style, *choice, picture))
    return Course(regret, *reached)


def _shares(recent: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    got, most, base = (sum(column) for column in zip(*recent, strict=True))
    return got / most, (got - base) / max(most - base, 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="400 pictures instead of 2,000, 3 seeds instead of 6")
    parser.add_argument("--pictures", type=int)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--people", nargs="+", default=list(KINDS), choices=KINDS)
    asked = parser.parse_args()
    pictures = asked.pictures or (400 if asked.quick else 2000)
    seeds = asked.seeds or (3 if asked.quick else 6)
    learners: dict[str, Callable[[int], Learner]] = {
        "ours": lambda _: Ours(),
        "none": lambda _: Unlearned(),
        "formula": lambda _: Formula(),
        "thompson": Thompson,
        "thompson_cfg": lambda seed: Thompson(seed, settings=True),
    }
    regret: dict[str, dict[str, float]] = {}
    reached: dict[str, dict[str, list[int]]] = {}
    for kind in asked.people:
        started, told = time.monotonic(), {}
        for name, learner in learners.items():
            courses = [live(kind, seed, learner(seed), pictures) for seed in range(seeds)]
            told[name] = round(sum(course.regret for course in courses) / seeds, 1)
            if name == "ours":
                reached[kind] = {
                    "of_oracle": [course.to_80 for course in courses],
                    "of_gain": [course.to_80_of_gain for course in courses],
                }
        regret[kind] = told
        print(f"{kind}: {told}, ratings to 80 %: {reached[kind]} ({time.monotonic() - started:.0f} s)", flush=True)
    print(json.dumps({"regret": regret, "ratings_to_80": reached, "pictures": pictures, "seeds": seeds}))


if __name__ == "__main__":
    main()
