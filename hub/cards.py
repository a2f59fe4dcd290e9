"""What a hub said of a file, trimmed to what is worth keeping for good: a ``Page`` and its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from ..offers import Offer, RemoteFile
from .sidecars import MAX_DESCRIPTION, Page, merged

# What a hub knows better than anything written beside the file; the rest people may have put in better words.
_HUB_KNOWS = ("hub_id", "version", "creator", "page_url", "licence")


def card_of(offer: Offer, file: RemoteFile | None = None) -> Page:
    """The card of one file of an offer; of a file the offer does not tell apart, with no sum."""
    return Page(
        base_model=offer.base_model,
        title=offer.title,
        description=offer.description[:MAX_DESCRIPTION],
        tags=offer.tags,
        trigger_groups=offer.trigger_groups,
        strength=offer.strength,
        downloads=offer.downloads,
        likes=offer.likes,
        nsfw=offer.nsfw,
        real_person=offer.real_person,
        licence=dict(offer.licence),
        sha256=file.sha256.lower() if file and file.sha256 else None,
        hub_id=str(offer.ref.of_version),
        version=offer.version_name,
        creator=offer.creator,
        page_url=offer.page_url,
        preview_url=offer.preview_url,
    )


def cards_of(offer: Offer, digest: str) -> dict[str, tuple[str, Page]]:
    """What an answer to a question by ``digest`` tells: (reference, card) by digest, of the file asked for and of
    the version's other files, which then need no question of their own."""
    told = {file.sha256.lower(): file for file in offer.files if file.sha256}
    cards = {sum_: (str(offer.ref.of_file(file.id)), card_of(offer, file)) for sum_, file in told.items()}
    return {digest: (str(offer.ref), card_of(offer, offer.file(offer.ref.file)))} | cards


def with_card(page: Page, card: Page) -> Page:
    """What lies beside a file and what the hub says of it, as one page."""
    known = Page(**{name: getattr(card, name) for name in _HUB_KNOWS})
    return merged((known, page, card))


def to_text(card: Page) -> str:
    said = {name: value for name, value in vars(card).items() if value != getattr(_NOTHING, name)}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def from_text(text: str) -> Page:
    """The card that ``to_text`` wrote; what a later version of this pack added to it is left out."""
    held: Mapping[str, Any] = json.loads(text)
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in held.items() if name in _NAMES
    }
    card = Page(**values)
    return replace(card, trigger_groups=tuple(map(tuple, card.trigger_groups)))


_NOTHING = Page()
_NAMES = frozenset(each.name for each in fields(Page))
