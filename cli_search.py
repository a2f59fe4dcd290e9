"""The command ``search``: what the hubs offer, and whether it fits here."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from .cli_hub import opened
from .errors import BadRequest
from .hub.desk import Desk, kinds_of
from .hub.sources import hub_names
from .intelligence.explain import render
from .intelligence.owned import families_owned, query_base_models
from .local import machine_here
from .offers import Offer, Period, Query, Sort
from .plan import Library
from .search_table import only_fitting
from .shop import Found, Search, search
from .terminal import cell, columns, note, say, size


def search_hubs(options: argparse.Namespace) -> int:
    """Search and print a table, or with ``--verbose`` the reasons, or JSON."""
    hubs = options.hub or hub_names()
    if options.cursor and len(hubs) > 1:
        raise BadRequest("cursor_of_which_hub")
    with opened(options, needs_place=False) as desk:
        desk.registry.scan()
        found = search(desk, _query(options, desk), hubs, machine_here(options.comfyui))
    found = only_fitting(found) if options.fitting else found
    if options.json:
        print(json.dumps(_search_json(found, options.language)))
    else:
        _print_search(found, options)
    return 0


def _query(options: argparse.Namespace, desk: Desk) -> Query:
    bases = _fitting_bases(desk.registry.library()) if options.fitting else tuple(options.base_model)
    nsfw = options.nsfw or desk.options.nsfw
    return Query(
        " ".join(options.words),
        kinds_of(options.kind),
        bases,
        options.tag,
        Sort(options.sort),
        Period(options.period),
        nsfw,
        max(1, options.limit),
        options.cursor,
    )


def _fitting_bases(library: Library) -> tuple[str, ...]:
    owned = families_owned(library)
    if not owned:
        raise BadRequest("fitting_no_model")
    return tuple(dict.fromkeys(name for family in owned for name in query_base_models(family)))


def _search_json(search: Search, language: str) -> dict[str, Any]:
    trouble = [str(fault.in_language(language)) for fault in search.trouble]
    return {"results": [_found_json(each, language) for each in search.found], "cursors": search.cursors, "trouble": trouble}


def _found_json(found: Found, language: str) -> dict[str, Any]:
    offer, choice = found.offer, found.choice
    told: dict[str, Any] = {"title": offer.title, "version": offer.version_name, "base_model": offer.base_model}
    told |= {"creator": offer.creator, "downloads": offer.downloads, "likes": offer.likes, "nsfw": offer.nsfw}
    told |= {"licence": dict(offer.licence), "page_url": offer.page_url, "ref": str(offer.ref), "kind": None, "fit": None}
    if choice:
        told |= {"ref": str(choice.ref), "kind": choice.kind.value, "file": choice.file.name, "sha256": choice.file.sha256}
        told |= {"size_bytes": choice.file.size_bytes, "fit": choice.fit.verdict.value}
        told["reasons"] = [render(reason, language) for reason in choice.fit.reasons]
    return told


def _print_search(search: Search, options: argparse.Namespace) -> None:
    language = options.language
    for fault in search.trouble:
        note(fault.in_language(language))
    if not search.found:
        note(say("nothing_found", language))
        return
    if options.verbose:
        print("\n\n".join(_reasoned(found, language) for found in search.found))
    else:
        heads = ("title", "kind", "base_model", "size", "downloads", "licence", "fit", "ref")
        rows = [[say(f"head_{head}", language) for head in heads], *(_row(found, language) for found in search.found)]
        print(columns(rows))
    print("\n" + say("to_download", language))
    for hub, cursor in search.cursors.items():
        print(say("more_results", language, hub=hub, cursor=cell(cursor, 500)))


def _row(found: Found, language: str) -> list[str]:
    offer, choice = found.offer, found.choice
    kind = choice.kind if choice else offer.kind
    return [
        cell(f"{offer.title} {offer.version_name}"),
        kind.value if kind else "?",
        cell(offer.base_model or "?", 20),
        size(choice.file.size_bytes if choice else None),
        f"{offer.downloads:,}" if offer.downloads else "–",
        cell(licence_word(offer.licence, language), 20),
        say(f"verdict_{choice.fit.verdict.value}" if choice else "verdict_no_file", language),
        quoted(str(choice.ref if choice else offer.ref)),
    ]


def _reasoned(found: Found, language: str) -> str:
    reasons = found.choice.fit.reasons if found.choice else ()
    lines = [
        "  ".join(_row(found, language)[:-1]),
        _row(found, language)[-1],
        *(f"• {render(each, language)}" for each in reasons),
    ]
    return "\n  ".join(cell(line, 2000) for line in lines)


def quoted(ref: str) -> str:
    """A reference as a shell takes it."""
    shown = cell(ref, 2000)
    return f'"{shown}"' if set(shown) & set(" '&;()") else shown


def licence_word(licence: Mapping[str, Any], language: str) -> str:
    """The licence's name, or what it says of selling pictures."""
    if name := licence.get("name"):
        return str(name)
    uses = licence.get("commercial_use")
    if uses is None:
        return "?"
    return say("licence_commercial" if any(use in str(uses) for use in ("Image", "Sell")) else "licence_private", language)


def strength_text(strength: tuple[float | None, float | None, float | None]) -> str:
    """``0.7 (0.6–0.8)``, or what is known of it."""
    low, best, high = (None if each is None else f"{each:g}" for each in strength)
    span = f"{low}–{high}" if low and high and low != high else low or high or ""
    return f"{best} ({span})" if best and span and span != best else best or span


def offer_lines(offer: Offer, language: str) -> list[str]:
    """What a hub says of a model, as labelled lines; what it does not say is left out."""
    about = {
        "model": f"{offer.title} {offer.version_name}".strip(),
        "creator": offer.creator,
        "base_model": offer.base_model,
        "triggers": "; ".join(", ".join(group) for group in offer.trigger_groups),
        "strength": strength_text(offer.strength),
        "licence": licence_word(offer.licence, language),
        "page": offer.page_url,
    }
    return [f"{say(f'label_{name}', language)}: {cell(text, 500)}" for name, text in about.items() if text]
