"""What may be chosen among, and what may be the case: the enums of the nouns. Apart from them, for ComfyUI's start needs
these alone, and dataclasses take their time to be made."""

from __future__ import annotations

from enum import Enum


class Mode(str, Enum):
    """Who decides: the pack, the pack with the person's consent, or the person."""

    AUTO = "auto"
    ASSISTED = "assisted"
    MANUAL = "manual"


class Priority(str, Enum):
    """What matters most when decisions conflict."""

    QUALITY = "quality"
    BALANCED = "balanced"
    SPEED = "speed"
    LOW_VRAM = "low_vram"


class Level(str, Enum):
    """How complex a prompt is."""

    SIMPLE = "simple"
    MODERATE = "moderate"
    COMPLEX = "complex"


class Dialect(str, Enum):
    """How a prompt is written, or what a model was trained to read."""

    TAGS = "tags"
    PROSE = "prose"


class Reader(str, Enum):
    """Who read the prompt."""

    RULES = "rules"
    OLLAMA = "ollama"


class Verbosity(str, Enum):
    """How much an explanation says."""

    MINIMAL = "minimal"
    STANDARD = "standard"
    DETAILED = "detailed"
    TECHNICAL = "technical"


class Kind(str, Enum):
    """What a model file is; the value is ComfyUI's own folder category."""

    CHECKPOINT = "checkpoints"
    DIFFUSION_MODEL = "diffusion_models"
    LORA = "loras"
    EMBEDDING = "embeddings"
    CONTROLNET = "controlnet"
    VAE = "vae"
    TEXT_ENCODER = "text_encoders"
    CLIP_VISION = "clip_vision"
    STYLE_MODEL = "style_models"
    UPSCALER = "upscale_models"


class Prediction(str, Enum):
    """What the diffusion model predicts."""

    EPS = "eps"
    V = "v"
    FLOW = "flow"


class Verification(str, Enum):
    """What is known of a local file's bytes: they are the hub's; the hub gave no hash to compare with; they are
    other than the hub's; or no hub was found that knows them."""

    VERIFIED = "verified"
    NO_HASH = "no_hash"
    MISMATCH = "mismatch"
    LOCAL = "local"


class Action(str, Enum):
    """What a person does with a picture. The last two are read off what they did next, and count little."""

    SAVED = "saved"
    SHARED = "shared"
    FAVOURITED = "favourited"
    PICKED = "picked"
    REGENERATED = "regenerated"
    DELETED = "deleted"
    KEPT = "kept"
    REROLLED = "rerolled"


class Relation(str, Enum):
    """How a generation follows from the one before it in its session."""

    NEW = "new"
    REROLL = "reroll"
    CHANGE = "change"
    EDIT = "edit"


class Strategy(str, Enum):
    """What varies in a batch."""

    SEED = "seed"
    PARAMETER = "parameter"
    LORA = "lora"
    MIXED = "mixed"
    PROMPT = "prompt"


class ItemState(str, Enum):
    """What became of one picture of a batch."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class Sort(str, Enum):
    """The order of search results."""

    RELEVANCE = "relevance"
    DOWNLOADS = "downloads"
    LIKES = "likes"
    NEWEST = "newest"


class Period(str, Enum):
    """How far back a search counts downloads and likes."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    ALL = "all"


class Offload(str, Enum):
    """Which models stay on the device: all of them; the diffusion model, while the others leave it when their stage is
    over; or only those of the stage that runs."""

    NONE = "none"
    BALANCED = "balanced"
    AGGRESSIVE = "aggressive"


class Precision(str, Enum):
    """The form that weights are held in; the default is what ComfyUI makes of the file."""

    DEFAULT = "default"
    FP16 = "fp16"
    BF16 = "bf16"
    FP8 = "fp8_e4m3fn"
    INT8 = "int8"


class Freed(str, Enum):
    """What is given back: models leave the devices; what the pool keeps leaves the RAM, too; results go with all of it."""

    MODELS = "models"
    POOL = "pool"
    EVERYTHING = "everything"


class Stage(str, Enum):
    """The stages of a picture; ComfyUI frees one's models where the next needs the room."""

    ENCODE = "encode"
    SAMPLE = "sample"
    DECODE = "decode"


class Relief(str, Enum):
    """What makes a plan take less memory."""

    BALANCED = "balanced"
    TILED = "tiled_decode"
    QUANTISED = "quantised"
    AGGRESSIVE = "aggressive"
    SINGLE = "one_at_a_time"
    SMALLER = "smaller"
