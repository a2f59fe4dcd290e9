"""A source that asks its hub only what is not known yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..errors import BadRequest, Unreachable
from ..offers import Offer, Query, Ref, RemoteFile, Results
from ..values import from_json, to_json
from .answers import DAY_S, Answer, Answers, Asked
from .refusals import NotFound
from .sources import Source

# Days that an answer is taken for the truth. A version does not change; what people say about it does.
FRESH_DAYS = {Asked.HASH: 90.0, Asked.VERSION: 1.0, Asked.MODEL: 1.0, Asked.SEARCH: 1.0}
NOT_FOUND_DAYS = 30.0

T = TypeVar("T", Offer, Results)
Question = Query | Ref | str


class Remembering:
    """``source`` behind its ``answers``; follows ``Source``. Answers given before ``since`` (seconds since 1970) count
    as old. Where the hub cannot be reached, what is stored is told whatever its age. ``asked`` counts the
    questions that went to the hub."""

    def __init__(self, source: Source, answers: Answers, since: float = 0.0, silent: bool = False) -> None:
        self.source, self.answers = source, answers
        self.name, self.knows_hashes = source.name, source.knows_hashes
        self.asked = 0
        self._since, self._silent = since, silent

    def again(self) -> Remembering:
        """The same source for a refresh: what was answered before now is asked again."""
        return Remembering(self.source, self.answers, self.answers.clock())

    def silent(self) -> Remembering:
        """The same source for when there is no network: only what is stored, whatever its age."""
        return Remembering(self.source, self.answers, silent=True)

    @property
    def is_silent(self) -> bool:
        return self._silent

    def read(self, text: str) -> Ref | None:
        return self.source.read(text)

    def addresses(self, offer: Offer, file: RemoteFile) -> tuple[str, ...]:
        return self.source.addresses(offer, file)

    def search(self, query: Query) -> Results:
        found = self._told(query, Results, lambda: self.source.search(query))
        return found or Results()

    def describe(self, ref: Ref, fresh_days: float | None = None) -> Offer:
        """As ``Source`` has it; ``fresh_days`` for questions that need no newer answer."""
        found = self._told(ref, Offer, lambda: self.source.describe(ref), fresh_days)
        if found is None:
            raise NotFound("hub_not_found", hub=self.name, status=404, said="–")
        return found

    def by_hash(self, digest: str) -> Offer | None:
        return self._told(digest.lower(), Offer, lambda: self.source.by_hash(digest.lower()))

    def age_s(self, question: Question) -> float | None:
        """Seconds since the hub answered this; ``None`` where nothing is stored."""
        stored = self.answers.get(self.name, *_place(question))
        return self.answers.clock() - stored.asked if stored else None

    def _told(
        self, question: Question, noun: type[T], ask: Callable[[], T | None], fresh_days: float | None = None
    ) -> T | None:
        kind, key = _place(question)
        stored = self.answers.get(self.name, kind, key)
        held = _read(noun, stored)
        readable = stored is not None and (held is not None or stored.text is None)
        if stored and readable and (self._silent or self._fresh(kind, stored, fresh_days)):
            return held
        try:
            return self._asked(kind, key, ask)
        except Unreachable:
            if not readable:
                raise
            return held

    def _asked(self, kind: Asked, key: str, ask: Callable[[], T | None]) -> T | None:
        if self._silent:
            raise Unreachable("hub_offline", hub=self.name)
        self.asked += 1
        try:
            answer = ask()
        except NotFound:
            answer = None
        self.answers.put(self.name, kind, key, to_json(answer) if answer is not None else None)
        return answer

    def _fresh(self, kind: Asked, stored: Answer, fresh_days: float | None) -> bool:
        days = NOT_FOUND_DAYS if stored.text is None else fresh_days or FRESH_DAYS[kind]
        return stored.asked >= self._since and self.answers.clock() - stored.asked < days * DAY_S


def _place(question: Question) -> tuple[Asked, str]:
    if isinstance(question, Query):
        return Asked.SEARCH, to_json(question)
    if isinstance(question, Ref):
        return (Asked.VERSION if question.version else Asked.MODEL), str(question)
    return Asked.HASH, question


def _read(noun: type[T], stored: Answer | None) -> T | None:
    """The answer, unless an earlier version of this pack wrote it otherwise."""
    try:
        return from_json(noun, stored.text) if stored and stored.text is not None else None
    except BadRequest:
        return None
