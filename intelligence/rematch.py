"""Which files a plan means, and which of this machine's are the same: by their bytes, then by what a hub calls them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ..errors import BadRequest
from ..offers import Ref
from ..plan import Kind, Library, LoraChoice, LoraUse, ModelFile, Models, Plan, Reason, Source
from .named import MODEL_ENDINGS, answering, search_text, stem
from .wanted import Wanted

_EMBEDDING = re.compile(r"(?<=embedding:)[^\s,()<>\[\]{}|:]{1,200}", re.IGNORECASE)
Names = Mapping[tuple[Kind, str], str]


@dataclass(frozen=True)
class Rematched:
    """A plan with the names its files have here. ``notes`` tell each file that is called otherwise here or that is not
    here; ``missing`` are those that are not: the plan still names them as they were called."""

    plan: Plan
    notes: tuple[Reason, ...] = ()
    missing: tuple[Source, ...] = ()


def sources_of(
    models: Models, loras: Iterable[LoraChoice], library: Library, prompts: Iterable[str] = ()
) -> tuple[Source, ...]:
    """Every file that a plan with these loads, each once, with what ``library`` knows of its bytes and its origin;
    ``prompts`` are texts that may name embeddings."""
    named = [*_of_models(models), *((Kind.LORA, choice.use.name) for choice in loras if choice.chosen)]
    named += [(Kind.EMBEDDING, file.name) for text in prompts for file in _embedded(text, library)]
    return tuple(_source(kind, name, library) for kind, name in dict.fromkeys(named))


def with_sources(plan: Plan, library: Library) -> Plan:
    """The plan with its sources told anew; what ``library`` does not know stays as it was told before."""
    before = {_key(source): source for source in plan.sources}
    texts = (plan.prompt, plan.negative or "")
    found = {_key(source): source for source in sources_of(plan.models, plan.loras, library, texts)}
    named = [_written(name) for text in texts for name in _EMBEDDING.findall(text)]
    found |= {key: source for key, source in before.items() if _is_named(source, named) and key not in found}
    told = (source if library.find(*key) else before.get(key, source) for key, source in found.items())
    return replace(plan, sources=tuple(told))


def rematch(plan: Plan, library: Library) -> Rematched:
    """``plan`` with the names that its files have in ``library``. Nothing is hashed: a file whose bytes are not known yet
    is the one meant where name and size say so."""
    names: dict[tuple[Kind, str], str] = {}
    sources: list[Source] = []
    notes: list[Reason] = []
    missing: list[Source] = []
    for source in _meant(plan):
        file, reasons = _found(source, library)
        notes += reasons
        missing += [] if file else [source]
        sources.append(_source(source.kind, file.name, library) if file and reasons else _called(source, file))
        if file is not None:
            names[_key(source)] = file.name
    return Rematched(replace(_renamed(plan, names), sources=tuple(sources)), tuple(notes), tuple(missing))


def wanted_files(missing: Iterable[Source]) -> tuple[Wanted, ...]:
    """What would bring the missing files here: by the hub's own name for them and with the sum the download must have
    where these are known, else a search by name."""
    return tuple(_wanted(source) for source in missing)


# --------------------------------------------------------------------------- what a plan uses


def _of_models(models: Models) -> Iterator[tuple[Kind, str]]:
    main = Kind.CHECKPOINT if models.checkpoint else Kind.DIFFUSION_MODEL
    named = [(main, models.checkpoint or models.diffusion_model), (main, models.second), (Kind.VAE, models.vae)]
    named += [(Kind.TEXT_ENCODER, name) for name in models.text_encoders]
    yield from ((kind, name) for kind, name in named if name)


def _source(kind: Kind, name: str, library: Library) -> Source:
    file = library.find(kind, name)
    if file is None:
        return Source(kind, name)
    digest = file.sha256.lower() if file.sha256 else None
    return Source(kind, name, digest, file.hub_id, file.size_bytes, file.base_model)


def _embedded(text: str, library: Library) -> Iterator[ModelFile]:
    files = list(library.of(Kind.EMBEDDING)) if "embedding:" in text.lower() else []
    for named in _EMBEDDING.findall(text) if files else []:
        yield from answering(files, named)[:1]


def _meant(plan: Plan) -> tuple[Source, ...]:
    """What the plan loads, by name alone where it was made without sources. Embeddings are those that were there when it
    was made: ComfyUI leaves out one that nobody has."""
    known = {_key(source): source for source in plan.sources}
    used = (known.get(_key(source), source) for source in sources_of(plan.models, plan.loras, Library()))
    return tuple(dict.fromkeys((*used, *(source for source in plan.sources if source.kind is Kind.EMBEDDING))))


def _called(source: Source, file: ModelFile | None) -> Source:
    return replace(source, name=file.name) if file else source


def _key(source: Source) -> tuple[Kind, str]:
    return source.kind, _slashes(source.name)


def _slashes(name: str) -> str:
    return name.replace("\\", "/")


# --------------------------------------------------------------------------- which file is meant


def _found(source: Source, library: Library) -> tuple[ModelFile | None, tuple[Reason, ...]]:
    here = library.find(source.kind, source.name)
    if here is not None and here.usable and not _is_another(here, source):
        return here, ()
    files = library.of(source.kind)
    for is_same, key in _WAYS.items():
        if same := _nearest((file for file in files if is_same(file, source)), source):
            return same, _note(source, key, here=same.name)
    if here is not None and here.usable:
        return None, _note(source, "rematch.other_bytes")
    alike = next(
        (file for file in files if source.size_bytes and file.size_bytes == source.size_bytes and not file.sha256), None
    )
    return None, _note(source, "rematch.unproven", here=alike.name) if alike else _note(source, "rematch.missing")


def _note(source: Source, key: str, **values: str) -> tuple[Reason, ...]:
    return (Reason("rematch", key, {"file": source.name, "folder": source.kind.value, **values}),)


def _is_another(file: ModelFile, source: Source) -> bool:
    """Whether a file of the same name is proved to be another one."""
    if source.sha256 and file.sha256:
        return source.sha256.lower() != file.sha256.lower()
    return bool(source.size_bytes and file.size_bytes and source.size_bytes != file.size_bytes)


def _has_bytes(file: ModelFile, source: Source) -> bool:
    return bool(source.sha256 and file.sha256 and file.sha256.lower() == source.sha256.lower())


def _is_version(file: ModelFile, source: Source) -> bool:
    """Another file of the same version, in another precision perhaps. A repository of Hugging Face holds many models, so
    there the name must be the same."""
    own, meant = _ref(file.hub_id), _ref(source.hub_id)
    if own is None or meant is None or not meant.version or own.of_version != meant.of_version:
        return False
    return meant.hub != "huggingface" or _base(file.name) == _base(source.name)


_WAYS: dict[Callable[[ModelFile, Source], bool], str] = {_has_bytes: "rematch.renamed", _is_version: "rematch.same_version"}


def _nearest(files: Iterable[ModelFile], source: Source) -> ModelFile | None:
    return min(files, key=lambda file: (_base(file.name) != _base(source.name), file.name), default=None)


def _base(name: str) -> str:
    return PurePosixPath(_slashes(name)).name.casefold()


def _ref(hub_id: str | None) -> Ref | None:
    try:
        return Ref.parse(hub_id) if hub_id else None
    except BadRequest:
        return None


# --------------------------------------------------------------------------- the plan with the names of here


def _renamed(plan: Plan, names: Names) -> Plan:
    proposed = plan.proposed and replace(plan.proposed, loras=tuple(_use(use, names) for use in plan.proposed.loras))
    return replace(
        plan,
        models=_models(plan.models, names),
        loras=tuple(replace(choice, use=_use(choice.use, names)) for choice in plan.loras),
        near_misses=tuple(replace(choice, use=_use(choice.use, names)) for choice in plan.near_misses),
        prompt=_prompt(plan.prompt, names),
        negative=plan.negative and _prompt(plan.negative, names),
        proposed=proposed,
    )


def _models(models: Models, names: Names) -> Models:
    main = Kind.CHECKPOINT if models.checkpoint else Kind.DIFFUSION_MODEL

    def called(kind: Kind, name: str | None) -> str | None:
        return names.get((kind, _slashes(name)), name) if name else name

    return replace(
        models,
        checkpoint=called(Kind.CHECKPOINT, models.checkpoint),
        diffusion_model=called(Kind.DIFFUSION_MODEL, models.diffusion_model),
        second=called(main, models.second),
        vae=called(Kind.VAE, models.vae),
        text_encoders=tuple(names.get((Kind.TEXT_ENCODER, _slashes(name)), name) for name in models.text_encoders),
    )


def _use(use: LoraUse, names: Names) -> LoraUse:
    return replace(use, name=names.get((Kind.LORA, _slashes(use.name)), use.name))


def _prompt(text: str, names: Names) -> str:
    """Embeddings are named in the text, with or without folder and ending."""
    moved = ((old, new) for (kind, old), new in names.items() if kind is Kind.EMBEDDING and _slashes(new) != old)
    called = {_written(old): _written(new) for old, new in moved}

    def renamed(found: re.Match[str]) -> str:
        written = _written(found.group())
        return next((new for old, new in called.items() if f"/{old}".endswith(f"/{written}")), found.group())

    return _EMBEDDING.sub(renamed, text) if called else text


def _is_named(source: Source, written: Iterable[str]) -> bool:
    """Whether a prompt that writes embeddings so names this one."""
    return source.kind is Kind.EMBEDDING and any(f"/{_written(source.name)}".endswith(f"/{name}") for name in written)


def _written(name: str) -> str:
    path = _slashes(name)
    ending = next((ending for ending in MODEL_ENDINGS if path.lower().endswith(ending)), "")
    return path[: len(path) - len(ending)]


# --------------------------------------------------------------------------- what is missing


def _wanted(source: Source) -> Wanted:
    key = "rematch.wanted" if source.hub_id else "wanted.named"
    why = Reason("wanted", key, {"name": stem(source.name), "folder": source.kind.value})
    name = PurePosixPath(_slashes(source.name)).name
    search = "" if source.hub_id else search_text(source.name)
    return Wanted(
        source.kind,
        name,
        why,
        source.hub_id or "",
        search,
        size_bytes=source.size_bytes or None,
        sha256=source.sha256 or "",
    )
