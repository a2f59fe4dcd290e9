"""Just enough of JavaScript's grammar to read the canvas side's sources: tokens, object literals, call arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WEB = Path(__file__).parent.parent.parent / "web" / "js"
TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<template>`(?:[^`\\]|\\.)*`)
    |(?P<word>[A-Za-z_$#][\w$]*)
    |(?P<number>\d[\w.]*)
    |(?P<space>\s+)
    |(?P<mark>=>|\.\.\.|.)""",
    re.VERBOSE | re.DOTALL,
)
REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
VALUE_ENDS = {")", "]", "}"}  # a slash behind these divides
OPENING, CLOSING = set("([{"), set(")]}")


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    line: int

    @property
    def said(self) -> str:
        """The text between the quotes; of a template without what is filled in."""
        inner = self.text[1:-1]
        return re.sub(r"\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", "", inner) if self.kind == "template" else inner


def modules() -> list[Path]:
    return sorted([*WEB.glob("*.js"), *WEB.glob("*.mjs")])


def tokens(source: str) -> list[Token]:
    """Without comments and blanks."""
    return list(_scan(source))


def _scan(source: str) -> Iterator[Token]:
    at, line, before = 0, 1, ""
    while at < len(source):
        found = _regex(source, at, before) or TOKEN.match(source, at)
        assert found
        kind, text = found.lastgroup or "regex", found.group()
        if kind == "template":
            text = _template(source, at)
        if kind not in ("comment", "space"):
            yield Token(kind, text, line)
            before = text if kind == "mark" else "value"
        at, line = at + len(text), line + text.count("\n")


def _regex(source: str, at: int, before: str) -> re.Match[str] | None:
    is_value = before == "value" or before in VALUE_ENDS
    return None if source[at] != "/" or source[at : at + 2] in ("//", "/*") or is_value else REGEX.match(source, at)


def _template(source: str, start: int) -> str:
    """A template with the templates inside what is filled in."""
    at = start + 1
    while source[at] != "`":
        if source[at] == "\\":
            at += 2
        elif source.startswith("${", at):
            at = _filled(source, at + 2)
        else:
            at += 1
    return source[start : at + 1]


def _filled(source: str, at: int) -> int:
    depth = 1
    while depth:
        if source[at] in "`\"'":
            quoted = _template(source, at) if source[at] == "`" else TOKEN.match(source, at).group()  # type: ignore[union-attr]
            at += len(quoted)
            continue
        depth += {"{": 1, "}": -1}.get(source[at], 0)
        at += 1
    return at


def tables(found: list[Token]) -> list[tuple[int, int]]:
    """Where the tables of words {en: {…}, es: {…}} are: first and last token."""
    starts = [at for at, token in enumerate(found[:-3]) if [each.text for each in found[at : at + 4]] == ["{", "en", ":", "{"]]
    return [(start, closing(found, start)) for start in starts]


def closing(found: list[Token], start: int) -> int:
    """The bracket that closes the one at ``start``."""
    depth = 0
    for at in range(start, len(found)):
        mark = found[at].text if found[at].kind == "mark" else ""
        depth += (mark in OPENING) - (mark in CLOSING)
        if depth == 0:
            return at
    raise ValueError("unclosed")


def literal(found: list[Token], start: int) -> dict[str, Any]:
    """The object literal at ``start``: nested ones as dicts, single texts as text, anything else as ``None``."""
    read: dict[str, Any] = {}
    for first, last in parts(found, start):
        if last - first >= 2 and found[first + 1].text == ":":
            key, value = found[first].text.strip("\"'"), found[first + 2]
            if value.text == "{":
                read[key] = literal(found, first + 2)
            else:
                read[key] = value.said if value.kind in ("string", "template") and last - first == 2 else None
    return read


def parts(found: list[Token], start: int) -> Iterator[tuple[int, int]]:
    """What lies between the commas of the bracket at ``start``: first and last token of each."""
    depth, first = 0, start + 1
    for at in range(start, closing(found, start) + 1):
        mark = found[at].text if found[at].kind == "mark" else ""
        depth += (mark in OPENING) - (mark in CLOSING)
        if (mark == "," and depth == 1) or depth == 0:
            if at > first:
                yield first, at - 1
            first = at + 1
