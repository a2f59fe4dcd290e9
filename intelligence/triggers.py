"""Trigger words: which of a LoRA's groups the prompt needs, and where its words go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..data import table
from ..plan import Dialect, ModelFile
from .text import rarity, units, words

_NOT_WORDS = re.compile(
    r"<[^<>]*>|https?:|\b(?:see|read|no|none|not?) (?:the )?(?:description|trigger|needed|required)\b", re.I
)
_LONGEST_TRIGGER = 80
_BARE_BRACKET = re.compile(r"(?<!\\)([()])")


def triggers_for(file: ModelFile, prompt: str) -> tuple[str, ...]:
    """The trigger words of ``file`` that ``prompt`` lacks, of the one group that fits it best."""
    said = words(prompt)
    group = best_group(file.trigger_groups, frozenset(said))
    return tuple(trigger for trigger in _kept(group) if not _stands_in(words(trigger), said))


def best_group(groups: Sequence[Sequence[str]], said: frozenset[str]) -> tuple[str, ...]:
    """The clauses of the group whose words the prompt says most of, weighed by rarity; the first one on a tie."""
    cut = [clauses for group in groups if (clauses := _clauses(group))]
    return max(cut, key=lambda clauses: _overlap(clauses, said), default=())


def insert(prompt: str, triggers: Iterable[str], dialect: Dialect) -> str:
    """``prompt`` with the trigger words in it once. In tags they follow the opening block of quality and subject
    tags: early words weigh most, yet "masterpiece, 1girl" is what tag models expect first. In prose they come last,
    as clauses of their own, so that no sentence is broken."""
    added = [escaped(trigger) for trigger in dict.fromkeys(triggers)]
    if not added:
        return prompt
    if dialect is Dialect.PROSE:
        return ", ".join([prompt.rstrip(" ,."), *added]) if prompt.strip() else ", ".join(added)
    opening = _opening_end(prompt)
    before, after = prompt[:opening].rstrip(" ,\n"), prompt[opening:].lstrip(" ,\n")
    return ", ".join(part for part in (before, *added, after) if part)


def escaped(trigger: str) -> str:
    """Brackets of a name ("saber (fate)") as literal ones: bare ones are emphasis."""
    return _BARE_BRACKET.sub(r"\\\1", trigger)


def _clauses(group: Sequence[str]) -> tuple[str, ...]:
    found = (
        unit.replace("\\(", "(").replace("\\)", ")")
        for entry in group
        if not _NOT_WORDS.search(entry)
        for unit in _split(entry)
    )
    return tuple(dict.fromkeys(unit for unit in found if len(unit) <= _LONGEST_TRIGGER and words(unit)))


def _split(entry: str) -> list[str]:
    return [part.strip(" \t\n") for part in re.split(r"[,;\n]", entry) if part.strip(" \t\n")]


def _overlap(clauses: Sequence[str], said: frozenset[str]) -> float:
    held = {word for clause in clauses for word in words(clause)}
    return sum(rarity(word) for word in held & said) / (sum(rarity(word) for word in held) or 1.0)


def _kept(clauses: Sequence[str]) -> tuple[str, ...]:
    knobs = table("recommend")["triggers"]
    if len(clauses) <= knobs["most_words"]:
        return tuple(clauses)
    telling = [clause for clause in clauses if max(map(rarity, words(clause))) >= knobs["telling"]]
    return tuple((telling or list(clauses))[: knobs["most_words"]])


def _stands_in(part: Sequence[str], whole: Sequence[str]) -> bool:
    length = len(part)
    return any(list(whole[at : at + length]) == list(part) for at in range(len(whole) - length + 1))


def _opening_end(prompt: str) -> int:
    plain = table("recommend")["triggers"]["plain"]
    end = 0
    for found in re.finditer(r"[^,\n]*(?:[,\n]\s*|$)", prompt):
        clause = [word for unit in units(found[0]) for word in words(unit)]
        if not found[0] or any(rarity(word) > plain for word in clause):
            break
        end = found.end()
    return end if _balanced(prompt[:end]) else 0


def _balanced(text: str) -> bool:
    return all(text.count(opened) == text.count(closed) for opened, closed in ("()", "[]", "{}"))
