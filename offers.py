"""The nouns of the model hubs: what a hub offers, how it is named, what was proven of its bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .choices import Period, Sort
from .errors import BadRequest
from .plan import Kind, Verification

__all__ = ["Offer", "Period", "Query", "Ref", "RemoteFile", "Results", "Sort", "Verification", "Version"]

_REF = re.compile(r"(?P<hub>[a-z][a-z0-9_]*):(?P<model>[^@#\s]+)(?:@(?P<version>[^#\s]+))?(?:#(?P<file>.+))?")


@dataclass(frozen=True)
class Ref:
    """A hub's name for a model, where given for one version (or revision) of it and one file of that:
    ``civitai:257749@290640#4711``, ``huggingface:owner/name@main#folder/file.safetensors``."""

    hub: str
    model: str
    version: str = ""
    file: str = ""

    def __str__(self) -> str:
        version, file = f"@{self.version}" if self.version else "", f"#{self.file}" if self.file else ""
        return f"{self.hub}:{self.model}{version}{file}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """The reference that ``str`` wrote. Raises ``BadRequest``."""
        found = _REF.fullmatch(text.strip())
        if found is None:
            raise BadRequest("ref_unreadable", text=text)
        return cls(**{name: part or "" for name, part in found.groupdict().items()})

    def of_file(self, file: str) -> Ref:
        return replace(self, file=file)

    @property
    def of_version(self) -> Ref:
        return replace(self, file="")

    @property
    def of_model(self) -> Ref:
        return Ref(self.hub, self.model)


@dataclass(frozen=True)
class RemoteFile:
    """One file of an offer. ``id`` is what a ``Ref`` calls it; ``name`` the name the hub gives it, as unsafe as
    any text from outside; ``sha256`` in lower-case hex; ``pickle`` says that opening it can run code."""

    id: str
    name: str
    url: str
    size_bytes: int | None = None
    sha256: str | None = None
    kind: Kind | None = None
    pickle: bool = False
    precision: str | None = None
    primary: bool = False


@dataclass(frozen=True)
class Version:
    """Another version of an offer's model: its id, name, base model and date (ISO 8601)."""

    id: str
    name: str = ""
    base_model: str = ""
    published: str = ""


@dataclass(frozen=True)
class Offer:
    """One version of a model as a hub describes it. ``kind`` is the folder its main file belongs in;
    ``strength`` is (minimum, recommended, maximum); ``licence`` holds the hub's permissions; ``gated`` says
    that terms must be accepted first, ``early_access`` that it must be bought or waited for. ``versions`` are
    the model's other versions, newest first, where the hub told them."""

    ref: Ref
    title: str
    version_name: str = ""
    kind: Kind | None = None
    base_model: str = ""
    creator: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    trigger_groups: tuple[tuple[str, ...], ...] = ()
    strength: tuple[float | None, float | None, float | None] = (None, None, None)
    downloads: int = 0
    likes: int = 0
    nsfw: bool = False
    real_person: bool = False
    licence: Mapping[str, Any] = field(default_factory=dict)
    page_url: str = ""
    preview_url: str = ""
    gated: bool = False
    early_access: bool = False
    published: str = ""
    files: tuple[RemoteFile, ...] = ()
    versions: tuple[Version, ...] = ()

    def file(self, file_id: str) -> RemoteFile | None:
        return next((file for file in self.files if file.id == file_id), None)


@dataclass(frozen=True)
class Query:
    """A search. ``base_models`` are names as hubs write them ("SDXL 1.0"); ``cursor`` is what the last
    ``Results`` gave."""

    text: str = ""
    kinds: tuple[Kind, ...] = ()
    base_models: tuple[str, ...] = ()
    tag: str = ""
    sort: Sort = Sort.RELEVANCE
    period: Period = Period.ALL
    nsfw: bool = False
    limit: int = 20
    cursor: str = ""


@dataclass(frozen=True)
class Results:
    """Found offers in the hub's order; ``cursor`` continues, empty when there is no more."""

    offers: tuple[Offer, ...] = ()
    cursor: str = ""
