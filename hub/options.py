"""What the person set for the hubs: hosts, limits, the offline switch. A JSON file in the user directory;
environment variables win over it. Tokens are kept apart (``tokens.py``)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from ..errors import BadRequest
from ..files import write_whole

FILE = "hub.json"
_TRUE = frozenset({"1", "true", "yes", "on"})

# Where the hubs keep their bytes: redirects lead there. A leading dot stands for any subdomain.
CDN_HOSTS = {
    "civitai": (".civitai.com", ".civitai.red", ".r2.cloudflarestorage.com", ".backblazeb2.com"),
    "huggingface": (".huggingface.co", ".hf.co"),
}


@dataclass(frozen=True)
class Options:
    """``civitai`` lists that hub's hosts in the order to ask them; ``extra_hosts`` are further hosts (or whole
    addresses, as of a mirror on this machine) that downloads may be redirected to; ``allowed`` are references that a workflow may download unasked (``*``
    stands for anything); sizes in bytes, ages in days. ``remote_clients`` lets computers other than this one
    start downloads and change settings; ``recognise`` that new files are looked up at the hubs in idle time, which
    tells the hubs their hashes: off until the person asks for it once; ``xet`` that large files come over Xet where
    the hub and this machine have it."""

    offline: bool = False
    civitai: tuple[str, ...] = ("https://civitai.com", "https://civitai.red")
    huggingface: str = "https://huggingface.co"
    extra_hosts: tuple[str, ...] = ()
    parallel: int = 2
    largest_file_bytes: int = 120 * 1024**3
    allowed: tuple[str, ...] = ()
    remote_clients: bool = False
    nsfw: bool = False
    recognise: bool = False
    xet: bool = True
    cache_bytes: int = 500_000_000
    cache_days: int = 90

    def __post_init__(self) -> None:
        for address in (*self.civitai, self.huggingface, *self._extra_origins()):
            if not _acceptable(address):
                raise BadRequest("hub_address_refused", address=address)

    def bases(self, hub: str) -> tuple[str, ...]:
        """The addresses a hub is asked at, without a slash at the end."""
        listed = {"civitai": self.civitai, "huggingface": (self.huggingface,)}.get(hub, ())
        return tuple(address.rstrip("/") for address in listed)

    def hosts(self, hub: str) -> tuple[str, ...]:
        """The hosts that a hub's downloads may come from, its own first."""
        own = tuple(urlsplit(address).hostname or "" for address in self.bases(hub))
        return (*own, *CDN_HOSTS.get(hub, ()), *(host for host in self.extra_hosts if "://" not in host))

    def origins(self, hub: str) -> tuple[str, ...]:
        """The addresses a hub's downloads may come from whatever their scheme and port, its own first."""
        return (*self.bases(hub), *self._extra_origins())

    def _extra_origins(self) -> tuple[str, ...]:
        return tuple(host for host in self.extra_hosts if "://" in host)


def read_options(folder: Path, environ: Mapping[str, str] = os.environ) -> Options:
    """The options in ``folder`` under those of the environment. Raises ``BadRequest`` for a file or a value
    that cannot be read."""
    path = folder / FILE
    try:
        held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return options_from({**held, **_from_environment(environ)})
    except (OSError, ValueError, TypeError) as fault:
        raise BadRequest("hub_settings_unreadable", path=str(path), problem=str(fault)) from fault


def change_options(folder: Path, changes: Mapping[str, Any]) -> Options:
    """Write ``changes`` over what the file holds. Raises ``BadRequest`` for a setting that does not exist or
    does not have its type; then nothing is written."""
    path = folder / FILE
    try:
        held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        changed = options_from({**held, **changes})
    except (OSError, ValueError, TypeError) as fault:
        raise BadRequest("hub_settings_unreadable", path=str(path), problem=str(fault)) from fault
    write_whole(path, json.dumps({**held, **{name: asdict(changed)[name] for name in changes}}, indent=2) + "\n")
    return changed


def options_from(values: Mapping[str, Any]) -> Options:
    """Options from JSON values. Raises ``TypeError`` naming what does not fit."""
    hints, known = get_type_hints(Options), {each.name for each in fields(Options)}
    fitted: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise TypeError(f"{name}: there is no such setting")
        fitted[name] = _fitted(name, value, hints[name])
    return Options(**fitted)


def _fitted(name: str, value: Any, hint: Any) -> Any:
    if hint in (bool, str) and type(value) is hint:
        return value
    if hint is int and type(value) is int and value > 0:
        return value
    if hint == tuple[str, ...] and isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise TypeError(f"{name}: {value!r} does not fit")


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    switches = ("INTELLIGENT_GENERATION_OFFLINE", "HF_HUB_OFFLINE")
    if any(environ.get(name, "").lower() in _TRUE for name in switches):
        found["offline"] = True
    if environ.get("INTELLIGENT_GENERATION_REMOTE_CLIENTS", "").lower() in _TRUE:
        found["remote_clients"] = True
    if environ.get("HF_HUB_DISABLE_XET", "").lower() in _TRUE:
        found["xet"] = False
    if address := environ.get("HF_ENDPOINT"):
        found["huggingface"] = address
    if listed := environ.get("INTELLIGENT_GENERATION_CIVITAI"):
        found["civitai"] = tuple(listed.split(","))
    if listed := environ.get("INTELLIGENT_GENERATION_HUB_HOSTS"):
        found["extra_hosts"] = tuple(listed.split(","))
    if listed := environ.get("INTELLIGENT_GENERATION_ALLOWED_DOWNLOADS"):
        found["allowed"] = tuple(listed.split(","))
    return found


def _acceptable(address: str) -> bool:
    """https to a host, or this very machine (a mirror of one's own)."""
    from .addresses import is_loopback_name

    parts = urlsplit(address)
    if parts.username or parts.password or parts.query or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback_name(parts.hostname))
