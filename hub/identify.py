"""Which models the files on the disk are: by what their headers and sidecars claim, by SHA-256, and by the sum of
their weights alone. Runs in the background; every sum and every answer is kept as it comes, so that a run that
is killed is gone on with and nothing is done twice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ..errors import UserError
from ..offers import Offer, Ref
from ..plan import Kind
from .asking import Asking, Sleep, Stop, Word
from .cards import cards_of
from .checksum import file_autov3, file_sha256, in_threads
from .headers import SAFE_EXTENSIONS
from .proofs import Claims, path_key, same_file
from .registry import Registry
from .remembering import Remembering
from .scan import tell_again
from .walk import Stamp

HASHERS = 2
FIRST_KINDS = frozenset({Kind.LORA, Kind.CHECKPOINT})
OFFICIAL_FRESH_DAYS = 30.0
BUSY_PAUSE_S = 0.05  # after each block while the sampler runs: some 5 MB/s a thread

Progress = Callable[[int, int, str], None]


class Official(Protocol):
    """A file that ComfyUI's own templates name."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def ref(self) -> Ref: ...


@dataclass(frozen=True)
class Report:
    """``hashed`` sums of whole files were computed, ``asked`` questions went to hubs, ``identified`` files got a
    hub's card; ``complete`` is False when it was stopped or a hub could not be asked; ``trouble`` says why."""

    hashed: int = 0
    asked: int = 0
    identified: int = 0
    complete: bool = True
    trouble: tuple[UserError, ...] = ()


@dataclass
class _File:
    """A listed file. ``sha256`` and ``autov3`` are computed; ``listed`` is the sum and the card's digest that the list
    has for it."""

    kind: Kind
    root: str
    name: str
    stamp: Stamp
    sha256: str | None
    autov3: str | None
    claims: Claims
    listed: tuple[str | None, str]

    @property
    def path(self) -> str:
        return os.path.join(self.root, self.name)

    @property
    def digests(self) -> tuple[str, ...]:
        """What it may be known by, the surest first."""
        return tuple(filter(None, (self.sha256 or self.claims.sha256, self.autov3 or self.claims.autov3)))


def identify(
    registry: Registry,
    sources: Mapping[str, Remembering],
    *,
    hubs: Sequence[str] | None = None,
    catalogue: Iterable[Official] = (),
    stop: Stop | None = None,
    busy: Stop | None = None,
    on_progress: Progress | None = None,
    refresh: bool = False,
    sleep: Sleep = time.sleep,
) -> Report:
    """Hash what is not hashed and ask ``hubs`` (all ``sources`` where ``None``) by hash for what is not known;
    files that the ``catalogue`` names are compared with what it names first. ``stop`` is asked between blocks of a
    file; while ``busy`` says so, files are read slowly. ``refresh`` asks anew for everything. Blocks: call it in a
    thread. Trouble with a hub ends the asking, never the hashing."""
    if refresh:
        sources = {name: source.again() for name, source in sources.items()}
    asking = Asking(sources, stop, sleep)
    chosen = [name for name in (sources if hubs is None else hubs) if name in asking]
    official = [each for each in catalogue if each.ref.hub in asking]

    def run() -> Report:
        on, slow = stop or _never, busy or _never
        return _Identification(registry, asking, chosen, official, on, slow, on_progress, refresh, sleep).run()

    return registry.mending(run)


class _Identification:
    def __init__(
        self,
        registry: Registry,
        asking: Asking,
        hubs: Sequence[str],
        catalogue: Iterable[Official],
        stop: Stop,
        busy: Stop,
        on_progress: Progress | None,
        refresh: bool,
        sleep: Sleep,
    ) -> None:
        self.registry, self.proofs, self.asking, self.hubs = registry, registry.proofs, asking, hubs
        self.stop, self.busy, self.sleep, self.on_progress, self.refresh = stop, busy, sleep, on_progress, refresh
        self.official: dict[tuple[Kind, str], list[Ref]] = {}
        for each in catalogue:
            self.official.setdefault((each.kind, each.name.lower()), []).append(each.ref)
        self.cards: set[str] = set()
        self.hashed = self.identified = self.done = self.total = 0
        self.unanswered = False

    def run(self) -> Report:
        files = self._files()
        self.total = len(files)
        for file in files:
            if file.listed != (file.sha256, self._known_by(file)) and not self.stop():
                self._tell(file)  # learned by a run that did not end, or by another process
        if self.hubs:
            self._by_claims(file for file in files if file.sha256 is None)
        self._by_weights(list(self._by_sums(files)))
        complete = not self.stop() and not self.unanswered
        return Report(self.hashed, self.asking.asked, self.identified, complete, tuple(self.asking.trouble.values()))

    def _files(self) -> list[_File]:
        """In the order to read them: those without any sum, LoRAs and checkpoints, small ones."""
        with self.proofs.reading() as reading:
            sums, self.cards = reading.every_sum(), reading.every_digest()
        files = []
        with self.registry.cache.reading() as connection:
            for kind, roots in self.registry.folders.items():
                for root in roots:
                    rows = connection.execute(_LISTED, (kind.value, root)).fetchall()
                    files += [_file(kind, root, row, sums) for row in rows]
        return sorted(files, key=lambda file: (bool(file.claims.sha256), file.kind not in FIRST_KINDS, file.stamp[0]))

    def _by_claims(self, files: Iterable[_File]) -> None:
        """No file is read for these; what they find is no proof yet."""
        for file in files:
            claimed = filter(None, (file.claims.autov3, file.claims.sha256))
            if self.stop() or not (self.refresh or not self._known_by(file)):
                continue
            if any(self._ask(digest) is True for digest in claimed):
                self.identified += 1
                self._tell(file)

    def _by_sums(self, files: Sequence[_File]) -> Iterator[_File]:
        """Identify by SHA-256, computed where it is missing; gives the files that no hub knows by it."""
        for file in files:
            if file.sha256 and not self.stop():
                yield from self._strangers(file)
        unsummed = [file for file in files if not file.sha256]
        for file, sha256 in in_threads(unsummed, self._sum, HASHERS, self.stop):
            if sha256:
                file.sha256 = sha256
                self.hashed += 1
                yield from self._strangers(file)

    def _strangers(self, file: _File) -> Iterator[_File]:
        if self._identify(file) is False:
            yield file
        if file.listed != (file.sha256, self._known_by(file)) or self.refresh:
            self._tell(file)

    def _by_weights(self, strangers: Sequence[_File]) -> None:
        """Copies whose metadata was edited have another SHA-256 and the same weights."""
        readable = [file for file in strangers if os.path.splitext(file.name)[1].lower() in SAFE_EXTENSIONS]
        for file, autov3 in in_threads(readable, self._sum_weights, HASHERS, self.stop):
            file.autov3 = autov3
            if autov3 and (self.refresh or autov3 not in self.cards) and self._ask(autov3):
                self.identified += 1
            if autov3:
                self._tell(file)

    # ----------------------------------------------------------------------- one file

    def _identify(self, file: _File) -> bool | None:
        """Whether a hub knows a file of known SHA-256; ``None`` where none could be asked."""
        self._progress(file)
        sha256 = str(file.sha256)
        known = sha256 in self.cards and not self.refresh
        found = known or self._ask_by_name(file) or self._ask(sha256)
        self.identified += bool(found) and (self.refresh or file.listed[1] != sha256)
        return found

    def _ask_by_name(self, file: _File) -> bool:
        """Whether an official file of this name has this very sum."""
        for ref in self.official.get((file.kind, os.path.basename(file.name).lower()), ()):
            offer = self._asked(ref.hub, partial(_official, ref))
            if isinstance(offer, Offer) and any(each.sha256 == file.sha256 for each in offer.files):
                self._learn(offer, str(file.sha256))
                return True
        return False

    def _ask(self, digest: str) -> bool | None:
        """Whether a hub knows the digest; ``None`` where not every hub could be asked."""
        answers = []
        for hub in self.hubs:
            answer = self._asked(hub, lambda source: source.by_hash(digest))
            if isinstance(answer, Offer):
                self._learn(answer, digest)
                return True
            answers.append(answer)
        return False if answers and Word.UNANSWERED not in answers else None

    def _asked(self, hub: str, question: Callable[[Remembering], Offer | None]) -> Offer | Word:
        answer = self.asking.ask(hub, question)
        self.unanswered |= answer is Word.UNANSWERED
        return answer

    def _learn(self, offer: Offer, digest: str) -> None:
        cards = cards_of(offer, digest)
        self.proofs.keep_cards(cards)
        self.cards |= cards.keys()

    def _known_by(self, file: _File) -> str:
        return next((digest for digest in file.digests if digest in self.cards), "")

    def _tell(self, file: _File) -> None:
        tell_again(self.registry.cache, self.proofs, file.kind, file.root, file.name)

    def _progress(self, file: _File) -> None:
        self.done += 1
        if self.on_progress:
            self.on_progress(self.done, self.total, file.name)

    # ----------------------------------------------------------------------- in the threads that read

    def _sum(self, file: _File, stop: Stop) -> str | None:
        sha256 = file_sha256(file.path, *file.stamp[:2], self._slowed(stop))
        if sha256:
            self.proofs.keep_sum(file.path, file.stamp, sha256)
        return sha256

    def _sum_weights(self, file: _File, stop: Stop) -> str | None:
        autov3 = file.autov3 or file_autov3(file.path, *file.stamp[:2], self._slowed(stop))
        if autov3 and autov3 != file.autov3:
            self.proofs.keep_autov3(file.path, file.stamp, autov3)
        return autov3

    def _slowed(self, stop: Stop) -> Stop:
        def asked() -> bool:
            if self.busy() and not stop():
                self.sleep(BUSY_PAUSE_S)
            return stop()

        return asked


_LISTED = """SELECT name, size, mtime, inode, sha256, claimed, autov3, card FROM files
    WHERE kind = ? AND root = ? AND size > 0"""


def _file(kind: Kind, root: str, row: tuple[Any, ...], sums: Mapping[str, tuple[Any, ...]]) -> _File:
    name, size, mtime, inode, sha256, claimed, autov3, card = row
    stamp = (size, mtime, inode)
    held = sums.get(path_key(os.path.join(root, name)))
    computed, weights = held[3:] if held and same_file(held[:3], stamp) else (None, None)
    return _File(kind, root, name, stamp, computed, weights, Claims(claimed, autov3), (sha256, card))


def _official(ref: Ref, source: Remembering) -> Offer:
    return source.describe(ref, OFFICIAL_FRESH_DAYS)


def _never() -> bool:
    return False
