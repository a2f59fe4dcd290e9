"""Brackets in a prompt as weighted segments. One pass, no recursion: depth costs nothing extra."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

ROUND, SQUARE, CURLY = "(", "[", "{"
CLOSERS = {")": ROUND, "]": SQUARE, "}": CURLY}
# Factors: A1111 and ComfyUI multiply by 1.1 per round bracket, A1111 divides by 1.1 per square one,
# NovelAI multiplies by 1.05 per curly one.
FACTORS = {ROUND: 1.1, SQUARE: 1 / 1.1, CURLY: 1.05}
WEIGHT_RANGE = (-10.0, 10.0)
# ComfyUI reads brackets by recursion; deeper nesting than this is flattened so that it cannot overflow.
DEEPEST = 60
MOST_QUOTED = 100

_TOKEN = re.compile(r"\\.|[()\[\]{}|:]|[^\\()\[\]{}|:]+|\\", re.DOTALL)
_NUMBER = re.compile(r"\s*([+-]?(?:\d{1,9}\.?\d{0,9}|\.\d{1,9}))\s*\Z")
_CHOICE_HEAD = re.compile(r"\s*\d{1,3}(?:-\d{1,3})?\$\$")
_CHOICE_WEIGHT = re.compile(r"\s*\d{1,6}(?:\.\d{1,6})?::")


@dataclass(eq=False)
class Group:
    """A bracket and what it holds. ``fixed`` is an explicit weight, otherwise ``factor`` multiplies."""

    kind: str
    children: list[str | Group] = field(default_factory=list)
    factor: float = 1.0
    fixed: float | None = None
    depth: int = 0


@dataclass
class Brackets:
    """What was met while reading brackets: the notes become reasons."""

    root: Group
    notes: list[tuple[str, str]] = field(default_factory=list)
    foreign: bool = False

    def note(self, key: str, *quoted: Sequence[str | Group]) -> None:
        """The text of ``quoted``, while it can still be told: quoting every one of 50,000 brackets takes seconds."""
        told = len(self.notes) < MOST_QUOTED
        self.notes.append((key, "\0".join(_flat(children).strip() for children in quoted) if told else ""))


def read_brackets(text: str) -> Brackets:
    """The tree of brackets in ``text``; an unmatched bracket stays a letter."""
    read = Brackets(Group(""))
    stack = [read.root]
    for token in _TOKEN.findall(text):
        if token in FACTORS:
            stack.append(Group(token, depth=len(stack)))
        elif token in CLOSERS and stack[-1].kind == CLOSERS[token]:
            _close(stack, read)
        else:
            stack[-1].children.append(_letter(token, read))
    _leave_open(stack, read)
    return read


def _letter(token: str, read: Brackets) -> str:
    if token not in CLOSERS:
        return token
    read.foreign = True
    read.note("read.unbalanced", [token])
    return f"\\{token}"


def _leave_open(stack: list[Group], read: Brackets) -> None:
    while len(stack) > 1:
        group = stack.pop()
        read.foreign = True
        read.note("read.unbalanced", [group.kind])
        stack[-1].children.append(f"\\{group.kind}")
        stack[-1].children.append(Group("", group.children))


def _close(stack: list[Group], read: Brackets) -> None:
    group = stack.pop()
    stack[-1].children.append(group)
    if group.kind == ROUND:
        _close_round(group)
    elif group.kind == SQUARE:
        _close_square(group, read)
    else:
        _close_curly(group, read)
    read.foreign |= group.kind != ROUND or group.depth > DEEPEST


def _close_round(group: Group) -> None:
    group.factor = FACTORS[ROUND]
    number = _trailing_number(group.children)
    if number is not None:
        group.fixed = number
        del group.children[-2:]


def _trailing_number(children: Sequence[str | Group]) -> float | None:
    if len(children) < 2 or children[-2] != ":" or not isinstance(children[-1], str):
        return None
    found = _NUMBER.match(children[-1])
    return float(found.group(1)) if found else None


def _close_square(group: Group, read: Brackets) -> None:
    alternatives = _split(group.children, "|")
    number = _trailing_number(group.children)
    if len(alternatives) > 1:
        read.note("read.alternating", group.children)
        group.children = _joined(alternatives)
    elif number is not None:
        _schedule(group, number, read)
    else:
        group.factor = FACTORS[SQUARE]
        read.note("read.weakened", group.children)


def _schedule(group: Group, when: float, read: Brackets) -> None:
    parts = _split(group.children[:-2], ":")
    before, after = (parts[0], parts[-1]) if len(parts) > 1 else ([], parts[0])
    # A number above 1 counts steps; half of a usual 25-step run decides which side lasts longer.
    mostly_before = when > (0.5 if when <= 1 else 12)
    kept = before if (mostly_before and _flat(before).strip()) or not _flat(after).strip() else after
    read.note("read.scheduled", group.children, kept)
    group.children = kept


def _close_curly(group: Group, read: Brackets) -> None:
    alternatives = _split(group.children, "|")
    if len(alternatives) == 1:
        group.factor = FACTORS[CURLY]
        read.note("read.strengthened", group.children)
        return
    read.note("read.choice", *alternatives[:20])
    group.children = _without_odds(alternatives[0])


def _without_odds(children: list[str | Group]) -> list[str | Group]:
    """Dynamic-prompt syntax counts ("2$$") and weighs ("0.5::") its alternatives."""
    lead = 0
    while lead < len(children) and isinstance(children[lead], str):
        lead += 1
    text = "".join(str(child) for child in children[:lead])
    text = _CHOICE_WEIGHT.sub("", _CHOICE_HEAD.sub("", text, count=1), count=1)
    return [text, *children[lead:]]


def _split(children: Sequence[str | Group], mark: str) -> list[list[str | Group]]:
    parts: list[list[str | Group]] = [[]]
    for child in children:
        if child == mark:
            parts.append([])
        else:
            parts[-1].append(child)
    return parts


def _joined(parts: Sequence[list[str | Group]]) -> list[str | Group]:
    joined: list[str | Group] = []
    for part in parts:
        joined += [*part, ", "]
    return joined[:-1]


def _flat(children: Sequence[str | Group], limit: int = 80) -> str:
    """The beginning of the text in ``children``; bounded in steps too, as empty brackets hold no text."""
    text = ""
    for steps, (segment, _) in enumerate(_walk(Group("", list(children[:limit])))):
        text += segment
        if len(text) > limit or steps > limit:
            return text[:limit] + "…"
    return text


def segments_of(root: Group, multiply: bool = True) -> list[tuple[str, float]]:
    """Neighbouring text with its weight. Explicit weights multiply what is around them (A1111) or, with
    ``multiply`` False, replace it (ComfyUI's ``token_weights``)."""
    segments: list[tuple[str, float]] = []
    parts: list[str] = []
    current = 1.0
    for text, weight in _walk(root, multiply):
        if not text:
            continue
        if parts and weight != current:
            segments.append(("".join(parts), current))
            parts = []
        current = weight
        parts.append(text)
    if parts:
        segments.append(("".join(parts), current))
    return segments


def _walk(root: Group, multiply: bool = True) -> Iterator[tuple[str, float]]:
    stack: list[tuple[Iterator[str | Group], float]] = [(iter(root.children), 1.0)]
    while stack:
        children, weight = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            yield "", weight
        elif isinstance(child, str):
            yield child, weight
        else:
            stack.append((iter(child.children), _weight(child, weight, multiply)))
            yield "", weight


def _weight(group: Group, outer: float, multiply: bool) -> float:
    if group.fixed is None:  # noqa: SIM108 (one line would hide the two rules)
        weight = outer * group.factor
    else:
        weight = outer * group.fixed if multiply else group.fixed
    return min(max(weight, WEIGHT_RANGE[0]), WEIGHT_RANGE[1])
