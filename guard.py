"""Who may ask a route, by where a request comes from and what it carries; and how a refusal is told in HTTP."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import BadRequest, Unreachable, UserError
from .routes import GUARD_HEADER, Access

MAX_BODY_BYTES = 65_536
MAX_SENT_BYTES = 4 << 20  # where nothing is changed: plans travel whole, read and parsed on ComfyUI's own loop

# Set by proxies: whoever sits behind one is not at this computer, though the connection comes from it.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
_STATUS = {
    "request_foreign": 403,
    "request_from_elsewhere": 403,
    "request_too_large": 413,
    "file_not_listed": 404,
    "download_unknown": 404,
    "offer_lacks_file": 404,
    "offer_no_file": 404,
    "generation_unknown": 404,
    "batch_unknown": 404,
    "batch_item_unknown": 404,
    "preview_none": 404,
    "download_other_bytes": 409,
    "download_not_over": 409,
    "download_have_elsewhere": 409,
    "file_exists": 409,
    "file_not_deleted": 409,
    "hub_busy": 429,
    "hub_early_access": 403,
    "hub_forbidden": 403,
    "hub_gated": 403,
    "hub_gated_no_token": 403,
    "hub_no_download": 403,
    "hub_region": 403,
    "hub_token_missing": 403,
    "hub_token_rejected": 403,
    "hub_offline": 503,
    "registry_unusable": 503,
    "learning_unreachable": 503,
    "learning_newer": 503,
    "learning_no_driver": 503,
    "learning_lost": 503,
}


@dataclass(frozen=True)
class Visitor:
    """Where a request comes from. ``remote`` is the address of the other end; ``headers`` answer in any case."""

    remote: str | None
    content_type: str
    headers: Mapping[str, str]

    @property
    def is_here(self) -> bool:
        """Whether it was sent on this computer to this computer: no proxy between, and no name that another's DNS
        made lead here."""
        forwarded = any(name in self.headers for name in _FORWARDED)
        return not forwarded and _is_loopback(self.remote or "") and _is_loopback(_name(self.headers.get("Host", "")))

    @property
    def is_foreign(self) -> bool:
        """Whether a page of another origin had it sent."""
        if self.headers.get("Sec-Fetch-Site", "") in ("cross-site", "same-site"):
            return True
        origin = self.headers.get("Origin")
        return origin is not None and not _is_origin_of(origin, self.headers.get("Host", ""))


def refuse_strangers(visitor: Visitor, access: Access, remote_clients: bool) -> None:
    """Raises ``BadRequest`` for whom a route of this ``access`` is not open. ``remote_clients`` opens to other
    computers what is else for this one only; never to pages of other origins."""
    if access.here and visitor.is_foreign:
        raise BadRequest("request_foreign")
    if access.sends and (visitor.content_type != "application/json" or GUARD_HEADER not in visitor.headers):
        raise BadRequest("not_our_request", header=GUARD_HEADER)
    if access.here and not remote_clients and not visitor.is_here:
        raise BadRequest("request_from_elsewhere")


def status_of(error: UserError) -> int:
    """The HTTP status for an error."""
    from .hub.refusals import NotFound, Refused

    if error.code in _STATUS:
        return _STATUS[error.code]
    if isinstance(error, NotFound):
        return 404
    return 502 if isinstance(error, (Refused, Unreachable)) else 400


def retry_after_s(error: UserError) -> int | None:
    """Whole seconds after which asking again makes sense, where a hub told them."""
    told = getattr(error, "retry_after_s", None)
    return max(1, math.ceil(told)) if told is not None else None


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_origin_of(origin: str, host: str) -> bool:
    try:
        ours, theirs = urlsplit(f"//{host}"), urlsplit(origin)
        usual = {"http": 80, "https": 443}.get(theirs.scheme)
        same_port = (ours.port or usual) == (theirs.port or usual)
    except ValueError:
        return False
    return usual is not None and bool(ours.hostname) and ours.hostname == theirs.hostname and same_port
