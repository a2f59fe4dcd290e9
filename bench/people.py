"""Simulated people with hidden tastes, and the shelf of near-equal LoRAs they draw with: for ``learning.py``."""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import rows  # noqa: F401  registers the package under the name ``pack``

# isort: split
from pack.plan import GIB, Kind, Library, Machine, ModelFile

KINDS = ("consistent", "noisy", "drifting", "adversarial", "one_style_only")
STYLES = {
    "anime": "Anime",
    "watercolor": "Watercolor",
    "oil_painting": "Oil Painting",
    "pixel_art": "Pixel Art",
    "comic": "Comic",
}
SUBJECTS = ("an old fisherman", "a castle on a hill", "a red fox", "a girl with an umbrella", "a steam train", "a still life")
LORAS_EACH = 5
LIKINGS = (0.1, 0.3, 0.5, 0.7, 0.9)
LEANS = (-2.0, -1.0, 0.0, 1.0, 2.0)  # steps of CFG away from the usual
STEP = 1.15  # one step of CFG as people see it
DRIFT_EVERY = 500  # pictures after which a drifting person has other favourites
SPELL = 40  # pictures for which an adversary keeps to one way of misleading
LORA_PART, CFG_PART = 0.75, 0.25  # of what makes a picture please
WITHOUT = 0.3  # how a picture without a LoRA pleases, of LORA_PART
NOISE = {"noisy": 1.2}  # stars, standard deviation
USUAL_NOISE = 0.4

MACHINE = Machine("cuda", 12 * GIB, 64 * GIB, "0.33.0")


def shelf() -> Library:
    """One checkpoint and, for every style, LoRAs that differ in nothing but their popularity."""
    parts = {"unet": 5_135_149_760, "clip": 1_636_000_000, "vae": 167_000_000}
    known = {"family": "sdxl", "architecture": "sdxl", "confidence": 0.95}
    model = ModelFile(
        Kind.CHECKPOINT, "base.safetensors", 6_938_078_334, parts=frozenset(parts), part_bytes=parts, dtype="fp16", **known
    )
    loras = [
        ModelFile(
            Kind.LORA,
            f"{style}_{number}.safetensors",
            220_000_000,
            title=title,
            tags=(title.lower(), "style"),
            downloads=(number * 7 % LORAS_EACH) * 300,
            keys=722,
            **known,
        )
        for style, title in STYLES.items()
        for number in range(LORAS_EACH)
    ]
    return Library((model, *loras), "people")


def prompts() -> list[tuple[str, str]]:
    """(style, prompt)."""
    return [(style, f"{title.lower()} of {subject}") for style, title in STYLES.items() for subject in SUBJECTS]


@dataclass
class Person:
    """``kind`` of ``KINDS``; ``seed`` decides the hidden taste and every chance, the same for all learners. Choices are
    (LoRA or "", CFG ÷ usual CFG)."""

    kind: str
    seed: int
    drift_every: int = DRIFT_EVERY
    likes: dict[str, dict[str, float]] = field(default_factory=dict)
    leans: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        chance = random.Random(f"{self.kind} {self.seed}")
        self.likes = self._favourites(chance)
        leans = chance.sample(LEANS, len(LEANS))
        self.leans = dict(zip(STYLES, leans, strict=True))
        self.only = chance.choice(list(STYLES))
        self.phase = chance.randrange(2 * SPELL)

    def _favourites(self, chance: random.Random) -> dict[str, dict[str, float]]:
        """In a Latin square: over the styles, the LoRA of each number (so also the one planned without a taste) has every
        degree of liking once, which keeps luck out of the comparison."""
        order = chance.sample(LIKINGS, len(LIKINGS))
        shifts = chance.sample(range(len(STYLES)), len(STYLES))
        return {
            style: {f"{style}_{number}.safetensors": order[(number + shift) % len(order)] for number in range(LORAS_EACH)}
            for style, shift in zip(STYLES, shifts, strict=True)
        }

    def asks(self, picture: int) -> tuple[str, str]:
        """The style and prompt of the n-th picture."""
        chance = random.Random(f"asks {self.kind} {self.seed} {picture}")
        wanted = [row for row in prompts() if self.kind != "one_style_only" or row[0] == self.only or chance.random() < 0.05]
        return chance.choice(wanted)

    def before(self, picture: int) -> None:
        """A drifting person changes their mind about half of the styles."""
        if self.kind == "drifting" and picture and picture % self.drift_every == 0:
            chance = random.Random(f"drift {self.seed} {picture}")
            changed = self._favourites(chance)
            for style in chance.sample(list(STYLES), len(STYLES) // 2):
                self.likes[style] = changed[style]

    def pleasure(self, style: str, lora: str, ratio: float) -> float:
        """How much a picture really pleases, 0–1."""
        away = math.log(ratio) / math.log(STEP) - self.leans[style]
        return LORA_PART * self.likes[style].get(lora, WITHOUT) + CFG_PART * math.exp(-(away**2) / 8)

    def stars(self, style: str, lora: str, ratio: float, picture: int) -> int:
        """What they say of it, 1–5. The adversary misleads in one of three ways, by its seed: at random; in spells against and
        for what they like, as long the one as the other; against whatever they said of the same LoRA before."""
        chance = random.Random(f"stars {self.kind} {self.seed} {picture}")
        told = 1 + 4 * self.pleasure(style, lora, ratio) + chance.gauss(0, NOISE.get(self.kind, USUAL_NOISE))
        if self.kind == "adversarial":
            told = self._misled(told, lora, picture, chance)
        return max(1, min(5, round(told)))

    def _misled(self, told: float, lora: str, picture: int, chance: random.Random) -> float:
        way = self.seed % 3
        if way == 0:
            return chance.uniform(0.5, 5.5)
        if way == 1:
            return told if (picture + self.phase) // SPELL % 2 else 6 - told
        last = self.__dict__.setdefault("last", {})
        last[lora] = 6 - last.get(lora, chance.choice((1, 5)))
        return float(last[lora])
