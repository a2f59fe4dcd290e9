"""The nouns of the pack: what is asked, what is known, what was decided and why.

Frozen values that refuse out-of-range fields and round-trip through JSON (``values.to_json``).
``None`` in a ``Request`` means "you choose"; whatever the person fixed is kept. The seed is no part of
any of them: a plan is the same for every seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .choices import (  # noqa: F401 – offered too
    Dialect,
    Kind,
    Level,
    Mode,
    Offload,
    Precision,
    Prediction,
    Priority,
    Reader,
    Relief,
    Stage,
    Verbosity,
    Verification,
)
from .values import faults_of_constraints, faults_of_settings, refuse

PLAN_VERSION = 1
PNG_KEY = "intelligent_generation"  # the PNG text that holds a Generation
GIB = 1024**3


# --------------------------------------------------------------------------- reasons


@dataclass(frozen=True)
class Reason:
    """Why something was decided. ``decision`` names the field of the plan ("steps", "lora:anime_v2"),
    ``key`` the sentence in ``locales/*/explain.json``, ``values`` what fills it."""

    decision: str
    key: str
    values: Mapping[str, Any] = field(default_factory=dict)


# --------------------------------------------------------------------------- what is asked


@dataclass(frozen=True)
class Constraints:
    """Limits the planner obeys, or says why it cannot."""

    max_vram_bytes: int | None = None
    max_seconds: float | None = None
    max_loras: int = 4
    max_pixels: int | None = None
    max_steps: int | None = None
    blocked_tags: tuple[str, ...] = ()
    blocked_ids: tuple[str, ...] = ()
    allow_nsfw: bool = False

    def __post_init__(self) -> None:
        refuse(faults_of_constraints(self))


@dataclass(frozen=True)
class LoraUse:
    """A LoRA with its strengths, as ComfyUI's ``LoraLoader`` takes them."""

    name: str
    strength_model: float
    strength_clip: float

    def __post_init__(self) -> None:
        refuse(
            f"{label} {value}"
            for label, value in (("strength_model", self.strength_model), ("strength_clip", self.strength_clip))
            if not -20 <= value <= 20
        )


@dataclass(frozen=True)
class Fixed:
    """Settings the person fixed; ``None`` means "you choose". Sizes are pixels of the final image."""

    steps: int | None = None
    cfg: float | None = None
    guidance: float | None = None
    sampler: str | None = None
    scheduler: str | None = None
    shift: float | None = None
    clip_skip: int | None = None
    width: int | None = None
    height: int | None = None
    batch: int | None = None
    denoise: float | None = None

    def __post_init__(self) -> None:
        refuse(faults_of_settings(self))


@dataclass(frozen=True)
class Request:
    """What the person wants. ``loras`` fixes the stack (an empty tuple means "none at all"); ``has_image``
    says that an init image comes with it. Without ``learning`` the picture is neither planned by what was learned nor
    recorded."""

    prompt: str
    negative: str | None = None
    mode: Mode = Mode.AUTO
    priority: Priority = Priority.BALANCED
    constraints: Constraints = field(default_factory=Constraints)
    fixed: Fixed = field(default_factory=Fixed)
    checkpoint: str | None = None
    vae: str | None = None
    loras: tuple[LoraUse, ...] | None = None
    has_image: bool = False
    language: str = "en"
    learning: bool = True
    memory: Offload | None = None

    @property
    def keeps_shape(self) -> bool:
        """Whether the init image's own shape decides the picture's: a planned size then means its pixels alone."""
        return self.has_image and not (self.fixed.width or self.fixed.height)


# --------------------------------------------------------------------------- what was read in the prompt


@dataclass(frozen=True)
class Concept:
    """Something the prompt asks for: ``category`` and ``name`` are rows of the vocabulary, ``words`` the
    words of the prompt that say so, ``weight`` the emphasis (1 = plain)."""

    category: str
    name: str
    words: tuple[str, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True)
class Complexity:
    """How much a prompt asks for, 0–1 overall and by dimension."""

    level: Level
    total: float
    dimensions: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse(f"{name} {value}" for name, value in {"total": self.total, **self.dimensions}.items() if not 0 <= value <= 1)


@dataclass(frozen=True)
class Analysis:
    """A prompt, read. ``text`` is the prompt rewritten to what ComfyUI implements (foreign emphasis
    syntaxes, ``<lora:…>`` and wildcards resolved); ``style``, ``content`` and ``quality`` are rows of the
    vocabulary. ``translation`` is English text for encoders that know nothing else."""

    prompt: str
    text: str
    concepts: tuple[Concept, ...] = ()
    style: str = "none"
    content: str = "other"
    quality: str = "normal"
    complexity: Complexity = Complexity(Level.SIMPLE, 0.0)
    dialect: Dialect = Dialect.PROSE
    language: str = "en"
    loras: tuple[LoraUse, ...] = ()
    embeddings: tuple[str, ...] = ()
    negative: str | None = None
    translation: str | None = None
    reader: Reader = Reader.RULES
    reasons: tuple[Reason, ...] = ()

    def of(self, *categories: str) -> tuple[Concept, ...]:
        """The concepts of these categories, in the prompt's order."""
        return tuple(concept for concept in self.concepts if concept.category in categories)


# --------------------------------------------------------------------------- what is on the disk


@dataclass(frozen=True)
class ModelFile:
    """One local model file, as its header and its sidecars describe it.

    ``name`` is the path below its model folder as ComfyUI lists it. ``family`` is a row of
    ``data/families.toml`` (``None`` = unknown) held with ``confidence`` 0–1. ``parts`` holds what a
    checkpoint carries: "unet", "clip", "vae". ``strength`` is (minimum, recommended, maximum).
    ``parameters`` counts the weights of the diffusion model (or of the whole file when it has none);
    ``problem`` is a key of ``locales/*/errors.json`` for files that cannot be used. ``sha256`` is ours or, until
    it is computed, what a sidecar claims. ``hub_id`` names model and version at a hub ("civitai:257749@290640"),
    ``base_model`` and ``version`` are the hub's words, ``newer`` is the id of a newer version for the same base
    model, empty where none is known.
    """

    kind: Kind
    name: str
    size_bytes: int = 0
    mtime_ns: int = 0
    family: str | None = None
    confidence: float = 0.0
    architecture: str | None = None
    prediction: Prediction | None = None
    distillation: str | None = None
    parts: frozenset[str] = frozenset()
    dtype: str | None = None
    parameters: int = 0
    keys: int = 0
    part_bytes: Mapping[str, int] = field(default_factory=dict)
    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    trigger_groups: tuple[tuple[str, ...], ...] = ()
    strength: tuple[float | None, float | None, float | None] = (None, None, None)
    downloads: int = 0
    likes: int = 0
    nsfw: bool = False
    real_person: bool = False
    licence: Mapping[str, Any] = field(default_factory=dict)
    preview: str | None = None
    sha256: str | None = None
    hub_id: str | None = None
    problem: str | None = None
    base_model: str = ""
    version: str = ""
    creator: str = ""
    page_url: str = ""
    newer: str = ""
    verification: Verification = Verification.LOCAL

    @property
    def usable(self) -> bool:
        return self.problem is None


@dataclass(frozen=True)
class Library:
    """Every local model known so far. ``version`` changes with any file; ``complete`` is False while the
    first scan is still running."""

    files: tuple[ModelFile, ...] = ()
    version: str = "empty"
    complete: bool = True

    def of(self, kind: Kind) -> tuple[ModelFile, ...]:
        """The usable files of this kind."""
        return _by_kind(self).get(kind, ())

    def find(self, kind: Kind, name: str) -> ModelFile | None:
        """The file ComfyUI lists as ``name``, usable or not; slashes and backslashes are the same."""
        return _by_name(self).get((kind, name.replace("\\", "/")))

    def __hash__(self) -> int:
        return hash((self.version, self.complete, len(self.files)))


@lru_cache(maxsize=2)
def _by_kind(library: Library) -> dict[Kind, tuple[ModelFile, ...]]:
    kinds: dict[Kind, list[ModelFile]] = {}
    for file in library.files:
        if file.usable:
            kinds.setdefault(file.kind, []).append(file)
    return {kind: tuple(files) for kind, files in kinds.items()}


@lru_cache(maxsize=2)
def _by_name(library: Library) -> dict[tuple[Kind, str], ModelFile]:
    return {(file.kind, file.name.replace("\\", "/")): file for file in library.files}


# --------------------------------------------------------------------------- the machine and the person


@dataclass(frozen=True)
class Machine:
    """What a plan may count on. ``vram_bytes`` and ``ram_bytes`` are what is there less what others use, in
    whole GiB so that a plan does not flip because our own model is loaded. ``seconds_per_step`` maps
    ``estimate.timing_key`` to times measured here, ``peak_factors`` families to measured peak ÷ estimated peak.
    ``compute_bytes`` is the element size ComfyUI computes in (0 = unknown: 2 on a GPU, 4 on a CPU), ``lean_attention``
    whether its attention grows with the pixels only (``None`` = unknown: on CUDA), ``dynamic_vram`` whether it moves
    weights by itself, ``precisions`` the 8-bit forms this machine and ComfyUI can hold weights in, best first."""

    device: str = "cpu"
    vram_bytes: int = 0
    ram_bytes: int = 0
    host_version: str = "0.0.0"
    samplers: tuple[str, ...] = ()
    schedulers: tuple[str, ...] = ()
    seconds_per_step: Mapping[str, float] = field(default_factory=dict)
    peak_factors: Mapping[str, float] = field(default_factory=dict)
    compute_bytes: int = 0
    lean_attention: bool | None = None
    dynamic_vram: bool = False
    precisions: tuple[Precision, ...] = (Precision.FP8,)


@dataclass(frozen=True)
class Liking:
    """How something is liked by this person: ``score`` −1…1 against what is usual for them, already shrunk to it where
    there is little evidence; ``stars`` the mean of ``ratings`` ratings; ``about`` what these were ("portrait", "" =
    anything). ``strength`` is the LoRA strength they like; ``tried`` says that the score was lifted to find out more."""

    score: float = 0.0
    ratings: int = 0
    stars: float | None = None
    about: str = ""
    strength: float | None = None
    tried: bool = False

    def __post_init__(self) -> None:
        refuse([f"score {self.score} (-1–1)"] if not -1 <= self.score <= 1 else [])


@dataclass(frozen=True)
class Lean:
    """A setting as this person likes it: ``factor`` on the usual number (steps, cfg, guidance), or a ``name`` (sampler,
    size as "832x1216"); the evidence as in ``Liking``, ``usual_stars`` what the usual setting got."""

    factor: float = 1.0
    name: str = ""
    ratings: int = 0
    stars: float | None = None
    usual_stars: float | None = None
    about: str = ""
    tried: bool = False


@dataclass(frozen=True)
class Leaning:
    """What is known of this person's likings on one model family: LoRAs and settings by name, and pairs of LoRAs that
    disappointed together (names in alphabetical order)."""

    loras: Mapping[str, Liking] = field(default_factory=dict)
    settings: Mapping[str, Lean] = field(default_factory=dict)
    avoided: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Taste:
    """What is known of this person's likings, as far as it bears on one prompt: checkpoints by name, the rest by
    family. ``version`` changes with whatever they say."""

    version: int = 0
    checkpoints: Mapping[str, Liking] = field(default_factory=dict)
    families: Mapping[str, Leaning] = field(default_factory=dict)

    def on(self, family: str) -> Leaning:
        """The likings on this family."""
        return self.families.get(family, Leaning())


# --------------------------------------------------------------------------- what was decided


@dataclass(frozen=True)
class Scores:
    """The four partial scores of a recommendation, each calibrated to 0–1."""

    semantic: float = 0.0
    keyword: float = 0.0
    popularity: float = 0.0
    history: float = 0.0

    def __post_init__(self) -> None:
        refuse(f"{name} {value}" for name, value in vars(self).items() if not 0 <= value <= 1)


@dataclass(frozen=True)
class LoraChoice:
    """A LoRA in the plan, or (``chosen`` False) a near-miss with the reason why not. ``covers`` names the
    concepts it serves, ``triggers`` the words that were added to the prompt, ``matched_keys`` of
    ``total_keys`` how many of its keys the model has (``None`` until the model's keys are known)."""

    use: LoraUse
    scores: Scores = Scores()
    relevance: float = 0.0
    triggers: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    chosen: bool = True
    distillation: str | None = None
    matched_keys: int | None = None
    total_keys: int | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Sampler settings; sizes in pixels. ``clip_skip`` 2 means "stop one layer early" (ComfyUI's −2);
    ``guidance`` is the distilled guidance of Flux-like models, ``cfg`` true classifier-free guidance."""

    steps: int
    cfg: float
    sampler: str
    scheduler: str
    width: int
    height: int
    guidance: float | None = None
    shift: float | None = None
    clip_skip: int | None = None
    batch: int = 1
    denoise: float = 1.0
    tiled_decode: bool = False

    def __post_init__(self) -> None:
        refuse(faults_of_settings(self))


@dataclass(frozen=True)
class Models:
    """The files a plan loads. ``checkpoint`` is set for single-file models, else ``diffusion_model`` with
    ``text_encoders`` (in the loader's order); ``vae`` ``None`` means the one baked into the checkpoint;
    ``second`` is the refiner, or the low-noise half of a two-part model. ``clip_type`` overrides the type the
    family's text encoder is loaded with. ``weight_dtype`` and ``encoder_dtype`` are the forms that the diffusion model's
    and the text encoders' weights are held in; ``encoder_on_cpu`` keeps the text encoders off the GPU."""

    checkpoint: str | None = None
    diffusion_model: str | None = None
    text_encoders: tuple[str, ...] = ()
    vae: str | None = None
    second: str | None = None
    weight_dtype: Precision = Precision.DEFAULT
    clip_type: str | None = None
    encoder_dtype: Precision = Precision.DEFAULT
    encoder_on_cpu: bool = False


@dataclass(frozen=True)
class StageCost:
    """What one stage takes on the device: the weights that lie there, and what it works in, in bytes."""

    stage: Stage
    weights_bytes: int
    working_bytes: int


@dataclass(frozen=True)
class Estimate:
    """What a plan will cost. ``seconds`` comes from runs measured on this machine or is a stated guess; ``vram_bytes`` is
    the highest stage with ComfyUI's reserve, ``ram_bytes`` what its weights take in RAM. ``relief`` is what was done so
    that it fits, ``advice`` what would make it fit where the person's choices stand against it; of both, the cheapest."""

    vram_bytes: int = 0
    weights_bytes: int = 0
    activations_bytes: int = 0
    decode_bytes: int = 0
    seconds: float | None = None
    measured: bool = False
    fits: bool | None = None
    ram_bytes: int = 0
    stages: tuple[StageCost, ...] = ()
    relief: tuple[Relief, ...] = ()
    advice: tuple[Relief, ...] = ()


@dataclass(frozen=True)
class Proposed:
    """What the planner decided, kept in the plan so that what a person changed in it can be told later."""

    settings: Settings
    loras: tuple[LoraUse, ...] = ()


@dataclass(frozen=True)
class Source:
    """Which file a plan means by a name, so that another machine can find it: its bytes (``sha256``), and what a hub calls
    it (``hub_id``, as in ``ModelFile``); ``None`` where that was not known when the plan was made."""

    kind: Kind
    name: str
    sha256: str | None = None
    hub_id: str | None = None
    size_bytes: int = 0
    base_model: str = ""


@dataclass(frozen=True)
class Plan:
    """Every decision about an image, with its reasons. Nothing about an image is decided anywhere else."""

    request: Request
    analysis: Analysis
    family: str
    recipe: str
    models: Models
    settings: Settings
    prompt: str
    negative: str | None = None
    loras: tuple[LoraChoice, ...] = ()
    near_misses: tuple[LoraChoice, ...] = ()
    distillation: str | None = None
    estimate: Estimate = Estimate()
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()
    library_version: str = "empty"
    proposed: Proposed | None = None
    version: int = PLAN_VERSION
    memory: Offload = Offload.NONE
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Accepted:
    """A plan the person agreed to, kept in the workflow. ``made_for`` is the hash of the question it answers
    (``intelligence.question.question_hash``); with ``always`` a new plan for the same prompt needs no new consent."""

    made_for: str
    plan: Plan
    always: bool = False


@dataclass(frozen=True)
class Generation:
    """A plan with the seed it ran with: one picture. ``id`` is the same for the same graph, so the same
    picture; empty, with no seed, for a plan that has not run."""

    plan: Plan
    seed: int | None = None
    id: str = ""


@dataclass(frozen=True)
class Measured:
    """What a generation really took: wall seconds from plan to picture, and the device's peak memory where
    the device tells."""

    seconds: float
    peak_bytes: int | None = None
