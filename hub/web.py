"""The pack's one way to the network: every address vetted, every redirect too, a key only to its own hub,
answers of bounded size, and patience where a hub asks for it."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from ..errors import Unreachable
from .addresses import GuardedAdapter, PrivateAddress, is_listed, origin_of
from .options import Options
from .refusals import NotFound, Refused, refusal
from .tokens import Tokens

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0  # between two pieces of an answer: longer is a stall
LARGEST_ANSWER_BYTES = 32_000_000  # unpacked; a page of a hundred models is under 3 MB
MAX_REDIRECTS = 6
TRIES = 4
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0  # a hub that asks for more is told of instead of waited for
LONGEST_QUIET_S = 86_400.0  # asked again after a day whatever a hub said
PIECE_BYTES = 1 << 16
BUSY = frozenset({429, 503})
PASSING = frozenset({500, 502, 504, 520, 521, 522, 523, 524})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
AGENT = "intelligent-generation (ComfyUI custom nodes)"

Sleep = Callable[[float], None]
Origin = tuple[str, str, int | None]

__all__ = ["NotFound", "Refused", "Web", "pause_asked"]


class Web:
    """Requests to the hubs as ``options`` allow them. Safe for threads: each has a session of its own.

    Every method raises ``Unreachable`` (offline, no connection, a stall), ``NotFound``, or ``Refused`` with the
    cause and its remedy."""

    def __init__(
        self, options: Options, tokens: Tokens, sleep: Sleep = time.sleep, clock: Callable[[], float] = time.time
    ) -> None:
        self.options, self.tokens = options, tokens
        self._sleep, self._clock = sleep, clock
        self._sessions = threading.local()
        self._quiet_until: dict[Origin, float] = {}  # a hub that asked for patience is left alone

    def json(self, hub: str, url: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON at ``url``, asked again where the hub is busy or the connection fails."""
        attempt = 0
        while True:
            try:
                with self.open(hub, url, params=params) as response:
                    return _unpacked(hub, response)
            except (Unreachable, Refused) as fault:  # noqa: PERF203
                pause = pause_after(fault, attempt)
                attempt += 1
                if pause is None or attempt == TRIES:
                    raise
                self._sleep(pause)

    def bytes(self, hub: str, url: str, most: int) -> tuple[bytes, str]:
        """A small file, at most ``most`` bytes of it, and its content type."""
        with self.open(hub, url) as response:
            try:
                held = b"".join(_pieces(response, most, hub))
            except (urllib3.exceptions.HTTPError, OSError) as fault:
                raise Unreachable("hub_unreachable", hub=hub, host=_host(url)) from fault
            return held, response.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def open(
        self, hub: str, url: str, *, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """An open answer of status 200, 206 or 416, its body unread, after every redirect was followed and vetted;
        ``history`` holds the answers that led there, the first first."""
        if self.options.offline:
            raise Unreachable("hub_offline", hub=hub)
        passed: list[requests.Response] = []
        for _ in range(MAX_REDIRECTS):
            response = self._ask(hub, url, params, headers or {})
            if response.status_code not in _REDIRECTS:
                break
            url, params = _joined(response.url, response.headers.get("Location", "")), None
            response.close()
            passed.append(response)
        else:
            raise Refused("hub_redirects", hub=hub)
        response.history = passed
        if response.status_code in (200, 206, 416):
            return response
        with response:
            raise self._refused(hub, response)

    def _ask(self, hub: str, url: str, params: Mapping[str, Any] | None, headers: Mapping[str, str]) -> requests.Response:
        bases = self.options.bases(hub)
        host = _host(url)
        if not is_listed(url, self.options.hosts(hub), self.options.origins(hub)):
            raise Refused("hub_address_not_listed", hub=hub, host=host or "?")
        self._respect_quiet(hub, origin_of(url))
        given = dict(headers)
        token = self.tokens.get(hub)
        if token and any(origin_of(url) == origin_of(base) for base in bases):
            given["Authorization"] = f"Bearer {token}"
        try:
            return self._session().get(
                url,
                params=params,
                headers=given,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            )
        except PrivateAddress as fault:
            raise Refused("hub_address_private", hub=hub, host=host) from fault
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as fault:
            if _is_private(fault):
                raise Refused("hub_address_private", hub=hub, host=host) from fault
            raise Unreachable("hub_unreachable", hub=hub, host=host) from fault
        except ValueError as fault:  # requests reads where a redirect leads even when it is not to follow
            raise Refused("hub_answer_unreadable", hub=hub) from fault

    def _respect_quiet(self, hub: str, origin: Origin) -> None:
        remaining = self._quiet_until.get(origin, 0.0) - self._clock()
        if remaining > 0:
            raise Refused("hub_busy", hub=hub, seconds=int(remaining) + 1).after(remaining)

    def _refused(self, hub: str, response: requests.Response) -> Refused:
        body = b"".join(_pieces(response, PIECE_BYTES, hub, cut=True))
        if response.status_code not in BUSY:
            return refusal(hub, response.status_code, response.headers, body, had_token=self.tokens.get(hub) is not None)
        asked = pause_asked(response.headers, self._clock())
        if asked:
            self._quiet_until[origin_of(response.url)] = self._clock() + asked
        return Refused("hub_busy", hub=hub, seconds=round(asked or FIRST_PAUSE_S)).after(asked or FIRST_PAUSE_S)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = self._sessions.session = requests.Session()
            session.headers["User-Agent"] = AGENT
            session.auth = _no_netrc
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            for scheme in ("http://", "https://"):
                session.mount(scheme, GuardedAdapter())
        return session


def pause_after(fault: Unreachable | Refused, attempt: int, longest_s: float = LONGEST_PAUSE_S) -> float | None:
    """Seconds to wait before asking again, growing and jittered; ``None`` where asking again is no use or the
    hub wants more patience than ``longest_s``."""
    if isinstance(fault, Refused) and not fault.passing:
        return None
    if isinstance(fault, Unreachable) and fault.code != "hub_unreachable":
        return None
    asked = fault.retry_after_s if isinstance(fault, Refused) else None
    if asked is not None and asked > longest_s:
        return None
    grown: float = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S) * random.uniform(0.5, 1.0)
    return max(asked or 0.0, grown)


def pause_asked(headers: Mapping[str, str], now: float) -> float:
    """Seconds that ``Retry-After`` asks for, as a number or as a date; 0 where it says nothing readable."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), LONGEST_QUIET_S)


def _unpacked(hub: str, response: requests.Response) -> Any:
    try:
        return json.loads(b"".join(_pieces(response, LARGEST_ANSWER_BYTES, hub)))
    except (urllib3.exceptions.HTTPError, OSError) as fault:
        raise Unreachable("hub_unreachable", hub=hub, host=_host(response.url)) from fault
    except (ValueError, RecursionError) as fault:
        raise Refused("hub_answer_unreadable", hub=hub) from fault


def _pieces(response: requests.Response, most: int, hub: str, cut: bool = False) -> list[bytes]:
    """The unpacked body, at most ``most`` bytes of it: more is an error, or is ``cut``."""
    pieces, size = [], 0
    for piece in response.raw.stream(PIECE_BYTES, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            response.close()
            if not cut:
                raise Refused("hub_answer_too_large", hub=hub)
            break
    return pieces


def _is_private(fault: BaseException) -> bool:
    seen: BaseException | None = fault
    while seen is not None:
        if isinstance(seen, PrivateAddress) or isinstance(getattr(seen, "reason", None), PrivateAddress):
            return True
        if any(isinstance(part, BaseException) and _is_private(part) for part in seen.args if part is not seen):
            return True
        seen = seen.__cause__
    return False


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keys come from ``Tokens`` alone; requests would otherwise send what it finds in ~/.netrc."""
    return request


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _joined(url: str, location: str) -> str:
    """Where a redirect leads; nowhere that is listed where it is no address."""
    try:
        return urljoin(url, location)
    except ValueError:
        return ""
