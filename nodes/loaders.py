"""Loaders that hold weights in the precision that is asked for, or in the best one that fits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..choices import Kind, Precision
from ..errors import BadRequest, MissingModel
from . import asking, host, native_loaders, schema
from .keep import MARK

if TYPE_CHECKING:
    from ..memory.pool import Key

_AUTO = "auto"
_PRECISIONS = [_AUTO, *(form.value for form in Precision)]
_ALIASES = ["fp8", "int8", "quantize", "weight dtype", "cuantizar", "8 bits"]


class LoadCheckpoint(io.ComfyNode):
    """A checkpoint with the precision of its parts and the place of its text encoder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            _file("ckpt_name", Kind.CHECKPOINT),
            _precision("weight_dtype"),
            _precision("encoder_dtype"),
            io.Combo.Input("encoder_device", options=["default", "cpu"], default="default"),
            io.AnyType.Input("after", optional=True),
        ]
        outputs = [io.Model.Output("model"), io.Clip.Output("clip"), io.Vae.Output("vae"), io.String.Output("report")]
        return schema.schema("IIG_LoadCheckpoint", inputs, outputs, hidden=[io.Hidden.unique_id], search_aliases=_ALIASES)

    @classmethod
    def fingerprint_inputs(cls, ckpt_name: str = "", **_: Any) -> str:
        return state_of(Kind.CHECKPOINT, ckpt_name)

    @classmethod
    def execute(
        cls,
        ckpt_name: str,
        weight_dtype: str = _AUTO,
        encoder_dtype: str = _AUTO,
        encoder_device: str = "default",
        after: Any = None,
    ) -> io.NodeOutput:
        from ..memory.load import load_checkpoint
        from .pooling import take

        language = host.language("auto")
        with host.speaking(language):
            path = _path(Kind.CHECKPOINT, ckpt_name)
            forms = (_settled(weight_dtype), _settled(encoder_dtype))
            how = {"weight_dtype": forms[0], "encoder_dtype": forms[1], "encoder_device": _device(encoder_device)}

            def load() -> tuple[Any, ...]:
                loaded = load_checkpoint(path, **how, embeddings=embedding_folders())
                return loaded.model, loaded.clip, loaded.vae, loaded.reasons

            model, clip, vae, *why = take(_checkpoint_key(ckpt_name, path, how), load)
        said = report(ckpt_name, model, why[0] if why else _as_it_is("weight_dtype", "encoder_dtype"), language)
        return io.NodeOutput(model, clip, vae, said, ui=_shown(cls, said))


class LoadDiffusionModel(io.ComfyNode):
    """A diffusion model's own file in the precision that is asked for."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            _file("unet_name", Kind.DIFFUSION_MODEL),
            _precision("weight_dtype"),
            io.AnyType.Input("after", optional=True),
        ]
        outputs = [io.Model.Output("model"), io.String.Output("report")]
        hidden = [io.Hidden.unique_id]
        return schema.schema("IIG_LoadDiffusionModel", inputs, outputs, hidden=hidden, search_aliases=_ALIASES)

    @classmethod
    def fingerprint_inputs(cls, unet_name: str = "", **_: Any) -> str:
        return state_of(Kind.DIFFUSION_MODEL, unet_name)

    @classmethod
    def execute(cls, unet_name: str, weight_dtype: str = _AUTO, after: Any = None) -> io.NodeOutput:
        from ..memory.load import load_diffusion_model
        from .pooling import take

        language = host.language("auto")
        with host.speaking(language):
            path = _path(Kind.DIFFUSION_MODEL, unet_name)
            form = _settled(weight_dtype)

            def load() -> tuple[Any, ...]:
                loaded = load_diffusion_model(path, form)
                return loaded.model, loaded.reasons

            model, *why = take(_diffusion_key(unet_name, path, form), load)
        said = report(unet_name, model, why[0] if why else _as_it_is("weight_dtype"), language)
        return io.NodeOutput(model, said, ui=_shown(cls, said))


def key(class_type: str, inputs: Mapping[str, Any]) -> Key | None:
    """What the pool knows the models of one of these nodes by; ``None`` for any other node, and where no file is."""
    if class_type == "IIG_LoadCheckpoint":
        path = host.model_path(Kind.CHECKPOINT, inputs["ckpt_name"])
        return _checkpoint_key(inputs["ckpt_name"], path, inputs) if path else None
    if class_type == "IIG_LoadDiffusionModel":
        path = host.model_path(Kind.DIFFUSION_MODEL, inputs["unet_name"])
        return _diffusion_key(inputs["unet_name"], path, inputs["weight_dtype"]) if path else None
    return None


def _checkpoint_key(name: str, path: Path, how: Mapping[str, Any]) -> Key:
    """That of ComfyUI's own loader where it would load the same: then both share it."""
    forms, device = (str(how["weight_dtype"]), str(how["encoder_dtype"])), str(how["encoder_device"])
    native = native_loaders.key("CheckpointLoaderSimple", {"ckpt_name": name})
    return native if native and {*forms, device} == {"default"} else _key("checkpoint", path, forms, device)


def _diffusion_key(name: str, path: Path, form: str) -> Key:
    native = native_loaders.key("UNETLoader", {"unet_name": name, "weight_dtype": form})
    return native if native and form == "default" else _key("diffusion_model", path, (form,))


def _as_it_is(*parts: str) -> tuple[Any, ...]:
    """The reasons of what ComfyUI's own loader loaded."""
    from ..plan import Reason

    return tuple(Reason(part, "load.default", {"value": "default"}) for part in parts)


def _key(loader: str, path: Path, forms: tuple[str, ...], device: str = "") -> Key:
    from ..memory.pool import key_of

    return key_of(loader, [path], (*forms, device), "/".join(forms), device)


def _shown(cls: Any, said: str) -> dict[str, list[str]] | None:
    """What a child shows would take the place of what its Auto Pipeline shows."""
    return None if MARK in str(cls.hidden.unique_id) else {"text": [said]}


def state_of(kind: Kind, name: str) -> str:
    """The file as it lies there now: another one under its name is another model."""
    path = host.model_path(kind, name)
    try:
        return f"{path}@{path.stat().st_mtime_ns}" if path else ""
    except OSError:
        return str(path)


def embedding_folders() -> list[str]:
    """Where text encoders look for textual inversions."""
    return [str(folder) for folder in host.model_folders().get(Kind.EMBEDDING, ())]


def report(name: str, model: Any, reasons: tuple[Any, ...], language: str) -> str:
    """What was loaded, how and why, as Markdown."""
    from ..intelligence.explain import render
    from ..plan import Reason

    size = Reason("size", "load.size", {"name": name, "size_bytes": int(model.model_size())})
    return "\n".join([render(size, language), *(f"- {_labelled(reason, language)}" for reason in reasons)])


def _labelled(reason: Any, language: str) -> str:
    from ..intelligence.explain import render
    from ..plan import Reason

    part = render(Reason("part", f"load.part.{reason.decision}"), language)
    return f"{part}: {render(reason, language)}"


def _file(name: str, kind: Kind) -> Any:
    import folder_paths

    return io.Combo.Input(name, options=folder_paths.get_filename_list(kind.value))


def _precision(name: str) -> Any:
    return io.Combo.Input(name, options=_PRECISIONS, default=_AUTO)


def _settled(text: str) -> str:
    return text if text == _AUTO else asking.choice(Precision, text).value


def _device(text: str) -> str:
    if text not in ("default", "cpu"):
        raise BadRequest("not_a_choice", value=text, choices="default, cpu")
    return text


def _path(kind: Kind, name: str) -> Path:
    path = host.model_path(kind, name)
    if path is None:
        raise MissingModel("model_file_gone", name=name)
    return path
