"""The commands ``token``, ``hub-settings`` and ``cache``: what the pack keeps for and of the hubs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from getpass import getpass
from typing import Any

from .cli_hub import opened
from .errors import BadRequest
from .hub.answers import Asked
from .terminal import cell, columns, say, size


def token(options: argparse.Namespace) -> int:
    """Store or forget a key; tell which hubs there is one for, and nothing more of it."""
    with opened(options) as desk:
        if options.hub:
            desk.tokens.set(options.hub, None if options.forget else _read_key(options))
        present = desk.tokens.present()
    if options.json:
        print(json.dumps(present))
        return 0
    for hub, there in present.items():
        if options.hub in (None, hub):
            print(f"{hub}: {say('key_present' if there else 'key_absent', options.language)}")
    return 0


def _read_key(options: argparse.Namespace) -> str:
    """Never from an argument, which anyone on the machine can read."""
    asked = say("key_asked", options.language, hub=cell(options.hub))
    key = getpass(f"{asked} ") if sys.stdin.isatty() else sys.stdin.readline()
    if not key.strip():
        raise BadRequest("token_unreadable", hub=options.hub)
    return key


def hub_settings(options: argparse.Namespace) -> int:
    """Show the settings of the hubs, changed first where changes are given."""
    with opened(options) as desk:
        if options.changes:
            desk.change_options(dict(_setting(text, asdict(desk.options)) for text in options.changes))
        held = asdict(desk.options)
    if options.json:
        print(json.dumps(held))
    else:
        print(columns([[name, _printed(value)] for name, value in held.items()]))
    return 0


def _printed(value: object) -> str:
    """A setting as it may be typed."""
    return cell(", ".join(map(str, value)) if isinstance(value, (list, tuple)) else json.dumps(value).strip('"'), 500)


def _setting(text: str, held: Mapping[str, Any]) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadRequest("setting_unreadable", text=text)
    name = name.strip().replace("-", "_")
    if isinstance(held.get(name), tuple) and not value.lstrip().startswith("["):
        return name, [part.strip() for part in value.split(",") if part.strip()]
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def cache(options: argparse.Namespace) -> int:
    """Show how much is kept of what hubs answered, cleared first where asked."""
    with opened(options) as desk:
        kinds = {kind.value: kind for kind in Asked}
        if options.clear and options.clear not in ("all", *kinds):
            raise BadRequest("not_a_choice", value=options.clear, choices=", ".join(("all", *kinds)))
        cleared = desk.answers.clear(kinds.get(options.clear)) if options.clear else None
        sizes = {kind.value: held for kind, held in desk.answers.sizes().items()}
    if options.json:
        told = {kind: {"count": held.count, "bytes": held.bytes} for kind, held in sizes.items()}
        print(json.dumps({"kinds": told, "cleared": cleared}))
        return 0
    if cleared is not None:
        print(say("cache_cleared", options.language, count=cleared))
    print(columns([[kind, str(held.count), size(held.bytes)] for kind, held in sizes.items()]))
    return 0
