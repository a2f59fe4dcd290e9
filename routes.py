"""The pack's REST routes: where they lie, who may ask, what they take. Known to the node layer that serves them, to
clients that call them, and to the test that holds them against ``openapi.json``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

DEFAULT_SERVER = "http://127.0.0.1:8188"  # where ComfyUI listens unless it is told otherwise
PREFIX = "/intelligent_generation"
PLAN_PATH = f"{PREFIX}/plan"
ASSISTED_PATH = f"{PREFIX}/assisted"
REVISE_PATH = f"{ASSISTED_PATH}/revise"
MODELS_PATH = f"{PREFIX}/models"
FAMILY_PATH = f"{PREFIX}/family"
OPENAPI_PATH = f"{PREFIX}/openapi.json"
HUB_PATH = f"{PREFIX}/hub"
FEEDBACK_PATH = f"{PREFIX}/feedback"
RATE_PATH = f"{FEEDBACK_PATH}/rate"
ACT_PATH = f"{FEEDBACK_PATH}/act"
BATCHES_PATH = f"{PREFIX}/batches"
MEMORY_PATH = f"{PREFIX}/memory"
SETTINGS_PATH = f"{PREFIX}/settings"
READING_PATH = f"{PREFIX}/settings/reading"
GUIDE_PATH = f"{PREFIX}/guide"
RETRY_PATH = f"{PREFIX}/memory/retry"
RETRIED = "intelligent_generation.out_of_memory"  # the websocket's message that tells of a second try
GUARD_HEADER = "X-Intelligent-Generation"  # no cross-site form can send it
LANGUAGE = "language"  # every route takes it, in its query


class Access(Enum):
    """Who may ask: whoever ComfyUI answers, for what only reads or plans; for the rest only this computer, and no
    page of another origin. What is sent needs the header that no foreign page can send."""

    READ = "read"
    READ_HERE = "read_here"
    SEND = "send"
    CHANGE_HERE = "change_here"

    @property
    def here(self) -> bool:
        return self in (Access.READ_HERE, Access.CHANGE_HERE)

    @property
    def sends(self) -> bool:
        return self in (Access.SEND, Access.CHANGE_HERE)


@dataclass(frozen=True)
class Route:
    """``act`` is module and function in ``nodes/``; ``takes`` are the names in the query (GET) or in the JSON body
    (POST), ``None`` where the function reads the body itself."""

    method: str
    path: str
    act: str
    access: Access
    takes: tuple[str, ...] | None = ()


def _get(path: str, act: str, *takes: str, access: Access = Access.READ) -> Route:
    return Route("GET", path, act, access, takes)


def _send(path: str, act: str, *takes: str) -> Route:
    return Route("POST", path, act, Access.SEND, takes)


def _post(path: str, act: str, *takes: str) -> Route:
    return Route("POST", path, act, Access.CHANGE_HERE, takes)


_SEARCH = ("text", "hub", "kind", "base_model", "family", "tag", "sort", "period", "nsfw", "limit", "cursor")
_LISTED = ("kind", "search", "family", "only", "nsfw", "sort", "offset", "limit", "look")
_STARS = ("overall", "quality", "accuracy", "aesthetic", "comment", "tags")
_HERE = Access.READ_HERE

ROUTES: tuple[Route, ...] = (
    Route("POST", PLAN_PATH, "routes.plan", Access.SEND, None),
    _send(f"{ASSISTED_PATH}/suggest", "assisted_routes.suggest", "widgets", "linked"),
    _send(REVISE_PATH, "assisted_routes.revise", "plan", "edits"),
    _send(f"{ASSISTED_PATH}/check", "assisted_routes.check", "widgets", "linked", "accepted"),
    _get(MODELS_PATH, "routes.models", "kind", "search"),
    _post(FAMILY_PATH, "routes.family", "kind", "name", "family"),
    _get(OPENAPI_PATH, "routes.openapi"),
    _get(f"{HUB_PATH}/search", "hub_routes.search", *_SEARCH),
    _get(f"{HUB_PATH}/offer", "hub_routes.offer", "ref"),
    _get(f"{HUB_PATH}/preview", "hub_routes.preview", "ref", "kind", "name", "quiet"),
    _get(f"{HUB_PATH}/downloads", "download_routes.downloads", access=_HERE),
    _post(f"{HUB_PATH}/downloads", "download_routes.order", "ref", "file", "kind", "allow_pickle", "confirmed", "sha256"),
    _post(f"{HUB_PATH}/downloads/{{id}}/pause", "download_routes.pause"),
    _post(f"{HUB_PATH}/downloads/{{id}}/resume", "download_routes.resume"),
    _post(f"{HUB_PATH}/downloads/{{id}}/cancel", "download_routes.cancel"),
    _post(f"{HUB_PATH}/downloads/{{id}}/forget", "download_routes.forget"),
    _post(f"{HUB_PATH}/confirm", "download_routes.confirm", "ref", "file", "kind"),
    _get(f"{HUB_PATH}/library", "library_routes.library", *_LISTED),
    _get(f"{HUB_PATH}/place", "library_routes.place", "kind", "name", access=_HERE),
    _get(f"{HUB_PATH}/file", "library_routes.file", "kind", "name", "sha256"),
    _post(f"{HUB_PATH}/files/delete", "library_routes.delete", "kind", "name", "confirmed"),
    _get(f"{HUB_PATH}/recognise", "library_routes.recognition_state", access=_HERE),
    _post(f"{HUB_PATH}/recognise", "library_routes.recognise", "refresh", "updates"),
    _post(f"{HUB_PATH}/recognise/stop", "library_routes.stop_recognition"),
    _get(f"{HUB_PATH}/cache", "settings_routes.cache_sizes"),
    _post(f"{HUB_PATH}/cache/clear", "settings_routes.clear_cache", "kind", "key"),
    _get(f"{HUB_PATH}/settings", "settings_routes.settings", access=_HERE),
    Route("POST", f"{HUB_PATH}/settings", "settings_routes.change_settings", Access.CHANGE_HERE, None),
    _post(f"{HUB_PATH}/token", "settings_routes.set_token", "hub", "token"),
    _get(SETTINGS_PATH, "settings_routes.everything", access=_HERE),
    _get(READING_PATH, "settings_routes.reading_settings", access=_HERE),
    Route("POST", READING_PATH, "settings_routes.change_reading", Access.CHANGE_HERE, None),
    _post(f"{READING_PATH}/try", "settings_routes.try_reading"),
    _get(GUIDE_PATH, "guide_routes.guide"),
    _get(f"{FEEDBACK_PATH}/recent", "feedback_routes.recent", "limit", "before", "show", "search"),
    _get(f"{FEEDBACK_PATH}/generation", "feedback_routes.generation", "id"),
    _get(f"{FEEDBACK_PATH}/insights", "feedback_routes.insights", "about", "session"),
    _get(f"{FEEDBACK_PATH}/plot", "feedback_routes.plot", "name", "session"),
    _get(f"{FEEDBACK_PATH}/export", "feedback_routes.export", access=_HERE),
    _get(f"{FEEDBACK_PATH}/settings", "feedback_routes.settings", access=_HERE),
    Route("POST", f"{FEEDBACK_PATH}/settings", "feedback_routes.change_settings", Access.CHANGE_HERE, None),
    _post(RATE_PATH, "feedback_routes.rate", "id", "generation", *_STARS, "withdraw"),
    _post(ACT_PATH, "feedback_routes.act", "id", "generation", "action", "undone"),
    _post(f"{FEEDBACK_PATH}/pictures", "feedback_routes.pictures", "id", "generation", "pictures"),
    _get(f"{FEEDBACK_PATH}/compare", "feedback_routes.compare", "a", "b"),
    _post(f"{FEEDBACK_PATH}/forget", "feedback_routes.forget", "what", "name", "confirmed"),
    _post(f"{FEEDBACK_PATH}/erase", "feedback_routes.erase", "confirmed"),
    _get(BATCHES_PATH, "batch_routes.batches", "id", "limit"),
    Route("POST", BATCHES_PATH, "batch_routes.order", Access.CHANGE_HERE, None),
    _post(f"{BATCHES_PATH}/resume", "batch_routes.resume", "id", "filename_prefix"),
    _post(f"{BATCHES_PATH}/pick", "batch_routes.pick", "id", "place"),
    _get(MEMORY_PATH, "memory_routes.memory", "verbosity"),
    _post(f"{MEMORY_PATH}/free", "memory_routes.free", "what"),
    _post(f"{MEMORY_PATH}/listen", "memory_routes.listen", "client_id", "seconds"),
    _get(f"{MEMORY_PATH}/settings", "memory_routes.settings"),
    Route("POST", f"{MEMORY_PATH}/settings", "memory_routes.change_settings", Access.CHANGE_HERE, None),
    _get(RETRY_PATH, "overflow.retry", "id"),
    Route("POST", f"{PREFIX}/unfold", "unfold_routes.unfold", Access.SEND, ("generation", "plan", "seed", "linked")),
    Route("POST", f"{PREFIX}/fold", "unfold_routes.fold", Access.SEND, ("generation",)),
)
