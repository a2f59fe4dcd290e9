"""Reading a prompt with a language model on an Ollama server, on top of what the rules read.

Imported late; owns no state: the caller keeps ``Absence`` and hands in the clock. Whatever goes wrong, the rules'
reading is returned with the reason; only what ``interrupted`` raises passes through. The only network address is the
configured one: no proxy, no redirect, no model that runs elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from ..plan import Analysis, Reason
from .ollama_answer import Answer, believe, merge, question, repair, schema, understand

DEFAULT_URL = "http://127.0.0.1:11434"
DEFAULT_PORT = 11434
CONNECT_S = 0.2
LIST_S = 1.0
REMEMBERED_S = 60.0
KEEP_S = 60  # the model stays that long after a reading that was cut off with no word of unloading
UNLOAD_S = 0.5
MOST_ANSWER_CHARACTERS = 20_000
MOST_TOKENS = 1500
# Models that cannot chat, or that would send the prompt to another machine.
UNSUITABLE = ("embed", "minilm", "bge-", "rerank", "-cloud", ":cloud", "ocr", "whisper", "guard")


@dataclass
class Absence:
    """Until when (in the clock's seconds) a server that did not answer is not asked again. Kept by the caller."""

    until_s: float = float("-inf")


class Failed(Exception):
    """A reading that did not come about; ``reason`` says why."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.reason = Reason("reader", key, values)


class OllamaReader:
    """Asks one server. ``model`` ``None`` means the first suitable installed one; ``timeout_s`` bounds the reading of one
    prompt; ``interrupted`` is called between chunks and may raise."""

    def __init__(
        self,
        url: str,
        model: str | None,
        timeout_s: float,
        clock: Callable[[], float],
        interrupted: Callable[[], None],
        absence: Absence | None = None,
    ) -> None:
        self.url, self.model, self.timeout_s = url or DEFAULT_URL, model, timeout_s
        self.clock, self.interrupted = clock, interrupted
        self.absence = absence or Absence()

    def read(self, analysis: Analysis) -> Analysis:
        """``analysis`` with what the model adds, or unchanged but for the reason why not. Raises only what
        ``interrupted`` raises."""
        return self.read_all([analysis])[0]

    def read_all(self, analyses: Sequence[Analysis]) -> tuple[Analysis, ...]:
        """Each read as by ``read``, the model loaded once for all. After the last, and whatever happens, it is told to
        leave the memory: what draws may need it."""
        if not any(analysis.text.strip() for analysis in analyses):
            return tuple(analyses)
        try:
            self._reach()
            model = self._choose_model()
        except Failed as failure:
            return tuple(_with(analysis, failure.reason) for analysis in analyses)
        try:
            return tuple(self._one(analysis, model) for analysis in analyses)
        finally:
            self._unload(model)

    def _one(self, analysis: Analysis, model: str) -> Analysis:
        if not analysis.text.strip():
            return analysis
        try:
            answer, doubts = self._ask(analysis, model, self.clock() + self.timeout_s)
        except Failed as failure:
            return _with(analysis, failure.reason)
        merged = merge(analysis, answer, model)
        return _with(merged, *doubts)

    def _unload(self, model: str) -> None:
        """Ollama's own word for it: an empty request that keeps nothing alive. One that fails leaves it to ``KEEP_S``."""
        try:
            with self._client(UNLOAD_S) as client:
                _guarded(lambda: client.generate(model=model, keep_alive=0))
        except Failed:
            return

    def _reach(self) -> None:
        """Knocks before the client library is even imported, so that an absent server costs next to nothing."""
        import socket

        if self.clock() < self.absence.until_s:
            raise Failed("read.ollama_absent_before", url=_place(self.url))
        try:
            with socket.create_connection(_address(self.url), CONNECT_S):
                pass
        except (OSError, ValueError) as fault:
            self.absence.until_s = self.clock() + REMEMBERED_S
            raise Failed("read.ollama_absent", url=_place(self.url), seconds=int(REMEMBERED_S)) from fault

    def _client(self, timeout_s: float) -> Any:
        try:
            import ollama
        except ImportError as fault:
            raise Failed("read.ollama_missing") from fault
        seconds = max(timeout_s, 0.05)
        return ollama.Client(
            host=self.url, timeout=(CONNECT_S, seconds, seconds, CONNECT_S), trust_env=False, follow_redirects=False
        )

    def models(self) -> tuple[str, ...]:
        """The server's models that can read prompts, asked for now whatever happened before; never empty. Raises
        ``Failed``."""
        self.absence.until_s = float("-inf")
        self._reach()
        return self._suitable()

    def _choose_model(self) -> str:
        return self._suitable()[0] if self.model is None else self.model

    def _suitable(self) -> tuple[str, ...]:
        with self._client(LIST_S) as client:
            installed: list[str] = _guarded(lambda: [str(model.model) for model in client.list().models if model.model])
        suitable = tuple(name for name in installed if not any(part in name.lower() for part in UNSUITABLE))
        if not suitable:
            raise Failed("read.ollama_no_model", url=_place(self.url))
        return suitable

    def _ask(self, analysis: Analysis, model: str, deadline_s: float) -> tuple[Answer, list[Reason]]:
        text = self._chat(model, question(analysis), deadline_s)
        found, faults = understand(text)
        if faults:
            found, faults = understand(self._chat(model, repair(analysis, text, faults), deadline_s))
        if faults:
            raise Failed("read.ollama_wrong", model=model, problem=faults[0])
        return believe(found, analysis)

    def _chat(self, model: str, messages: Sequence[dict[str, str]], deadline_s: float) -> str:
        left_s = deadline_s - self.clock()
        if left_s <= 0:
            raise Failed("read.ollama_slow", seconds=self.timeout_s)
        with self._client(left_s) as client:
            stream = _guarded(
                lambda: client.chat(
                    model=model,
                    messages=messages,
                    stream=True,
                    format=schema(),
                    think=False,
                    options={"temperature": 0, "num_predict": MOST_TOKENS},
                    keep_alive=KEEP_S,
                )
            )
            with closing(stream):
                return "".join(self._chunks(stream, deadline_s))

    def _chunks(self, stream: Iterator[Any], deadline_s: float) -> Iterator[str]:
        length = 0
        while (chunk := _guarded(lambda: next(stream, None))) is not None:
            self.interrupted()
            if self.clock() > deadline_s:
                raise Failed("read.ollama_slow", seconds=self.timeout_s)
            text = chunk.message.content or ""
            length += len(text)
            if length > MOST_ANSWER_CHARACTERS:
                raise Failed("read.ollama_wrong", model=chunk.model or "", problem="endless answer")
            yield text


def _with(analysis: Analysis, *reasons: Reason) -> Analysis:
    return replace(analysis, reasons=(*analysis.reasons, *reasons))


def _place(url: str) -> str:
    """Host and port to show: reasons are saved in pictures, and an address may hold a password."""
    try:
        host, port = _address(url)
    except ValueError:
        return "?"
    return f"{host}:{port}"


def _address(url: str) -> tuple[str, int]:
    """Host and port of a server's URL. Raises ``ValueError`` for anything that is no http address."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(url)
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else DEFAULT_PORT)


def _guarded(act: Callable[[], Any]) -> Any:
    """Every fault the network, the server or its protocol can have becomes ``Failed``."""
    import httpx
    import ollama

    try:
        return act()
    except httpx.TimeoutException as fault:
        raise Failed("read.ollama_slow_server") from fault
    except ollama.ResponseError as fault:
        raise Failed("read.ollama_refused", problem=str(fault.error)[:200]) from fault
    except (httpx.HTTPError, OSError) as fault:
        raise Failed("read.ollama_broken", problem=type(fault).__name__) from fault
    except (json.JSONDecodeError, ValueError, TypeError, AttributeError, KeyError) as fault:
        raise Failed("read.ollama_broken", problem=type(fault).__name__) from fault
