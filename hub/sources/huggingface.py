"""Hugging Face. ``huggingface_hub`` knows the names, the keys and the answers' shapes; the requests themselves take
the pack's own way, because the client follows redirects unvetted, waits without limit for a list, and sleeps through
a hub's call for patience by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from ...errors import BadRequest
from ...offers import Offer, Query, Ref, RemoteFile, Results, Sort
from ...plan import Kind
from ..addresses import origin_of
from ..huggingface_answers import MODEL_ENDINGS, file_url, offer_of, read_info
from ..refusals import Refused

if TYPE_CHECKING:
    from ..web import Web

_HOSTS = ("huggingface.co", "hf.co")
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_REPO = re.compile(rf"{_PART}/{_PART}")
_URN = re.compile(rf"(?:urn:)?air:[a-z0-9_.-]+:[a-z0-9_.-]+:huggingface:(?P<repo>{_PART}/{_PART})(?:@(?P<rev>[\w./-]+))?", re.I)
_PAGE = re.compile(rf"/(?P<repo>{_PART}/{_PART})(?:/(?P<view>tree|blob|resolve|raw)/(?P<rev>[^/]+)(?:/(?P<path>.+?))?)?/?")
_NOT_OWNERS = frozenset({"datasets", "spaces", "api", "docs", "models", "papers", "collections", "blog", "settings", "join"})
_REVISION = re.compile(r"[\w.][\w./+-]{0,199}")
_NO_REPO_ENDINGS = (*MODEL_ENDINGS, ".json", ".txt", ".png", ".zip")
_TAGS = {
    Kind.CHECKPOINT: "text-to-image",
    Kind.DIFFUSION_MODEL: "text-to-image",
    Kind.LORA: "lora",
    Kind.EMBEDDING: "textual_inversion",
    Kind.CONTROLNET: "controlnet",
    Kind.VAE: "vae",
}
_SORTS = {Sort.DOWNLOADS: "downloads", Sort.LIKES: "likes", Sort.NEWEST: "createdAt"}
_FARTHEST = 500  # results one may page to: the hub is asked for all up to the page


class Here:
    """The hub, or the mirror that ``Options.huggingface`` names, over ``web``."""

    name = "huggingface"
    knows_hashes = False

    def __init__(self, web: Web) -> None:
        self._web = web

    @property
    def _endpoint(self) -> str:
        return self._web.options.bases(self.name)[0]

    def read(self, text: str) -> Ref | None:
        """``owner/name``, ``huggingface:owner/name@rev#path``, AIR urns, and addresses of repositories, folders and
        files. A file path that only looks like a repository is none."""
        text = text.strip()
        if len(text) > 2000:
            return None
        if text.startswith(f"{self.name}:"):
            return self._read_ref(text)
        if found := _URN.fullmatch(text):
            return Ref(self.name, found["repo"], found["rev"] or "")
        if _is_repo(text):
            return Ref(self.name, text)
        return read_page(text, self._endpoint)

    def _read_ref(self, text: str) -> Ref | None:
        try:
            ref = Ref.parse(text)
        except BadRequest:
            return None
        return ref if _is_repo(ref.model) else None

    def search(self, query: Query) -> Results:
        """Repositories that fit. The cursor counts the results passed; mature ones are passed but not shown."""
        passed = int(query.cursor) if query.cursor.isdigit() and len(query.cursor) < 6 else 0
        limit = max(1, min(query.limit, 100))
        upto = min(passed + limit, _FARTHEST)
        if query.kinds and not any(kind in _TAGS for kind in query.kinds):
            return Results()
        answer = self._web.json(self.name, f"{self._endpoint}/api/models", _parameters(query, upto + 1))
        if not isinstance(answer, list):
            raise Refused("hub_answer_unreadable", hub=self.name)
        offers = [offer_of(info, self._endpoint) for each in answer[passed:upto] if (info := read_info(each))]
        shown = (offer for offer in offers if query.nsfw or not offer.nsfw)
        more = len(answer) > upto and upto < _FARTHEST
        return Results(tuple(offer for offer in shown if _fits(offer, query)), str(upto) if more else "")

    def describe(self, ref: Ref) -> Offer:
        """The repository at the revision, pinned to its commit; files with their sizes and SHA-256."""
        if not _is_repo(ref.model) or (ref.version and not _REVISION.fullmatch(ref.version)):
            raise BadRequest("ref_unreadable", text=str(ref))
        url = f"{self._endpoint}/api/models/{quote(ref.model)}"
        if ref.version:
            url += f"/revision/{quote(ref.version, safe='')}"
        info = read_info(self._web.json(self.name, url, {"blobs": "true"}))
        if info is None or not _is_repo(info.id):
            raise Refused("hub_answer_unreadable", hub=self.name)
        return offer_of(info, self._endpoint)

    def by_hash(self, digest: str) -> Offer | None:
        """The hub cannot be asked by hash."""
        return None

    def addresses(self, offer: Offer, file: RemoteFile) -> tuple[str, ...]:
        return (file_url(self._endpoint, offer.ref.model, offer.ref.version, file.id),)


def read_page(text: str, endpoint: str) -> Ref | None:
    """What the address of a repository, folder or file on the hub or on ``endpoint`` names."""
    text = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower().removeprefix("www.")
        own = origin_of(text) == origin_of(endpoint)
    except ValueError:
        return None
    found = _PAGE.fullmatch(parts.path)
    if not (own or (parts.scheme in ("http", "https") and host in _HOSTS)) or found is None or not _is_repo(found["repo"]):
        return None
    path = "" if found["view"] == "tree" else unquote(found["path"] or "")
    return Ref("huggingface", found["repo"], unquote(found["rev"] or ""), path)


def _is_repo(text: str) -> bool:
    owner = text.partition("/")[0].lower()
    rules = _REPO.fullmatch(text) and "--" not in text and ".." not in text
    return bool(rules) and owner not in (*_NOT_OWNERS, *_HOSTS) and not text.lower().endswith(_NO_REPO_ENDINGS)


def _fits(offer: Offer, query: Query) -> bool:
    return not query.kinds or offer.kind is None or {offer.kind, *(file.kind for file in offer.files)} & {*query.kinds} != set()


def _parameters(query: Query, limit: int) -> dict[str, Any]:
    """One kind is a tag to filter by; of several the fitting results are picked here, as tags only add up."""
    tags = list(dict.fromkeys(_TAGS[kind] for kind in query.kinds if kind in _TAGS))
    filters = [*(tags if len(tags) == 1 else ()), *((query.tag,) if query.tag else ())]
    filters += [f"base_model:{base}" for base in query.base_models if _is_repo(base)][:1]
    given: dict[str, Any] = {
        "search": query.text.strip(),
        "filter": filters,
        "sort": _SORTS.get(query.sort, ""),
        "limit": limit,
        "full": "true",
        "cardData": "true",
    }
    return {name: value for name, value in given.items() if value}
