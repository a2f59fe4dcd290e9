"""Everything known of one model: by the name of its file, by a hash, or by its name at a hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from .errors import BadRequest, UserError
from .hub.desk import Desk
from .intelligence.choose_file import choose_file, path_of
from .intelligence.named import find_named
from .intelligence.offering import family_offered, folder_kind
from .offers import Offer, RemoteFile
from .plan import Kind, Machine, ModelFile
from .shop import choose, local_copy

_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{10}|[0-9a-f]{12}")


@dataclass(frozen=True)
class Known:
    """A model file as the library tells it; ``local`` says whether it lies on this machine, ``ref`` what hubs call it."""

    file: ModelFile
    local: bool
    ref: str = ""


def look_up(desk: Desk, text: str, machine: Machine, kind: Kind | None = None) -> Known:
    """What is known of the file that ``text`` names: its name as ComfyUI lists it, a SHA-256, AutoV2 or AutoV3 sum, or
    a hub's name for it. The library is asked first, the hubs only for what it does not hold. Raises ``BadRequest`` and
    ``MissingModel`` where nothing answers, and what hubs raise."""
    text = text.strip()
    if _DIGEST.fullmatch(text.lower()):
        return _by_digest(desk, text.lower(), machine, kind)
    local = local_copy(desk, text, machine, kind)
    if local is not None:
        return _of_local(local)
    if desk.read(text) is None:
        return _of_local(find_named(desk.registry.library(), (kind,) if kind else tuple(Kind), text, in_part=True))
    choice = choose(desk, text, machine, kind)
    return _of_offer(choice.offer, choice.file, choice.kind)


def _by_digest(desk: Desk, digest: str, machine: Machine, kind: Kind | None) -> Known:
    """AutoV2 is the beginning of a SHA-256; whose AutoV3 a digest is, only hubs can tell."""
    held = [file for file in desk.registry.library().files if file.sha256 and file.sha256.startswith(digest)]
    if held:
        return _of_local(held[0])
    offer = desk.by_hash(digest)
    if offer is None:
        raise BadRequest("digest_unknown", digest=digest)
    file = offer.file(offer.ref.file) or choose_file(offer, machine)
    if file is None:
        raise BadRequest("offer_no_file", ref=str(offer.ref))
    same = desk.registry.by_sha256(file.sha256) if file.sha256 else ()
    return _of_local(same[0]) if same else _of_offer(_in_full(desk, offer), file, kind or folder_kind(offer, file))


def _in_full(desk: Desk, offer: Offer) -> Offer:
    """An answer to a hash says little of the model itself; its page is optional."""
    try:
        return desk.describe(offer.ref)
    except UserError:
        return offer


def _of_local(file: ModelFile) -> Known:
    return Known(file, True, file.hub_id or "")


def _of_offer(offer: Offer, file: RemoteFile, kind: Kind | None) -> Known:
    """A hub's description in the library's terms."""
    if kind is None:
        raise BadRequest("offer_kind_unknown", ref=str(offer.ref), kinds=", ".join(each.value for each in Kind))
    family = family_offered(offer, file)
    listed = ModelFile(
        kind=kind,
        name=PurePosixPath(path_of(file)).name,
        size_bytes=file.size_bytes or 0,
        family=family.id if family else None,
        title=offer.title,
        description=offer.description,
        tags=offer.tags,
        trigger_groups=offer.trigger_groups,
        strength=offer.strength,
        downloads=offer.downloads,
        likes=offer.likes,
        nsfw=offer.nsfw,
        real_person=offer.real_person,
        licence=dict(offer.licence),
        sha256=file.sha256,
        hub_id=str(offer.ref.of_version),
        base_model=offer.base_model,
        version=offer.version_name,
        creator=offer.creator,
        page_url=offer.page_url,
    )
    return Known(listed, False, str(offer.ref.of_file(file.id)))
