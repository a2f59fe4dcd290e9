"""What a model file is, from the names and shapes of its tensors: ``data/architectures.toml`` holds the facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..data import table
from ..plan import Kind, Prediction
from .headers import Header, shape_of
from .lora_keys import is_lora, lora_architecture

Tensors = Mapping[str, Mapping[str, Any]]
Rule = Mapping[str, Any]

# comfy/model_detection.py unet_prefix_from_state_dict, then bare files.
UNET_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "model.model.", "net.", "model.", "")
PART_OF = {
    "model": "unet",
    "cond_stage_model": "clip",
    "conditioner": "clip",
    "text_encoders": "clip",
    "first_stage_model": "vae",
    "vae": "vae",
}
# safetensors dtype -> (name, bytes per number)
DTYPES = {
    "F64": ("fp64", 8.0),
    "F32": ("fp32", 4.0),
    "F16": ("fp16", 2.0),
    "BF16": ("bf16", 2.0),
    "F8_E4M3": ("fp8_e4m3fn", 1.0),
    "F8_E5M2": ("fp8_e5m2", 1.0),
    "F4": ("fp4", 0.5),
    "I8": ("int8", 1.0),
    "U8": ("uint8", 1.0),
    "I64": ("int64", 8.0),
    "I32": ("int32", 4.0),
    "I16": ("int16", 2.0),
    "BOOL": ("bool", 1.0),
}
_TABLES = {
    Kind.VAE: "vae",
    Kind.TEXT_ENCODER: "text_encoder",
    Kind.EMBEDDING: "embedding",
    Kind.CLIP_VISION: "clip_vision",
    Kind.STYLE_MODEL: "style_model",
    Kind.CONTROLNET: "controlnet",
}
_MODELS = frozenset({Kind.CHECKPOINT, Kind.DIFFUSION_MODEL})


@dataclass(frozen=True)
class Recognition:
    """``belongs`` is the folder the file should lie in when it is not this one; ``parameters`` counts the
    weights of the diffusion model, or of the whole file when it has none."""

    architecture: str | None = None
    belongs: Kind | None = None
    prediction: Prediction | None = None
    parts: frozenset[str] = frozenset()
    part_bytes: Mapping[str, int] = field(default_factory=dict)
    dtype: str | None = None
    parameters: int = 0
    keys: int = 0


def recognise(kind: Kind, header: Header) -> Recognition:
    """What the file that ComfyUI lists under ``kind`` really holds."""
    tensors = header.tensors
    if kind is Kind.LORA and is_lora(tensors):
        return _measured(header, lora_architecture(tensors))
    if kind in _MODELS:
        return _model(kind, header)
    if (
        kind is Kind.EMBEDDING and len(tensors) == 1 and "." not in next(iter(tensors))
    ):  # diffusers names the tensor after its word
        tensors = {"emb_params": next(iter(tensors.values()))}
    found = _first(_TABLES.get(kind), tensors)
    if found:
        return _measured(header, found["architecture"])
    return _measured(header, None, _elsewhere(kind, tensors))


def _model(kind: Kind, header: Header) -> Recognition:
    tensors = header.tensors
    rule = diffusion_rule(tensors)
    if rule is None:
        elsewhere = None if _has_parts(tensors) else _elsewhere(kind, tensors)
        return _measured(header, None, elsewhere, split=True)
    prediction = Prediction.V if "v_pred" in tensors or "edm_vpred.sigma_max" in tensors else Prediction(rule["prediction"])
    return _measured(header, rule["architecture"], prediction=prediction, split=True)


def diffusion_rule(tensors: Tensors) -> Rule | None:
    """The row of the table that the diffusion model in these tensors fits, under any usual prefix."""
    for prefix in UNET_PREFIXES:
        if prefix and not _starts(tensors, prefix):
            continue
        rule = _first("diffusion", tensors, prefix)
        if rule:
            return rule
    return None


def _starts(tensors: Tensors, prefix: str) -> bool:
    return any(map(str.startswith, tensors, [prefix] * len(tensors)))


def _has_parts(tensors: Tensors) -> bool:
    return _starts(tensors, "first_stage_model.") or _starts(tensors, "model.diffusion_model.")


def _elsewhere(kind: Kind, tensors: Tensors) -> Kind | None:
    """The folder where this file would be right, when that is certain."""
    for other, test in _SURE.items():
        if other is not kind and test(tensors):
            return other
    return None


def _is_checkpoint(tensors: Tensors) -> bool:
    return _starts(tensors, "model.diffusion_model.") and _starts(tensors, "first_stage_model.")


def _is_kind(kind: Kind) -> Callable[[Tensors], bool]:
    def fits(tensors: Tensors) -> bool:
        rule = _first(_TABLES[kind], tensors)
        return rule is not None and rule["architecture"] != "taesd"

    return fits


_SURE: dict[Kind, Callable[[Tensors], bool]] = {
    Kind.LORA: lambda tensors: is_lora(tensors) and "lora_controlnet" not in tensors,
    Kind.CHECKPOINT: _is_checkpoint,
    Kind.DIFFUSION_MODEL: lambda tensors: _first("diffusion", tensors) is not None,
    Kind.CONTROLNET: _is_kind(Kind.CONTROLNET),
    Kind.VAE: _is_kind(Kind.VAE),
    Kind.CLIP_VISION: _is_kind(Kind.CLIP_VISION),
    Kind.TEXT_ENCODER: _is_kind(Kind.TEXT_ENCODER),
    Kind.EMBEDDING: _is_kind(Kind.EMBEDDING),
}


# --------------------------------------------------------------------------- rules


@cache
def _rules(name: str) -> Sequence[Rule]:
    rules: Sequence[Rule] = [
        {**rule, "all": [key.split("|") for key in rule.get("all", ())]} for rule in table("architectures")[name]
    ]
    return rules


def _first(name: str | None, tensors: Tensors, prefix: str = "") -> Rule | None:
    if name is None:
        return None
    return next((rule for rule in _rules(name) if _fits(rule, tensors, prefix)), None)


def _fits(rule: Rule, tensors: Tensors, prefix: str) -> bool:
    for key, wanted in rule.get("shape", {}).items():
        tensor = tensors.get(prefix + key)
        if tensor is None or not _same(shape_of(tensor), wanted):
            return False
    for choices in rule["all"]:
        if not any(prefix + key in tensors for key in choices):
            return False
    return not any(prefix + key in tensors for key in rule.get("none", ()))


def _same(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    return len(shape) >= len(wanted) and all(want in (-1, side) for side, want in zip(shape, wanted, strict=False))


# --------------------------------------------------------------------------- counting


def _measured(
    header: Header,
    architecture: str | None,
    belongs: Kind | None = None,
    prediction: Prediction | None = None,
    split: bool = False,
) -> Recognition:
    sizes = _part_sizes(header) if split else {"all": header.sizes}
    parts = frozenset(sizes) & {"unet", "clip", "vae"} if split else frozenset[str]()
    weighed = sizes.get("unet") or sizes.get("all") or next(iter(sizes.values()))
    return Recognition(
        architecture,
        belongs,
        prediction,
        parts,
        {part: sum(sizes[part].values()) for part in sorted(parts)},
        DTYPES.get(max(weighed, key=lambda dtype: weighed[dtype]), (None, 0))[0],
        int(sum(size / DTYPES.get(dtype, ("", 1.0))[1] for dtype, size in weighed.items())),
        len(header.tensors),
    )


def _part_sizes(header: Header) -> dict[str, Mapping[str, int]]:
    parts: dict[str, dict[str, int]] = {}
    for name, tensor in header.tensors.items():
        sizes = parts.setdefault(PART_OF.get(name.partition(".")[0], "other"), {})
        start, end = tensor["data_offsets"]
        sizes[tensor["dtype"]] = sizes.get(tensor["dtype"], 0) + end - start
    return {**parts} if "clip" in parts or "vae" in parts else {"unet": header.sizes}
