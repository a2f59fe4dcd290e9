"""ComfyUI's own loaders of models, run by name so that what they load can be kept in the pool."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..choices import Kind
from ..errors import BadRequest
from . import host

if TYPE_CHECKING:
    from ..memory.pool import Key

CLASS = "IIG_Pooled"
_ENCODERS = ("clip_name", *(f"clip_name{place}" for place in range(1, 5)))
# Which of a loader's inputs names a file of which kind. Nothing else may be run by name.
_FILES = {
    "CheckpointLoaderSimple": {"ckpt_name": Kind.CHECKPOINT},
    "UNETLoader": {"unet_name": Kind.DIFFUSION_MODEL},
    "VAELoader": {"vae_name": Kind.VAE},
    **dict.fromkeys(
        ("CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader", "QuadrupleCLIPLoader"),
        dict.fromkeys(_ENCODERS, Kind.TEXT_ENCODER),
    ),
}


def is_native(class_type: str) -> bool:
    return class_type in _FILES


def wrapped(class_type: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A node that loads the same through the pool; its outputs lie in the same places."""
    return {"class_type": CLASS, "inputs": {"loader": class_type, "inputs": json.dumps(inputs, sort_keys=True)}}


def unwrapped(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The inputs of a node, or of the loader that it stands for."""
    inputs: Mapping[str, Any] = node["inputs"]
    return json.loads(inputs["inputs"]) if node["class_type"] == CLASS else inputs


def read(loader: str, inputs: str) -> dict[str, Any]:
    """The inputs that were written as JSON. Raises ``BadRequest`` for a loader that is none and for inputs that are not."""
    language = host.language("auto")
    if not is_native(loader):
        raise BadRequest("loader_unknown", language, loader=loader, known=", ".join(sorted(_FILES)))
    try:
        values = json.loads(inputs)
    except ValueError as fault:
        raise BadRequest("loader_inputs_unreadable", language, loader=loader, problem=str(fault)) from fault
    if not isinstance(values, dict):
        raise BadRequest("loader_inputs_unreadable", language, loader=loader, problem=type(values).__name__)
    return values


def key(loader: str, values: Mapping[str, Any]) -> Key | None:
    """What the pool knows these models by; ``None`` where no file, or none that is there, is named: ComfyUI's loader then
    says so, or makes a model without one."""
    from ..memory.pool import key_of

    named = [(kind, values[name]) for name, kind in _FILES[loader].items() if name in values]
    paths = [host.model_path(kind, str(name)) for kind, name in named]
    found = [path for path in paths if path is not None and path.is_file()]
    if not named or len(found) < len(named):
        return None
    options = [json.dumps(values, sort_keys=True)]
    return key_of(loader, found, options, _said(values, "weight_dtype"), _said(values, "device"))


def load(loader: str, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the loader gives, of either kind of node."""
    import nodes

    node = nodes.NODE_CLASS_MAPPINGS[loader]
    if hasattr(node, "define_schema"):
        return tuple(node.execute(**values).result)
    return tuple(getattr(node(), node.FUNCTION)(**values))


def fingerprint(loader: str, inputs: str) -> str:
    """Another one when a file was replaced, which ComfyUI's loaders do not notice."""
    return repr(key(loader, read(loader, inputs)))


def _said(values: Mapping[str, Any], name: str) -> str:
    value = str(values.get(name, ""))
    return "" if value == "default" else value
