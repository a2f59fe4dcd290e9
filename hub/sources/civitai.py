"""CivitAI, through its public REST API v1."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from ...errors import BadRequest
from ...offers import Offer, Period, Query, Ref, RemoteFile, Results, Sort
from ...plan import Kind
from ..addresses import origin_of
from ..civitai_answers import by_file_id, offer_of, offers_in, versions_in
from ..fields import mapping_of, text_of, whole_of
from ..refusals import NotFound, Refused

if TYPE_CHECKING:
    from ..web import Web

T = TypeVar("T")

UNKNOWN_MODEL = "0"  # in a reference whose text named a version alone
_HOSTS = ("civitai.com", "civitai.red", "civitai.green")
_URN = re.compile(
    r"(?:urn:)?air:[a-z0-9_.-]+:[a-z0-9_.-]+:civitai:(?P<model>\d+)(?:@(?P<version>\d+))?(?::[^.]*)?(?:\.\w+)?",
    re.IGNORECASE,
)
_SHORT = re.compile(r"civitai:(?P<model>\d+)(?:@(?P<version>\d+))?(?:#(?P<file>\d+))?", re.IGNORECASE)
_MODEL_PAGE = re.compile(r"/(?:[a-z]{2}(?:-[a-z]{2})?/)?(?:api/v1/)?models/(\d+)(?:/.*)?", re.IGNORECASE)
_VERSION_PAGE = re.compile(r"/(?:api/v1/model-versions|api/download/models|model-versions)/(\d+)/?")
_DIGEST = re.compile(r"[0-9A-Fa-f]{64}|[0-9A-Fa-f]{10}|[0-9A-Fa-f]{12}")
_TYPES = {
    Kind.CHECKPOINT: ("Checkpoint",),
    Kind.DIFFUSION_MODEL: ("Checkpoint",),
    Kind.LORA: ("LORA", "LoCon", "DoRA"),
    Kind.EMBEDDING: ("TextualInversion",),
    Kind.CONTROLNET: ("Controlnet",),
    Kind.VAE: ("VAE",),
    Kind.UPSCALER: ("Upscaler",),
}
_SORTS = {Sort.DOWNLOADS: "Most Downloaded", Sort.LIKES: "Highest Rated", Sort.NEWEST: "Newest"}
_PERIODS = {Period.DAY: "Day", Period.WEEK: "Week", Period.MONTH: "Month", Period.YEAR: "Year", Period.ALL: "AllTime"}
_MOST_ASKED = 100  # the hub's own limit for a page


class Here:
    """CivitAI over ``web``, at whichever of its configured addresses knows the answer."""

    name = "civitai"
    knows_hashes = True

    def __init__(self, web: Web) -> None:
        self._web = web

    def read(self, text: str) -> Ref | None:
        """AIR urns, ``civitai:257749@290640``, and the addresses of model pages and downloads."""
        text = text.strip()
        if len(text) > 2000:
            return None
        if found := _URN.fullmatch(text) or _SHORT.fullmatch(text):
            return Ref(self.name, **{part: number or "" for part, number in found.groupdict().items()})
        return self._read_address(text)

    def _read_address(self, text: str) -> Ref | None:
        try:
            parts = urlsplit(text if "://" in text else f"https://{text}")
            host = (parts.hostname or "").lower().removeprefix("www.")
        except ValueError:
            return None
        own = {urlsplit(base).hostname for base in self._web.options.bases(self.name)}
        if parts.scheme not in ("http", "https") or host not in own | set(_HOSTS):
            return None
        asked = {name: values[0] for name, values in parse_qs(parts.query).items() if values[0].isdigit()}
        if found := _VERSION_PAGE.fullmatch(parts.path):
            return Ref(self.name, UNKNOWN_MODEL, found[1], asked.get("fileId", ""))
        if found := _MODEL_PAGE.fullmatch(parts.path):
            return Ref(self.name, found[1], asked.get("modelVersionId", ""))
        return None

    def search(self, query: Query) -> Results:
        """Models that fit. Where the first address finds none, the next is asked; a cursor stays at its address."""
        bases = self._web.options.bases(self.name)
        number, _, cursor = query.cursor.partition(" ")
        first = int(number) if number.isdigit() and int(number) < len(bases) else 0
        kinds = [_TYPES.get(kind, ()) for kind in query.kinds]
        if kinds and not any(kinds):
            return Results()
        found = Results()
        for index in range(first, first + 1 if cursor else len(bases)):
            found = self._page(query, index, bases[index], cursor)
            if found.offers or found.cursor:
                break
        return found

    def _page(self, query: Query, index: int, base: str, cursor: str) -> Results:
        answer = self._mapping(f"{base}/api/v1/models", _parameters(query, cursor))
        offers = tuple(offers_in(answer, base, _now(), query.base_models))
        shown = tuple(offer for offer in offers if query.nsfw or not offer.nsfw)
        following = mapping_of(answer.get("metadata")).get("nextCursor")
        following = str(following) if isinstance(following, int) else text_of(following)
        return Results(shown, f"{index} {following}" if following else "")

    def describe(self, ref: Ref) -> Offer:
        """The version with all that its model's page says; a version that the page does not list (any more) by its
        own answer."""
        if not ref.model.isdigit() or not (ref.version or "0").isdigit():
            raise BadRequest("ref_unreadable", text=str(ref))
        if ref.model != UNKNOWN_MODEL:
            return self._anywhere(lambda base: self._of_model(base, ref.model, ref.version))
        told = self._anywhere(lambda base: self._of_version(base, f"/{ref.version}"))
        try:
            return self.describe(told.ref) if told.ref.model != UNKNOWN_MODEL else told
        except NotFound:
            return told

    def by_hash(self, digest: str) -> Offer | None:
        """One request an address, so with the little that a version's answer says of its model; ``describe`` has more."""
        if not _DIGEST.fullmatch(digest):
            raise BadRequest("digest_unreadable", digest=digest[:80])
        try:
            return self._anywhere(lambda base: self._of_version(base, f"/by-hash/{digest.upper()}"))
        except NotFound:
            return None

    def addresses(self, offer: Offer, file: RemoteFile) -> tuple[str, ...]:
        """The address the hub gave, then the same file by its number. Raises ``Refused`` where the author allows no
        download, or where the address is of another site."""
        if offer.licence.get("usage"):
            raise Refused("hub_no_download", hub=self.name, name=offer.title)
        bases = self._web.options.bases(self.name)
        base = next((each for each in bases if origin_of(file.url) == origin_of(each)), None)
        if base is None:
            raise Refused("hub_address_not_listed", hub=self.name, host=urlsplit(file.url).hostname or "?")
        return tuple(dict.fromkeys((file.url, by_file_id(base, offer.ref.version, file.id))))

    def _of_model(self, base: str, model_id: str, version_id: str) -> Offer:
        model = self._mapping(f"{base}/api/v1/models/{model_id}")
        listed = versions_in(model)
        version = next((each for each in listed if version_id in ("", str(whole_of(each["id"])))), None)
        if version is not None:
            return offer_of(version, model, base, _now())
        if not version_id:
            raise NotFound("hub_not_found", hub=self.name)
        return self._of_version(base, f"/{version_id}")

    def _of_version(self, base: str, path: str) -> Offer:
        version = self._mapping(f"{base}/api/v1/model-versions{path}")
        if not whole_of(version.get("id")):
            raise Refused("hub_answer_unreadable", hub=self.name)
        return offer_of(version, mapping_of(version.get("model")), base, _now())

    def _mapping(self, url: str, parameters: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        answer = self._web.json(self.name, url, parameters)
        if not isinstance(answer, dict):
            raise Refused("hub_answer_unreadable", hub=self.name)
        return answer

    def _anywhere(self, ask: Callable[[str], T]) -> T:
        """The answer of the first address that knows one: since 2026 some models are on one of them only."""
        missing = NotFound("hub_not_found", hub=self.name)
        for base in self._web.options.bases(self.name):
            try:
                return ask(base)
            except NotFound as fault:  # noqa: PERF203
                missing = fault
        raise missing


def _parameters(query: Query, cursor: str) -> dict[str, Any]:
    types = tuple(dict.fromkeys(name for kind in query.kinds for name in _TYPES.get(kind, ())))
    given: dict[str, Any] = {
        "limit": max(1, min(query.limit, _MOST_ASKED)),
        "nsfw": "true" if query.nsfw else "false",
        "query": query.text.strip(),
        "types": types,
        "baseModels": query.base_models,
        "tag": query.tag,
        "sort": _SORTS.get(query.sort, ""),
        "period": _PERIODS[query.period] if query.period is not Period.ALL else "",
        "cursor": cursor,
    }
    return {name: value for name, value in given.items() if value}


def _now() -> datetime:
    return datetime.now(timezone.utc)
