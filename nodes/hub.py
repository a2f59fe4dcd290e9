"""Nodes of the model hubs: search, download, and everything known of a file."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

from comfy_api.latest import io

from ..choices import Kind
from . import asking, host, schema

DAY_S = 86_400
ANY, AUTO, ALL = "any", "auto", "all"


class SearchHub(io.ComfyNode):
    """What the hubs offer, and whether it fits here."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        outputs = [io.String.Output("table"), io.String.Output("results_json"), io.String.Output("first_ref")]
        aliases = ["civitai", "huggingface", "find model", "buscar modelo"]
        return schema.schema("IIG_SearchHub", _search_widgets(), outputs, is_output_node=True, search_aliases=aliases)

    @classmethod
    def fingerprint_inputs(cls, **widgets: Any) -> str:
        """Hubs are asked once a day, and again where one did not answer; a changed library changes what fits."""
        from .planning import fingerprint

        return f"{time.time() // DAY_S:.0f}|{_unanswered[_key(widgets)]}|{fingerprint()}"

    @classmethod
    def execute(cls, language: str, only_fitting: bool, **widgets: Any) -> io.NodeOutput:
        from .. import search_table
        from .shown import choice_shown, offer_shown

        spoken = host.language(language)
        with host.speaking(spoken):
            found = _searched(widgets)
        key = _key({"language": language, "only_fitting": only_fitting, **widgets})
        _unanswered[key] += bool(found.trouble)
        found = search_table.only_fitting(found) if only_fitting else found
        table = search_table.table(found, spoken)
        told = [
            {**offer_shown(each.offer), "file": choice_shown(each.choice, spoken) if each.choice else None}
            for each in found.found
        ]
        shown = json.dumps(told, ensure_ascii=False)
        return io.NodeOutput(table, shown, search_table.first_ref(found), ui={"text": [search_table.lines(found, spoken)]})


class DownloadModel(io.ComfyNode):
    """A model file by its name at a hub, as the name ComfyUI's loaders take; fetched once, and only if confirmed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            io.String.Input("source", default=""),
            io.Combo.Input("kind", options=[AUTO, *_kinds()], default=AUTO),
            io.String.Input("file", default=""),
            _language(),
        ]
        outputs = [
            io.AnyType.Output("name"),
            io.String.Output("kind_found"),
            io.String.Output("sha256"),
            io.String.Output("info"),
        ]
        hidden, aliases = [io.Hidden.unique_id], ["civitai", "huggingface", "fetch", "descargar"]
        return schema.schema("IIG_DownloadModel", inputs, outputs, is_output_node=True, hidden=hidden, search_aliases=aliases)

    @classmethod
    def fingerprint_inputs(cls, source: str | None = None, kind: str | None = None, file: str | None = None, **_: Any) -> str:
        from .fetching import state_of
        from .planning import fingerprint

        if source is None or kind is None or file is None:  # linked, so not known yet
            return fingerprint()
        return state_of(source, _kind(kind), file)

    @classmethod
    def execute(cls, source: str, kind: str, file: str, language: str) -> io.NodeOutput:
        from ..lookup import Known
        from ..model_card import card
        from .fetching import model_file

        spoken = host.language(language)
        with host.speaking(spoken):
            found = model_file(_given(source, "source"), _kind(kind), file.strip(), cls.hidden.unique_id)
        info = card(Known(found, True, found.hub_id or ""), spoken)
        return io.NodeOutput(found.name, found.kind.value, found.sha256 or "", info, ui={"text": [info]})


class ModelInfo(io.ComfyNode):
    """Everything known of a model, by its file's name, its hash, or its name at a hub."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            io.String.Input("name_or_hash", default=""),
            io.Combo.Input("kind", options=[ANY, *_kinds()], default=ANY),
            _language(),
        ]
        outputs = [
            io.String.Output("info"),
            io.String.Output("trigger_words"),
            io.Float.Output("strength"),
            io.String.Output("info_json"),
        ]
        aliases = ["trigger words", "licence", "sha256", "información"]
        return schema.schema("IIG_ModelInfo", inputs, outputs, is_output_node=True, search_aliases=aliases)

    @classmethod
    def fingerprint_inputs(cls, **widgets: Any) -> str:
        from .planning import fingerprint

        return fingerprint()

    @classmethod
    def execute(cls, name_or_hash: str, kind: str, language: str) -> io.NodeOutput:
        from ..lookup import look_up
        from ..model_card import card, strength, trigger_words
        from ..values import to_json
        from .desk import desk, machine

        spoken = host.language(language)
        with host.speaking(spoken):
            known = look_up(desk(), _given(name_or_hash, "name_or_hash"), machine(), _kind(kind))
        info = card(known, spoken)
        return io.NodeOutput(info, trigger_words(known.file), strength(known.file), to_json(known), ui={"text": [info]})


# How often a hub did not answer a search: what ComfyUI's cache then holds must not be shown again.
_unanswered: Counter[str] = Counter()


def _key(widgets: dict[str, Any]) -> str:
    return json.dumps(widgets, sort_keys=True, default=str)


def _search_widgets() -> list[Any]:
    from ..choices import Period, Sort
    from ..hub.sources import hub_names

    later = [
        io.Combo.Input("sort", options=[member.value for member in Sort], default=Sort.RELEVANCE.value),
        io.Combo.Input("period", options=[member.value for member in Period], default=Period.ALL.value),
        io.Boolean.Input("nsfw", default=False),
        io.Int.Input("limit", default=20, min=1, max=100),
        _language(),
    ]
    return [
        io.String.Input("text", default=""),
        io.Combo.Input("hub", options=[ALL, *hub_names()], default=ALL),
        io.Combo.Input("kind", options=[ANY, *_kinds()], default=ANY),
        io.String.Input("base_model", default=""),
        io.Boolean.Input("only_fitting", default=False),
        *(schema.advanced(widget) for widget in later),
    ]


def _searched(widgets: dict[str, Any]) -> Any:
    from ..hub.sources import hub_names
    from ..offers import Period, Query, Sort
    from ..shop import search
    from .desk import desk, machine

    kind = _kind(widgets["kind"])
    query = Query(
        text=widgets["text"].strip(),
        kinds=(kind,) if kind else (),
        base_models=asking.words_of(widgets["base_model"]),
        sort=asking.choice(Sort, widgets["sort"]),
        period=asking.choice(Period, widgets["period"]),
        nsfw=widgets["nsfw"],
        limit=widgets["limit"],
    )
    return search(desk(), query, hub_names() if widgets["hub"] == ALL else (widgets["hub"],), machine())


def _given(text: str, name: str) -> str:
    from ..errors import BadRequest

    found = text.strip().strip("\"'")
    if not found:
        raise BadRequest("input_empty", name=name)
    return found


def _kinds() -> list[str]:
    return [kind.value for kind in Kind]


def _kind(chosen: str) -> Kind | None:
    return None if chosen in (ANY, AUTO) else asking.choice(Kind, chosen)


def _language() -> Any:
    return schema.advanced(io.Combo.Input("language", options=["auto", "en", "es"], default="auto"))
