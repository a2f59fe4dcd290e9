"""A model file for a node: the one that is here, else a download that the person has confirmed."""

from __future__ import annotations

from ..errors import BadRequest
from ..hub.download import Download, State
from ..hub.transfer import Stopped
from ..intelligence.choose_file import is_pickle
from ..model_card import said
from ..plan import Kind, ModelFile
from ..shop import Choice, choose, copy_by_bytes, local_copy, order
from . import host
from .desk import desk, machine
from .shelf import shelf
from .shown import choice_shown, offer_shown

MB = 1_000_000
_UNFINISHED = {State.PAUSED: "download_paused", State.CANCELLED: "download_cancelled"}


def model_file(source: str, kind: Kind | None, file: str, node_id: str) -> ModelFile:
    """The local file that ``source`` means, fetched where it is not here and the person allowed it; ``node_id`` is the
    node that shows the progress. Blocks. Raises ``BadRequest`` for a download that nobody confirmed, a pickle, or one
    that was paused or cancelled, and what hubs and transfers raise; ComfyUI's interruption pauses the download."""
    shelf().library()  # a look at the disk: what is gone must not be named
    local = local_copy(desk(), source, machine(), kind, file)
    if local is not None:
        return local
    choice = choose(desk(), source, machine(), kind, file)
    local = copy_by_bytes(desk(), choice)
    if local is not None:
        return local
    _refuse_unasked(choice)
    return _arrived(_followed(order(desk(), choice), node_id))


def state_of(source: str, kind: Kind | None, file: str) -> str:
    """What a cached answer for ``source`` must not outlive: the file itself."""
    shelf().library()
    local = local_copy(desk(), source, machine(), kind, file)
    return f"{local.kind.value}/{local.name} {local.size_bytes} {local.mtime_ns}" if local else "absent"


def _refuse_unasked(choice: Choice) -> None:
    """A workflow may not download by itself, and may never ask for a pickle."""
    if is_pickle(choice.file):
        raise BadRequest("download_pickle", name=choice.name)
    if not desk().is_allowed(choice.ref):
        told = {**offer_shown(choice.offer), "file": choice_shown(choice, host.language("auto"))}
        host.send("confirm", told)
        raise BadRequest("download_not_confirmed", name=choice.name, ref=str(choice.ref))


def _followed(download: Download, node_id: str) -> Download:
    """The download when it is over, its progress shown on the node. An interruption pauses it."""
    shown = _Progress(node_id)
    try:
        return desk().downloads.wait(download.id, host.is_interrupted, shown)
    except Stopped:
        host.stop_if_interrupted()
        raise BadRequest("download_paused", name=download.name) from None
    except BaseException:  # ComfyUI's progress bar raises its interruption itself, of either base class
        desk().downloads.pause(download.id)
        raise


class _Progress:
    """Shows a download on its node, in megabytes."""

    def __init__(self, node_id: str) -> None:
        self._node_id, self._language = node_id, host.language("auto")
        self._bar = host.progress_bar(1)

    def __call__(self, download: Download) -> None:
        done, total = download.done_bytes // MB, (download.size_bytes or 0) // MB
        values = {"name": download.name, "done": done, "total": total, "speed": f"{download.bytes_per_s / MB:.1f}"}
        key = "progress_waiting" if download.state is State.WAITING else "progress" if total else "progress_unsized"
        host.progress_text(self._node_id, "" if download.state.over else said(key, self._language, **values))
        if not host.is_interrupted():  # then the wait is about to end, and pauses the download first
            self._bar(done, max(total, done, 1))


def _arrived(download: Download) -> ModelFile:
    if download.fault is not None:
        raise download.fault
    if download.state in _UNFINISHED:
        raise BadRequest(_UNFINISHED[download.state], name=download.name)
    name = download.name
    if download.state is State.DONE and (place := desk().registry.root_and_name(download.kind, download.target)):
        name = place[1]
    found = shelf().library().find(download.kind, name)
    if found is None:
        raise BadRequest("file_not_listed", name=name)
    return found
