"""What toy files say about themselves: in the header as trainers write it, beside the file as model browsers do.

Header: kohya's ``ss_*`` and the ModelSpec (https://github.com/Stability-AI/ModelSpec). Everything says that it
is a toy; the counts in side files are invented.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

TOY = "toy model: colours follow the prompt's words"
TOY_LORA = "toy LoRA: shifts the picture's colours"

_BASES = {
    "sd15": {
        "ss_base_model_version": "sd_v1",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "ss_resolution": "(512, 512)",
    },
    "sdxl": {
        "ss_base_model_version": "sdxl_base_v1-0",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "ss_resolution": "(1024, 1024)",
    },
}
_BASE_LABELS = {"sd15": "SD 1.5", "sdxl": "SDXL 1.0"}


@dataclass(frozen=True)
class Style:
    """A LoRA of the demonstration. ``tags`` are training captions with their counts, ``strength`` is (minimum,
    recommended, maximum), ``shift`` the colour shift (red, green, blue) at strength 1."""

    path: str
    family: str
    title: str
    about: str
    shift: tuple[float, float, float]
    trigger: str
    tags: Mapping[str, int]
    topics: tuple[str, ...]
    strength: tuple[float, float, float] = (0.4, 0.8, 1.0)
    downloads: int = 0
    likes: int = 0

    @property
    def description(self) -> str:
        return f"{self.about} ({TOY_LORA})"


def model_header(title: str, architecture: str, prediction: str | None = "epsilon") -> dict[str, str]:
    """The header of a checkpoint or another whole model; ``prediction`` is "epsilon", "v" or not said."""
    header = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.title": title,
        "modelspec.description": TOY,
        "modelspec.architecture": architecture,
        "modelspec.implementation": "https://github.com/comfyanonymous/ComfyUI",
        "modelspec.license": "CC0-1.0",
    }
    return header | ({"modelspec.prediction_type": prediction} if prediction else {})


def note(about: str) -> dict[str, str]:
    """The header of a part that has no fields of its own."""
    return {"format": "pt", "modelspec.description": f"{about} ({TOY})"}


def kohya_header(name: str, family: str, module: str = "networks.lora", rank: int = 2) -> dict[str, str]:
    """The header kohya's trainer writes, for a LoRA without a subject."""
    return {
        "ss_output_name": name,
        "ss_sd_model_name": f"toy_{family}.safetensors",
        "ss_v2": "False",
        "ss_network_module": module,
        "ss_network_dim": str(rank),
        "ss_network_alpha": "1.0",
        "ss_clip_skip": "1",
        "ss_num_train_images": "24",
        "ss_tag_frequency": json.dumps({"10_sks": {"sks": 24, "warm light": 17, "1girl": 3}}),
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.title": name,
        "modelspec.description": TOY_LORA,
        "modelspec.trigger_phrase": "sks",
        **_BASES[family],
    }


def style_header(style: Style) -> dict[str, str]:
    """The header of a LoRA of the demonstration."""
    images = max(style.tags.values())
    return kohya_header(PurePosixPath(style.path).stem, style.family, rank=1) | {
        "ss_num_train_images": str(images),
        "ss_tag_frequency": json.dumps({f"10_{style.trigger}": dict(style.tags)}),
        "modelspec.title": style.title,
        "modelspec.description": style.description,
        "modelspec.tags": ", ".join(style.topics),
        "modelspec.trigger_phrase": style.trigger,
        "modelspec.usage_hint": f"Strength {style.strength[0]}–{style.strength[2]}, best {style.strength[1]}",
        "modelspec.license": "CC0-1.0",
    }


def manager_sidecar(style: Style) -> bytes:
    """``<model>.metadata.json`` as LoRA Manager keeps it (docs/metadata-json-schema.md there)."""
    low, best, high = style.strength
    return _json(
        {
            "file_name": PurePosixPath(style.path).stem,
            "model_name": style.title,
            "base_model": _BASE_LABELS[style.family],
            "notes": f"Invented. {TOY_LORA}.",
            "tags": list(style.topics),
            "modelDescription": style.description,
            "usage_tips": json.dumps({"strength": best, "strength_min": low, "strength_max": high}),
            "favorite": False,
            "from_civitai": False,
            "civitai": _version(style),
        }
    )


def civitai_sidecar(style: Style) -> bytes:
    """``<model>.civitai.info``: a model version as the CivitAI API describes one."""
    return _json({"description": style.description, **_version(style)})


def _version(style: Style) -> dict[str, object]:
    return {
        "name": "toy",
        "baseModel": _BASE_LABELS[style.family],
        "trainedWords": [style.trigger],
        "stats": {"downloadCount": style.downloads, "thumbsUpCount": style.likes},
        "model": {
            "name": style.title,
            "type": "LORA",
            "nsfw": False,
            "poi": False,
            "description": style.description,
            "tags": list(style.topics),
        },
    }


def _json(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
