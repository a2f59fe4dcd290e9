"""Checkpoints and diffusion models, loaded by ComfyUI in the precision that fits."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..choices import Precision
from ..errors import MissingModel, UserError
from ..plan import Reason
from . import int8, native8
from .precision import EIGHT_BIT, Weights, available, eight_bit_form, is_quantised, settle
from .reading import loaded_bytes, ram

Forms = Mapping[str, Precision]
_ENCODER_PREFIXES = ("cond_stage_model.", "conditioner.", "text_encoders.")
_VAE_PREFIXES = ("first_stage_model.", "vae.")
_SIXTEEN_BIT = ("float16", "bfloat16")


@dataclass(frozen=True)
class Loaded:
    """A model, with a text encoder and a VAE where its file has them, and how it was loaded."""

    model: Any
    clip: Any = None
    vae: Any = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class How:
    """What a file is loaded with: settled forms, so that doing it again gives the same."""

    weights: Precision = Precision.DEFAULT
    encoder: Precision = Precision.DEFAULT
    encoder_on_cpu: bool = False


def load_checkpoint(
    path: Path,
    weight_dtype: str = "auto",
    encoder_dtype: str = "auto",
    encoder_device: str = "default",
    embeddings: Sequence[str] = (),
) -> Loaded:
    """A checkpoint's three parts. Precisions are values of ``Precision`` or "auto", the device "default" or "cpu";
    ``embeddings`` are the folders of textual inversions. Raises ``MissingModel`` for a file that is not there,
    ``UserError`` for one that cannot be read or is no checkpoint."""
    state, metadata = _read(path)
    parts, forms = _parts(state), machine_forms()
    encoder_on_cpu = encoder_device == "cpu"
    weights, why = settle("weight_dtype", weight_dtype, _weights(parts["model"], metadata), free_bytes(), forms)
    weights = _readable(path, parts["model"], weights)
    room = _room_for_encoder(encoder_on_cpu, _held_bytes(parts["model"], weights))
    encoder, why_encoder = settle("encoder_dtype", encoder_dtype, _weights(parts["encoder"], {}), room, forms)
    how = How(weights, encoder, encoder_on_cpu)
    model, clip, vae = _whole(path, state, metadata, how, list(embeddings))
    _say_how_to_rebuild(path, how, list(embeddings), model, clip, vae)
    reasons = [why, *([why_encoder] if parts["encoder"] else [])]
    if encoder_on_cpu and clip is not None:
        reasons.append(Reason("encoder_device", "load.encoder_on_cpu", {}))
    return Loaded(model, clip, vae, tuple(reasons))


def load_diffusion_model(path: Path, weight_dtype: str = "auto") -> Loaded:
    """A diffusion model of its own file. Raises as ``load_checkpoint``."""
    state, metadata = _read(path)
    form, why = settle("weight_dtype", weight_dtype, _weights(state, metadata), free_bytes(), machine_forms())
    how = How(_readable(path, state, form))
    model = _bare(path, state, metadata, how)
    model.cached_patcher_init = (rebuild_diffusion_model, (str(path), how))
    return Loaded(model, reasons=(why,))


# --------------------------------------------------------------------------- loading again, for hosts that move weights


def rebuild_diffusion_model(path: str, how: How, disable_dynamic: bool = False) -> Any:
    """The patcher of a diffusion model's file, loaded anew."""
    return _bare(Path(path), *_read(Path(path)), how, disable_dynamic)


def rebuild_model(path: str, how: How, embeddings: list[str], disable_dynamic: bool = False) -> Any:
    """The diffusion model's patcher of a checkpoint, loaded anew."""
    return _whole(Path(path), *_read(Path(path)), how, embeddings, disable_dynamic, "model")[0]


def rebuild_encoder(path: str, how: How, embeddings: list[str], disable_dynamic: bool = False) -> Any:
    """The text encoder's patcher of a checkpoint, loaded anew."""
    return _whole(Path(path), *_read(Path(path)), how, embeddings, disable_dynamic, "clip")[1].patcher


def rebuild_vae(path: str, how: How, embeddings: list[str], disable_dynamic: bool = False) -> Any:
    """The VAE's patcher of a checkpoint, loaded anew."""
    return _whole(Path(path), *_read(Path(path)), how, embeddings, disable_dynamic, "vae")[2].patcher


def _say_how_to_rebuild(path: Path, how: How, embeddings: list[str], model: Any, clip: Any, vae: Any) -> None:
    arguments = (str(path), how, embeddings)
    model.cached_patcher_init = (rebuild_model, arguments)
    for part, again in ((clip, rebuild_encoder), (vae, rebuild_vae)):
        if getattr(part, "patcher", None) is not None:
            part.patcher.cached_patcher_init = (again, arguments)


# --------------------------------------------------------------------------- through ComfyUI's loaders


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The file's weights, mapped and not read yet, with its metadata."""
    import comfy.utils
    from safetensors import SafetensorError

    if not path.is_file():
        raise MissingModel("model_file_gone", name=path.name)
    try:
        state, metadata = comfy.utils.load_torch_file(str(path), return_metadata=True)
    except (SafetensorError, OSError, ValueError, EOFError, RuntimeError) as fault:
        raise UserError("model_file_unreadable", name=path.name, problem=str(fault).splitlines()[0][:200]) from fault
    return state, metadata or {}


def _whole(
    path: Path,
    state: dict[str, Any],
    metadata: dict[str, Any],
    how: How,
    embeddings: list[str],
    disable_dynamic: bool = False,
    only: str = "",
) -> tuple[Any, Any, Any]:
    import comfy.sd

    given = comfy.sd.load_state_dict_guess_config(
        state,
        output_vae=only in ("", "vae"),
        output_clip=only in ("", "clip"),
        output_model=only in ("", "model"),
        embedding_directory=embeddings,
        model_options=_model_options(state, metadata, how.weights),
        te_model_options=_encoder_options(how),
        metadata=metadata,
        **_undynamic(comfy.sd.load_state_dict_guess_config, disable_dynamic),
    )
    if given is None or (only in ("", "model") and given[0] is None):
        raise UserError("model_file_unknown", name=path.name)
    _settle(given[0], how.weights)
    _settle(getattr(given[1], "patcher", None), how.encoder)
    return given[0], given[1], given[2]


def _settle(patcher: Any, form: Precision) -> None:
    """Hooks keep what they change of a model ready in full; 8-bit weights are other tensors than that, so hooks work them
    out each time instead. The size is told anew: some hosts take it before there are any weights."""
    import comfy.hooks

    if patcher is not None and form in EIGHT_BIT:
        patcher.hook_mode = comfy.hooks.EnumHookMode.MinVram
        patcher.size = 0
        if getattr(patcher.model, "model_loaded_weight_memory", 0):
            patcher.model.model_loaded_weight_memory = patcher.model_size()


def _bare(path: Path, state: dict[str, Any], metadata: dict[str, Any], how: How, disable_dynamic: bool = False) -> Any:
    import comfy.sd

    load = comfy.sd.load_diffusion_model_state_dict
    named = {"metadata": metadata} if "metadata" in inspect.signature(load).parameters else {}
    options = _model_options(state, metadata, how.weights)
    model = load(state, model_options=options, **named, **_undynamic(load, disable_dynamic))
    if model is None:
        raise UserError("model_file_unknown", name=path.name)
    _settle(model, how.weights)
    return model


def _undynamic(load: Any, disable_dynamic: bool) -> dict[str, bool]:
    return {"disable_dynamic": disable_dynamic} if "disable_dynamic" in inspect.signature(load).parameters else {}


def _model_options(state: dict[str, Any], metadata: dict[str, Any], form: Precision) -> dict[str, Any]:
    import comfy.model_management as management
    import torch

    if form is Precision.DEFAULT:
        return {}
    if form not in EIGHT_BIT:
        return {"dtype": getattr(torch, {"fp16": "float16", "bf16": "bfloat16"}[form.value])}
    held, computed = _types(state, metadata)
    return {"dtype": held, "custom_operations": _operations(form, computed, management.get_torch_device())}


def _encoder_options(how: How) -> dict[str, Any]:
    import comfy.model_management as management
    import torch

    cpu = torch.device("cpu")
    options: dict[str, Any] = {"load_device": cpu, "offload_device": cpu} if how.encoder_on_cpu else {}
    device = cpu if how.encoder_on_cpu else management.text_encoder_device()
    if how.encoder in EIGHT_BIT:
        # Older hosts would move it to the GPU before its weights are in 8 bits, and count it as it was then for good.
        options |= {"initial_device": cpu}
        return {**options, "custom_operations": _operations(how.encoder, management.text_encoder_dtype(device), device)}
    if how.encoder is not Precision.DEFAULT:
        options["dtype"] = getattr(torch, {"fp16": "float16", "bf16": "bfloat16"}[how.encoder.value])
    return options


def _operations(form: Precision, computed: Any, device: Any) -> Any:
    if native8.is_native():
        return native8.operations(form, computed, device)
    return int8.operations() if form is Precision.INT8 else native8.scaled_fp8()


def _types(state: dict[str, Any], metadata: dict[str, Any]) -> tuple[Any, Any]:
    """(what ComfyUI would hold this diffusion model in, what it computes in). Where it would hold it in float32 for want
    of fast 16 bits, a 16-bit file stays in 16 bits: who asks for 8 is short of memory."""
    import comfy.model_detection as detection
    import comfy.model_management as management
    import comfy.utils

    prefix = detection.unet_prefix_from_state_dict(state)
    prefix = prefix if any(key.startswith(prefix) for key in state) else ""  # a file of its own
    config = detection.model_config_from_unet(dict(state), prefix, **_metadata(detection, metadata))
    supported = {} if config is None else {"supported_dtypes": list(config.supported_inference_dtypes)}
    stored = comfy.utils.weight_dtype(state, prefix)
    count = comfy.utils.calculate_parameters(state, prefix)
    held = management.unet_dtype(model_params=count, weight_dtype=stored, **supported)
    if held.itemsize > 2 and str(stored).removeprefix("torch.") in _SIXTEEN_BIT:
        held = stored
    device = management.get_torch_device()
    casts = management.unet_manual_cast(held, device, *supported.values())
    return held, casts or held


def _metadata(detection: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    named = "metadata" in inspect.signature(detection.model_config_from_unet).parameters
    return {"metadata": metadata} if named else {}


def _readable(path: Path, part: dict[str, Any], form: Precision) -> Precision:
    """Older hosts would take an int8 file's numbers for weights. Those this pack's layers read are loaded with them; of
    others a ``UserError`` says so."""
    marks = [value for key, value in part.items() if key.endswith(".comfy_quant")]
    if native8.is_native() or not marks:
        return form
    if not all(int8.is_readable(mark) for mark in marks):
        raise UserError("model_file_too_new", name=path.name)
    return Precision.INT8


# --------------------------------------------------------------------------- what is there and what is free


def machine_forms() -> tuple[Precision, ...]:
    """The 8-bit forms that this machine can hold weights in, best first."""
    import comfy.model_management as management
    import torch

    return available(management.get_torch_device().type, hasattr(torch, "float8_e4m3fn"))


def _room_for_encoder(on_cpu: bool, model_bytes: int) -> int:
    """On a GPU text encoder and diffusion model take turns; in RAM they lie together."""
    import comfy.model_management as management

    if not on_cpu and not management.is_device_cpu(management.get_torch_device()):
        return free_bytes()
    return ram().free_bytes - model_bytes


def free_bytes() -> int:
    """Memory that a diffusion model may take beside what a picture is computed in: what is free on its device and what
    ComfyUI's other models would leave there."""
    import comfy.model_management as management

    device = management.get_torch_device()
    ours = 0 if management.is_device_cpu(device) else loaded_bytes(device)  # in RAM they stay until they are dropped
    return int(management.get_free_memory(device) + ours - management.minimum_inference_memory())


def _parts(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    encoder = {key: value for key, value in state.items() if key.startswith(_ENCODER_PREFIXES)}
    others = (*_ENCODER_PREFIXES, *_VAE_PREFIXES)
    return {"model": {key: value for key, value in state.items() if not key.startswith(others)}, "encoder": encoder}


def _weights(part: dict[str, Any], metadata: dict[str, Any]) -> Weights:
    types = {str(value.dtype).removeprefix("torch.") for value in part.values()}
    marked = [*part, *([".comfy_quant"] if "_quantization_metadata" in metadata else [])]
    form = eight_bit_form(marked, sorted(types))
    return Weights(sum(_loaded(part)), form)


def _loaded(part: dict[str, Any]) -> Iterator[int]:
    """Bytes of each weight as ComfyUI loads them: 16 bits where the device computes in them, else 32."""
    import comfy.model_management as management

    size = 2 if management.should_use_fp16() or management.should_use_bf16() else 4
    yield from (value.numel() * size for value in part.values())


def _held_bytes(part: dict[str, Any], form: Precision) -> int:
    if form is Precision.DEFAULT:
        return sum(_loaded(part))
    eight = form in EIGHT_BIT
    return sum(
        value.numel() * (1 if eight and is_quantised(key.removesuffix(".weight"), value.shape) else 2)
        for key, value in part.items()
    )
