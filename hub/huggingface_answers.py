"""What Hugging Face answers about a repository, as an offer. ``huggingface_hub`` reads the answers; which file is
what kind of model is told from its path, for a repository holds many."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from ..offers import Offer, Ref, RemoteFile
from ..plan import Kind
from .fields import list_of, mapping_of, sha256_of, text_of, whole_of, words_of
from .sidecars import MAX_DESCRIPTION, plain_text, trigger_groups
from .strength import strength_in_text

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

MODEL_ENDINGS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
_PICKLE_ENDINGS = (".ckpt", ".pt", ".pth", ".bin")
NSFW_TAG = "not-for-all-audiences"
MAX_FILES, MAX_TAGS, MAX_NAME = 2000, 60, 1000

_FOLDERS = {
    "checkpoints": Kind.CHECKPOINT,
    "diffusion_models": Kind.DIFFUSION_MODEL,
    "unet": Kind.DIFFUSION_MODEL,
    "transformer": Kind.DIFFUSION_MODEL,
    "loras": Kind.LORA,
    "lora": Kind.LORA,
    "vae": Kind.VAE,
    "text_encoders": Kind.TEXT_ENCODER,
    "text_encoder": Kind.TEXT_ENCODER,
    "text_encoder_2": Kind.TEXT_ENCODER,
    "text_encoder_3": Kind.TEXT_ENCODER,
    "clip": Kind.TEXT_ENCODER,
    "clip_vision": Kind.CLIP_VISION,
    "image_encoder": Kind.CLIP_VISION,
    "embeddings": Kind.EMBEDDING,
    "controlnet": Kind.CONTROLNET,
    "style_models": Kind.STYLE_MODEL,
    "upscale_models": Kind.UPSCALER,
}
_NAMES = (
    (re.compile(r"(?<![a-z])(lora|lycoris|locon|dora)s?(?![a-z])|LoRA|Lora(?![a-z])"), Kind.LORA),
    (re.compile(r"control[-_]?net|^control_|control[-_]lora|t2i[-_]?adapter"), Kind.CONTROLNET),
    (re.compile(r"clip[-_]?vision|sigclip|image[-_]encoder"), Kind.CLIP_VISION),
    (re.compile(r"(^|[-_.])(t5(xxl)?|umt5|clip[-_][lgh]|text[-_]encoder)([-_.]|$)"), Kind.TEXT_ENCODER),
    (re.compile(r"(^|[-_.])(vae|taesd)([-_.]|$)|^ae\.|(^|[-_])vae"), Kind.VAE),
    (re.compile(r"learned[-_]embeds|textual[-_]inversion|embedding"), Kind.EMBEDDING),
    (re.compile(r"esrgan|upscal|(^|[-_])[248]x[-_]|swinir|realesr"), Kind.UPSCALER),
)
_TAGS = {
    "lora": Kind.LORA,
    "controlnet": Kind.CONTROLNET,
    "textual_inversion": Kind.EMBEDDING,
    "textual-inversion": Kind.EMBEDDING,
    "vae": Kind.VAE,
    "text-to-image": Kind.CHECKPOINT,
    "image-to-image": Kind.CHECKPOINT,
}
# Pieces of something else: shards, training state, other run times, parts that ComfyUI has no loader for.
_PIECES = re.compile(
    r"-\d{5}-of-\d{5}\.|(^|/)(safety_checker|feature_extractor|tokenizer\w*|onnx|openvino|flax|checkpoint-\d+)/"
    r"|(^|/)(optimizer|scheduler|training_args|random_states\w*|rng_state\w*|scaler|openvino_model)\.(bin|pt|pth)$",
    re.IGNORECASE,
)
_PRECISION = re.compile(
    r"(?:^|[-_.])(fp32|fp16|bf16|fp8(?:_e[45]m[23](?:fn)?)?|nf4|int8|int4|q\d(?:_[a-z0-9]+)*|nvfp4)(?=[-_.])", re.I
)


def read_info(answer: object) -> ModelInfo | None:
    """The client's own reading of an answer; ``None`` where it is none."""
    import huggingface_hub

    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
        return None
    read: Callable[..., ModelInfo] = huggingface_hub.ModelInfo
    try:
        return read(**answer)
    except (TypeError, ValueError, KeyError, AttributeError):
        return None


def offer_of(info: ModelInfo, endpoint: str) -> Offer:
    """The offer for a repository at the commit that the answer tells of: what is downloaded is what was described."""
    written: Any = info.card_data
    card = mapping_of(written.to_dict()) if written else {}
    tags = words_of(info.tags)
    repo, commit = info.id, text_of(info.sha)
    kind = _kind_of_repo(repo, (*tags, text_of(info.pipeline_tag)))
    about = plain_text(_one_text(card.get("description")) or _one_text(card.get("model_description")))[:MAX_DESCRIPTION]
    return Offer(
        ref=Ref("huggingface", repo, commit),
        title=repo.rpartition("/")[2],
        version_name=commit[:8],
        kind=kind,
        base_model=_base_model(card, tags),
        creator=text_of(info.author) or repo.partition("/")[0],
        description=about,
        tags=tuple(tag for tag in tags if ":" not in tag)[:MAX_TAGS],
        trigger_groups=_triggers(card),
        strength=strength_in_text(about),
        downloads=whole_of(info.downloads),
        likes=whole_of(info.likes),
        nsfw=NSFW_TAG in tags,
        licence=_licence(card, tags),
        page_url=f"{endpoint}/{repo}",
        preview_url=_preview(info, endpoint, commit),
        gated=bool(info.gated),
        published=_date(info.last_modified) or _date(info.created_at),
        files=_with_primary(tuple(_files(info, endpoint, commit, kind)), kind),
    )


def file_url(endpoint: str, repo: str, revision: str, path: str) -> str:
    return f"{endpoint}/{quote(repo)}/resolve/{quote(revision or 'main', safe='')}/{quote(path)}"


def kind_of_path(path: str, repo: str = "", repo_kind: Kind | None = None) -> Kind | None:
    """What a file is: its innermost telling folder decides, then its name, then what its repository is."""
    *folders, name = path.split("/")
    named = next((_FOLDERS[folder.lower()] for folder in reversed(folders) if folder.lower() in _FOLDERS), None)
    return named or _named(name) or _named(repo.rpartition("/")[2]) or repo_kind


def is_model(path: str) -> bool:
    """Whether a file is a model by itself."""
    return path.lower().endswith(MODEL_ENDINGS) and not _PIECES.search(path) and "\n" not in path


def _named(name: str) -> Kind | None:
    return next((kind for pattern, kind in _NAMES if pattern.search(name) or pattern.search(name.lower())), None)


def _kind_of_repo(repo: str, tags: tuple[str, ...]) -> Kind | None:
    tagged = (_TAGS[tag.lower()] for tag in tags if tag.lower() in _TAGS)
    found = sorted(tagged, key=lambda kind: kind is Kind.CHECKPOINT)  # a LoRA's repository is also text-to-image
    return _named(repo.rpartition("/")[2]) or next(iter(found), None)


def _files(info: ModelInfo, endpoint: str, commit: str, repo_kind: Kind | None) -> Iterator[RemoteFile]:
    for sibling in list_of(info.siblings)[:MAX_FILES]:
        path = sibling.rfilename
        if not isinstance(path, str) or not is_model(path) or len(path) > MAX_NAME:
            continue
        name, precision = path.rpartition("/")[2], _PRECISION.search(path.rpartition("/")[2])
        yield RemoteFile(
            id=path,
            name=name,
            url=file_url(endpoint, info.id, commit, path),
            size_bytes=whole_of(sibling.size) or None,
            sha256=sha256_of(sibling.lfs.sha256) if sibling.lfs else None,
            kind=kind_of_path(path, info.id, repo_kind),
            pickle=path.lower().endswith(_PICKLE_ENDINGS),
            precision=precision[1].lower() if precision else None,
        )


def _with_primary(files: tuple[RemoteFile, ...], kind: Kind | None) -> tuple[RemoteFile, ...]:
    """The files with one marked as the repository's own: of its kind, no pickle, nearest to the top, plainest name."""
    fitting = [file for file in files if file.kind is kind] or list(files)
    if not fitting:
        return files
    best = min(fitting, key=lambda file: (file.pickle, file.id.count("/"), len(file.name), file.id))
    return tuple(replace(file, primary=file is best) for file in files)


def _base_model(card: Mapping[str, Any], tags: tuple[str, ...]) -> str:
    if named := _one_text(card.get("base_model")):
        return named[:MAX_NAME]
    tagged = (tag.rpartition(":")[2] for tag in tags if tag.startswith("base_model:"))
    return next(tagged, "")[:MAX_NAME]


def _triggers(card: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """The card's instance prompt: what the model was trained to answer to."""
    held = card.get("instance_prompt")
    entries = held if isinstance(held, list) else [held]
    usable = [text_of(each)[:MAX_NAME] for each in entries if text_of(each).lower() not in ("", "null", "none", "~")]
    return trigger_groups(usable)[:MAX_TAGS]


def _licence(card: Mapping[str, Any], tags: tuple[str, ...]) -> dict[str, Any]:
    tagged = (tag.partition(":")[2] for tag in tags if tag.startswith("license:"))
    name = _one_text(card.get("license_name")) or _one_text(card.get("license")) or next(tagged, "")
    link = text_of(card.get("license_link"))
    return ({"name": name[:MAX_NAME]} if name else {}) | ({"link": link} if link.startswith("https://") else {})


def _preview(info: ModelInfo, endpoint: str, commit: str) -> str:
    for example in list_of(info.widget_data):
        url = text_of(mapping_of(mapping_of(example).get("output")).get("url"))
        if url.startswith("https://") and len(url) < 2000:
            return url
        if url and not urlsplit(url).scheme and ".." not in url and len(url) < MAX_NAME:
            return file_url(endpoint, info.id, commit, url.lstrip("/"))
    return ""


def _one_text(value: object) -> str:
    """A text, or the first of a list of them."""
    return text_of(value) or next(iter(words_of(value)), "")


def _date(moment: object) -> str:
    return moment.isoformat() if isinstance(moment, datetime) else ""
