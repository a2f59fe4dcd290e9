"""Errors a person can act on: what happened and what to do next, in their language."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from string import Formatter

LANGUAGES = ("en", "es")


class UserError(Exception):
    """A fault the person can mend. ``code`` names a sentence in ``locales/<language>/errors.json``.

    ComfyUI shows ``str(error)``; ``in_language`` gives the same error speaking another language.
    """

    def __init__(self, code: str, language: str = "en", **values: object) -> None:
        super().__init__(code)
        self.code = code
        self.language = language
        self.values = values

    def __str__(self) -> str:
        return sentence("errors", self.code, self.language, self.values)

    def in_language(self, language: str) -> UserError:
        return type(self)(self.code, language, **self.values)


class BadRequest(UserError):
    """What was asked cannot be done as it stands."""


class MissingModel(UserError):
    """A file the plan needs is not on this machine."""


class Unreachable(UserError):
    """A server (ComfyUI, Ollama, a model hub) does not answer."""


@cache
def _texts(table: str, language: str) -> dict[str, str]:
    path = Path(__file__).parent / "locales" / language / f"{table}.json"
    texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return texts


def sentence(table: str, key: str, language: str, values: dict[str, object]) -> str:
    """The text ``key`` of ``locales/<language>/<table>.json`` with ``values`` filled in; English where a
    language is unknown."""
    texts = _texts(table, language if language in LANGUAGES else "en")
    return _COUNTING.vformat(texts[key], (), values)


class _Counting(Formatter):
    """Formats as ``str.format`` does; ``{count:picture|pictures}`` is the word that goes with the number."""

    def format_field(self, value: object, spec: str) -> str:
        one, bar, many = spec.partition("|")
        if not bar:
            return str(super().format_field(value, spec))
        return one if str(value) == "1" else many


_COUNTING = _Counting()
