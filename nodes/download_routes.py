"""REST routes of downloads: the person's word for a file, the queue, and what to do with one of it."""

from __future__ import annotations

from typing import Any

from ..errors import BadRequest
from ..hub.desk import kinds_of
from ..plan import Kind
from ..shop import Choice, choose
from ..shop import order as order_file
from .answering import Asked
from .desk import desk, machine
from .shown import choice_shown, download_shown


def downloads(asked: Asked) -> dict[str, Any]:
    """All downloads, the oldest first; those that another process left unfinished go on."""
    queue = desk().downloads
    queue.wake()
    return {"downloads": [download.told(asked.language) for download in queue.all()]}


def order(asked: Asked) -> dict[str, Any]:
    """Queue a file that the person confirmed; with ``sha256`` only while the hub still offers those bytes."""
    asked.confirmed()
    expected = asked.text("sha256", "").strip().lower()
    choice = _chosen(asked, refresh=bool(expected))
    if expected and choice.file.sha256 != expected:
        raise BadRequest("download_other_bytes", name=choice.name, found=choice.file.sha256 or "–", expected=expected[:64])
    download = order_file(desk(), choice, asked.flag("allow_pickle"))
    desk().downloads.ledger.consent(choice.ref)
    return download_shown(download, asked.language)


def confirm(asked: Asked) -> dict[str, Any]:
    """Note that the person wants this very file, so that a workflow may fetch it."""
    choice = _chosen(asked)
    desk().downloads.ledger.consent(choice.ref)
    return {"confirmed": choice_shown(choice, asked.language)}


def _chosen(asked: Asked, refresh: bool = False) -> Choice:
    text, file = asked.text("ref"), asked.text("file", "")
    if refresh:
        desk().describe(desk().ref(text), refresh=True)
    return choose(desk(), text, machine(), _kind(asked.text("kind", "")), file)


def _kind(text: str) -> Kind | None:
    return next(iter(kinds_of([text])), None)


def pause(asked: Asked) -> dict[str, Any]:
    return download_shown(desk().downloads.pause(asked.id), asked.language)


def resume(asked: Asked) -> dict[str, Any]:
    return download_shown(desk().downloads.resume(asked.id), asked.language)


def cancel(asked: Asked) -> dict[str, Any]:
    return download_shown(desk().downloads.cancel(asked.id), asked.language)


def forget(asked: Asked) -> dict[str, Any]:
    """Take a download off the list; one that still runs must be paused or cancelled first."""
    download = desk().downloads.get(asked.id)
    if not download.state.over:
        raise BadRequest("download_not_over", name=download.name)
    desk().downloads.forget(asked.id)
    return {"forgotten": asked.id}
