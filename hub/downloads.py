"""The queue of downloads: a few at a time, kept in a file, so that a restart goes on where it was stopped.

Any number of processes may share the queue; a lock per download, which the system lets go when a process dies,
says who works on it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import BadRequest, UserError
from ..offers import Offer, RemoteFile
from ..plan import Kind
from .checksum import file_sha256
from .download import Download, State, claimed, id_of
from .ledger import Ledger
from .meter import TELL_S, Meter
from .names import free_name, inside, is_pickle, safe_name
from .part_file import size_of
from .transfer import PATIENCE, Job, Patience, Stopped, Transfer
from .web import Web

log = logging.getLogger("intelligent_generation")

ADDING_S = 10.0
WAKE_S = 2.0  # how often one who waits looks whether another process let a download fall

Have = Callable[[str, "int | None"], "tuple[Kind, str] | None"]  # sha256, size → a local copy, as ComfyUI lists it
Arrived = Callable[[Download, str, Offer], None]
Listener = Callable[[Download], None]


class Downloads:
    """The queue in ``folder``. ``have`` finds a local copy of a sum; ``arrived`` is told of each file that was
    put in place; ``busy`` says that a picture is being made; listeners hear every change."""

    def __init__(
        self,
        folder: Path,
        web: Web,
        have: Have,
        arrived: Arrived,
        busy: Callable[[], bool] = lambda: False,
        patience: Patience = PATIENCE,
    ) -> None:
        self.web, self.patience = web, patience
        self.listeners: list[Listener] = []
        self.ledger = Ledger(folder)
        self._locks = folder / "locks"
        self._have, self._arrived, self._busy = have, arrived, busy
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._workers: list[threading.Thread] = []
        self._live: dict[str, Download] = {}
        self._awaited: set[str] = set()
        self._closing = threading.Event()

    # ----------------------------------------------------------------------- what people do

    def add(
        self, offer: Offer, file: RemoteFile, kind: Kind, folder: Path, addresses: Sequence[str], allow_pickle: bool = False
    ) -> Download:
        """Queue a file, or find it queued, fetched or on the disk already. Raises ``BadRequest`` for a name that is
        no model's, a pickle not allowed, or a folder that is not there."""
        queued = self._find(id_of(offer.ref.of_file(file.id), kind))
        if queued and (queued.state in _GOES_ON or (queued.state is State.DONE and queued.target.exists())):
            return self.resume(queued.id)
        name = safe_name(file.name, f"{offer.ref.hub}-{offer.ref.version or 'model'}")
        if is_pickle(name) and not allow_pickle:
            raise BadRequest("download_pickle", name=name)
        if not addresses:
            raise BadRequest("download_no_address", hub=offer.ref.hub, name=name)
        with claimed(self._locks, "adding", patience_s=ADDING_S):
            download = self._made(offer, file, kind, inside(folder, name), tuple(addresses), queued)
            self.ledger.write(download, offer)
        self._tell(download)
        self.wake()
        return download

    def _made(
        self, offer: Offer, file: RemoteFile, kind: Kind, target: Path, addresses: tuple[str, ...], before: Download | None
    ) -> Download:
        ref = offer.ref.of_file(file.id)
        title = f"{offer.title} {offer.version_name}".strip()
        made = Download(id_of(ref, kind), ref, title, kind, str(target.parent), "", addresses, file.size_bytes, file.sha256)
        made = replace(made, created=time.time())
        if before and before.begun and before.state is State.FAILED and before.sha256 == file.sha256:
            return replace(made, name=before.name, begun=True, validator=before.validator)
        reserved = {other.name for other in self.ledger.all() if not other.state.ended and other.folder == made.folder}
        made = replace(made, name=free_name(target.parent, target.name, offer.ref.version[:12], reserved))
        here = self._have(file.sha256, file.size_bytes) if file.sha256 else None
        if here is None:
            return made
        try:
            return replace(made, name=_same_kind(made, *here), state=State.HAVE_IT)
        except UserError as fault:
            return replace(made, state=State.FAILED, error=fault.code, error_values=fault.values)

    def all(self) -> tuple[Download, ...]:
        """Every download, the oldest first, with its progress."""
        return tuple(map(self._alive, self.ledger.all()))

    def get(self, download_id: str) -> Download:
        """One download. Raises ``BadRequest`` when there is none of that id."""
        found = self._find(download_id)
        if found is None:
            raise BadRequest("download_unknown", id=download_id)
        return found

    def pause(self, download_id: str) -> Download:
        """Stop it for now; what was fetched is kept."""
        return self._turn(download_id, State.PAUSED, {State.WAITING, State.RUNNING})

    def resume(self, download_id: str) -> Download:
        """Go on with a paused, failed or cancelled download."""
        turned = self._turn(download_id, State.WAITING, {State.PAUSED, State.FAILED, State.CANCELLED})
        self.wake()
        return turned

    def cancel(self, download_id: str) -> Download:
        """Stop it and delete what was fetched. A file that is complete stays."""
        turned = self._turn(download_id, State.CANCELLED, {State.WAITING, State.RUNNING, State.PAUSED, State.FAILED})
        if turned.state is State.CANCELLED:
            self._drop_part(turned)
        return turned

    def forget(self, download_id: str) -> None:
        """Take an ended download off the list; the file stays."""
        if self.get(download_id).state.over:
            self.ledger.delete(download_id)

    def wait(self, download_id: str, stop: Callable[[], bool], on_progress: Listener) -> Download:
        """Until it is over, paused or failed; told of progress meanwhile. When ``stop`` says so, the download is
        paused and ``Stopped`` raised."""
        self._awaited.add(download_id)
        woken = 0.0
        try:
            while not (download := self.get(download_id)).state.over:
                on_progress(download)
                if time.monotonic() - woken > WAKE_S:
                    self.wake()
                    woken = time.monotonic()
                if stop():
                    self.pause(download_id)
                    raise Stopped
                with self._changed:
                    self._changed.wait(TELL_S)
            on_progress(download)
            return download
        finally:
            self._awaited.discard(download_id)

    def close(self, wait_s: float = 5.0) -> None:
        """Stop the workers; what runs is resumed by the next process that looks at the queue."""
        self._closing.set()
        for worker in list(self._workers):
            worker.join(wait_s)
        self.ledger.close()

    # ----------------------------------------------------------------------- the workers

    def wake(self) -> None:
        """Start workers for what waits, here or since an earlier run."""
        with self._lock:
            self._workers = [worker for worker in self._workers if worker.is_alive()]
            free = self.web.options.parallel - len(self._workers)
            waiting = sum(not download.state.over for download in self.all()) - len(self._workers)
            for _ in range(max(0, min(free, waiting))):
                worker = threading.Thread(target=self._work, name="iig-download", daemon=True)
                self._workers.append(worker)
                worker.start()

    def _work(self) -> None:
        while not self._closing.is_set():
            for candidate in self.all():
                if not candidate.state.over and self._try(candidate):
                    break
            else:
                return

    def _try(self, candidate: Download) -> bool:
        """Run one download unless another worker or process has it; whether it was run."""
        with claimed(self._locks, candidate.target_mark) as ours:
            if not ours or self._find(candidate.id) is None:
                return False
            download = self.ledger.update(candidate.id, _RUNS, state=State.RUNNING, error=None, error_values={})
            if download.state is State.RUNNING:
                self._run(download)
            return download.state is State.RUNNING

    def _run(self, download: Download) -> None:
        try:
            sha256 = self._placed_before(download) or self._transfer(download)
        except Stopped:
            self._stopped(download.id)
        except _Here as here:
            self._end(self.ledger.update(download.id, state=State.HAVE_IT, name=here.name, sha256=here.sha256))
        except UserError as fault:
            log.warning("%s", fault)
            failed = {"state": State.FAILED, "error": fault.code, "error_values": fault.values}
            self._end(self.ledger.update(download.id, {State.RUNNING}, **failed))
        else:
            self._arrive(download, sha256)

    def _placed_before(self, download: Download) -> str | None:
        """The sum of a file that an earlier process had put in place when it died."""
        if download.proven is None or download.part.exists() or not download.target.exists():
            return None
        status = download.target.stat()
        sha256 = file_sha256(str(download.target), status.st_size, status.st_mtime_ns)
        return sha256 if sha256 == download.proven else None

    def _transfer(self, download: Download) -> str:
        if not download.begun and size_of(download.part):
            raise UserError("download_part_foreign", path=str(download.part))
        largest = self.web.options.largest_file_bytes
        job = Job(download.ref.hub, download.addresses, download.target, download.size_bytes, download.sha256, largest)
        meter = Meter(download, lambda: self._is_wanted(download.id), lambda: self._is_slowed(download.id), self._follow)
        return Transfer(
            self.web,
            job,
            download.validator,
            remember=lambda validator: self._remember(download.id, validator),
            accept=lambda sha256, size: self._accept(download, sha256, size),
            stop=meter.should_stop,
            on_progress=meter.progress,
            slow_down=meter.slow_down,
            patience=self.patience,
        ).run()

    def _remember(self, download_id: str, validator: str | None) -> None:
        self.ledger.update(download_id, begun=True, validator=validator)

    def _accept(self, download: Download, sha256: str, size: int) -> None:
        """Called with proven bytes before they get their name: a second copy of a file is not kept."""
        here = self._have(sha256, size)
        if here and not download.target.exists():
            raise _Here(_same_kind(download, *here), sha256)
        self.ledger.update(download.id, proven=sha256)

    def _arrive(self, download: Download, sha256: str) -> None:
        try:
            self._arrived(download, sha256, self.ledger.offer(download.id))
        except UserError as fault:  # the file is whole and in place; the library finds it at its next scan
            log.warning("%s", fault)
        size = size_of(download.target)
        self._end(self.ledger.update(download.id, state=State.DONE, sha256=sha256, size_bytes=size, done_bytes=size))

    def _stopped(self, download_id: str) -> None:
        self._live.pop(download_id, None)
        download = self.get(download_id)
        if download.state is State.RUNNING:  # the process ends: the next one goes on
            download = self.ledger.update(download_id, state=State.WAITING)
        if download.state is State.CANCELLED:
            download.part.unlink(missing_ok=True)
        self._tell(download)

    def _end(self, download: Download) -> None:
        self._live.pop(download.id, None)
        self._tell(download)

    def _drop_part(self, download: Download) -> None:
        """Delete the part of a cancelled download, unless its worker is about to."""
        with claimed(self._locks, download.target_mark) as ours:
            if ours and download.begun:
                download.part.unlink(missing_ok=True)

    # ----------------------------------------------------------------------- what is known

    def _find(self, wanted: str) -> Download | None:
        found = self.ledger.find(wanted)
        return self._alive(found) if found else None

    def _alive(self, download: Download) -> Download:
        """A record with the progress that only this process knows, or that the part file shows."""
        if download.state is State.DONE or download.state is State.HAVE_IT:
            return download
        live = self._live.get(download.id)
        if live is None or download.state.over:
            return replace(download, done_bytes=size_of(download.part) if download.begun else 0)
        return replace(download, done_bytes=live.done_bytes, size_bytes=live.size_bytes, bytes_per_s=live.bytes_per_s)

    def _turn(self, download_id: str, state: State, only_in: set[State]) -> Download:
        turned = self.ledger.update(download_id, only_in, state=state)
        self._tell(turned)
        return turned

    def _is_wanted(self, download_id: str) -> bool:
        return not self._closing.is_set() and self.get(download_id).state is State.RUNNING

    def _is_slowed(self, download_id: str) -> bool:
        """Whether a picture is being made that does not wait for this very download."""
        return download_id not in self._awaited and self._busy()

    def _follow(self, download: Download) -> None:
        self._live[download.id] = download
        self._tell(download)

    def _tell(self, download: Download) -> None:
        with self._changed:
            self._changed.notify_all()
        for listener in self.listeners:
            listener(self._alive(download))


_RUNS = frozenset({State.WAITING, State.RUNNING})
_GOES_ON = _RUNS | {State.PAUSED}


class _Here(Exception):
    """The bytes lie on this disk already, under this name."""

    def __init__(self, name: str, sha256: str) -> None:
        super().__init__(name)
        self.name, self.sha256 = name, sha256


def _same_kind(download: Download, kind: Kind, name: str) -> str:
    """The name of a copy that is there already. Raises ``UserError`` where it lies in another kind's folder."""
    if kind is not download.kind:
        raise UserError("download_have_elsewhere", name=name, folder=kind.value, wanted=download.kind.value)
    return name
