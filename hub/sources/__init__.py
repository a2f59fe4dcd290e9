"""Where models are offered. One file a source: a module of this folder with a class ``Here`` that follows
``Source``. Adding a source is adding its file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ...offers import Offer, Query, Ref, RemoteFile, Results
    from ..web import Web


class Source(Protocol):
    """What every source can do. All methods that ask the network raise ``Unreachable``, ``NotFound`` or
    ``Refused``. ``knows_hashes`` says whether it can be asked by hash."""

    name: str
    knows_hashes: bool

    def read(self, text: str) -> Ref | None:
        """The model that ``text`` names in this source's own ways (page URL, urn, id), without asking anyone;
        ``None`` where it is none of them."""

    def search(self, query: Query) -> Results:
        """Offers that fit the query, in the source's order."""

    def describe(self, ref: Ref) -> Offer:
        """The version that ``ref`` names (the newest where it names none), with all its files and the model's
        other versions."""

    def by_hash(self, digest: str) -> Offer | None:
        """The version that holds a file of this hash (SHA-256, AutoV2 or AutoV3, in hex); ``None`` where the source
        does not know it or cannot be asked by hash."""

    def addresses(self, offer: Offer, file: RemoteFile) -> tuple[str, ...]:
        """Where the file's bytes may be had, the best address first."""


@cache
def hub_names() -> tuple[str, ...]:
    """The sources there are."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__"))


def open_sources(web: Web) -> dict[str, Source]:
    """Every source over one way to the network, by name."""
    return {name: _maker(name)(web) for name in hub_names()}


def _maker(name: str) -> Callable[[Web], Source]:
    maker: Callable[[Web], Source] = import_module(f".{name}", __package__).Here
    return maker
