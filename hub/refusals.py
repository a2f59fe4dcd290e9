"""Why a hub said no, told apart, each with its remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from ..errors import UserError

# What the hubs write into refusals; searched without case in the body.
_EARLY_ACCESS = re.compile(r"early[\s_-]?access|purchase|buzz", re.IGNORECASE)
_REGION = re.compile(r"\bregion\b|your country|not available in your|geo[- ]?block|legal reasons", re.IGNORECASE)
_GATED = re.compile(r"gated|accept (the |its )?(conditions|terms|licen[cs]e)|authorized list|request access", re.IGNORECASE)
_EXPIRED = re.compile(r"expired|invalid (user )?(token|credentials|api key|username)|revoked", re.IGNORECASE)
_PASSING = frozenset({"hub_busy", "hub_failing"})


class Refused(UserError):
    """A hub refused, or answered what cannot be used."""

    retry_after_s: float | None = None

    def after(self, seconds: float) -> Refused:
        """The same refusal, with the seconds after which asking again makes sense."""
        self.retry_after_s = seconds
        return self

    @property
    def passing(self) -> bool:
        """Whether asking again later may help."""
        return self.code in _PASSING

    def in_language(self, language: str) -> Refused:
        told = type(self)(self.code, language, **self.values)
        told.retry_after_s = self.retry_after_s
        return told


class NotFound(Refused):
    """The hub does not know what was asked for."""


def refusal(hub: str, status: int, headers: Mapping[str, str], body: bytes, had_token: bool) -> Refused:
    """The error for a status and what came with it. Hugging Face names its causes in ``X-Error-Code``
    (huggingface_hub/utils/_http.py ``hf_raise_for_status``); CivitAI writes a sentence."""
    said = _sentence(headers, body)
    code = _code(status, headers.get("X-Error-Code", ""), said, had_token)
    kind = NotFound if code in ("hub_not_found", "hub_repo_hidden") else Refused
    return kind(code, hub=hub, status=status, said=said[:300] or "–")


def _code(status: int, named: str, said: str, had_token: bool) -> str:
    if status == 451 or (status == 403 and _REGION.search(said)):
        return "hub_region"
    if named == "GatedRepo":
        return "hub_gated" if had_token else "hub_gated_no_token"
    if status in (401, 403):
        return _unauthorised(status, named, said, had_token)
    if status in (404, 410):
        return "hub_not_found"
    return "hub_failing" if status >= 500 else "hub_refused"


def _unauthorised(status: int, named: str, said: str, had_token: bool) -> str:
    if _EARLY_ACCESS.search(said):
        return "hub_early_access"
    if _GATED.search(said):
        return "hub_gated" if had_token else "hub_gated_no_token"
    if named == "RepoNotFound":  # Hugging Face hides private repositories from strangers behind 401
        return "hub_repo_hidden"
    if not had_token:
        return "hub_token_missing"
    if _EXPIRED.search(said) or status == 401:
        return "hub_token_rejected"
    return "hub_forbidden"


def _sentence(headers: Mapping[str, str], body: bytes) -> str:
    """What the refusal says of itself: a header of Hugging Face's, a JSON message, or plain text."""
    if told := headers.get("X-Error-Message"):
        return told
    text = body.decode("utf-8", "replace").strip()
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return "" if text.startswith("<") else text
    if isinstance(held, dict):
        parts = (held.get(name) for name in ("error", "message", "detail"))
        return ": ".join(part for part in parts if isinstance(part, str))
    return ""
