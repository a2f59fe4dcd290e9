"""Everything about hubs over one data folder and one registry of local files."""

from __future__ import annotations

import fnmatch
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import BadRequest, UserError
from ..offers import Offer, Query, Ref, RemoteFile, Results
from ..plan import Kind, ModelFile
from .answers import Answers
from .checksum import file_sha256
from .download import Download
from .downloads import Downloads
from .identify import Progress, Report, identify
from .names import safe_name
from .newer import Updates, find_newer
from .options import Options, change_options, read_options
from .previews import Previews
from .registry import Registry
from .remembering import Remembering
from .sources import open_sources
from .sources.templates import catalogue
from .tokens import Tokens
from .transfer import PATIENCE, Patience
from .web import Web


class Desk:
    """Where hubs are asked and downloads ordered. ``folder`` is the pack's data folder; ``busy`` says that a picture
    is being made. Making one touches neither the disk nor the network."""

    def __init__(
        self,
        folder: Path,
        registry: Registry,
        environ: Mapping[str, str] = os.environ,
        busy: Callable[[], bool] = lambda: False,
        patience: Patience = PATIENCE,
    ) -> None:
        self.folder, self.registry, self.busy = folder, registry, busy
        self._environ = environ
        self.tokens = Tokens(folder, environ)
        self.web = Web(read_options(folder, environ), self.tokens)
        self.answers = Answers(folder / "answers.sqlite", self.options.cache_bytes, self.options.cache_days)
        self.previews = Previews(self.answers, self.web)
        self.sources = {name: Remembering(source, self.answers) for name, source in open_sources(self.web).items()}
        self.downloads = Downloads(folder, self.web, self.have, self._arrived, busy, patience)
        self._recognising = threading.Lock()
        self._arrivals: list[Callable[[Download], None]] = []

    @property
    def options(self) -> Options:
        return self.web.options

    def change_options(self, changes: Mapping[str, Any]) -> Options:
        """Keep changed settings and follow them from now on. Raises ``BadRequest``; then nothing changes."""
        change_options(self.folder, changes)
        self.web.options = read_options(self.folder, self._environ)
        self.answers.cache_bytes, self.answers.cache_days = self.options.cache_bytes, self.options.cache_days
        return self.options

    # ----------------------------------------------------------------------- asking

    def read(self, text: str) -> Ref | None:
        """The model that ``text`` names in any source's ways: a page address, an AIR urn, a repository, a reference."""
        found = (source.read(text) for source in self.sources.values())
        return next((ref for ref in found if ref is not None), None)

    def ref(self, text: str) -> Ref:
        """As ``read``. Raises ``BadRequest`` where it names nothing."""
        found = self.read(text)
        if found is None:
            raise BadRequest("ref_unreadable", text=text[:200])
        return found

    def source(self, hub: str) -> Remembering:
        """A source by name. Raises ``BadRequest``."""
        if hub not in self.sources:
            raise BadRequest("unknown_hub", hub=hub, known=", ".join(self.sources))
        return self.sources[hub]

    def search(self, query: Query, hub: str) -> Results:
        return self.source(hub).search(query)

    def describe(self, ref: Ref, refresh: bool = False) -> Offer:
        """What the hub says of ``ref``; ``refresh`` asks even where the answer is known."""
        source = self.source(ref.hub)
        return (source.again() if refresh else source).describe(ref.of_version)

    def by_hash(self, digest: str) -> Offer | None:
        """The offer that holds a file of this hash, from the first source that knows it. Trouble with one source is
        raised only where no other knows."""
        trouble: UserError | None = None
        for source in filter(_knows_hashes, self.sources.values()):
            try:
                if found := source.by_hash(digest):
                    return found
            except UserError as fault:  # noqa: PERF203 - a handful of sources
                trouble = fault
        if trouble:
            raise trouble
        return None

    def recognise(
        self, stop: Callable[[], bool], on_progress: Progress | None = None, refresh: bool = False, online: bool = True
    ) -> Report:
        """Hash and look up local files, one run at a time. Blocks: call it in a thread."""
        with self._recognising:
            sources = self.sources if online else {name: source.silent() for name, source in self.sources.items()}
            return identify(
                self.registry,
                sources,
                hubs=[name for name, source in sources.items() if source.knows_hashes],
                catalogue=catalogue(),
                stop=stop,
                busy=self.busy,
                on_progress=on_progress,
                refresh=refresh,
            )

    def find_newer(self, stop: Callable[[], bool], on_progress: Progress | None = None) -> Updates:
        """Ask the hubs, one question a model, for newer versions of what is here. Blocks."""
        return find_newer(self.registry, self.sources, stop=stop, on_progress=on_progress)

    # ----------------------------------------------------------------------- downloads

    def order(self, offer: Offer, file: RemoteFile, kind: Kind, allow_pickle: bool = False) -> Download:
        """Queue a file for the folder of its kind. Whoever calls this has the person's word for it (see ``allowed``)."""
        addresses = self.source(offer.ref.hub).addresses(offer, file)
        return self.downloads.add(offer, file, kind, self.target_folder(kind), addresses, allow_pickle)

    def is_allowed(self, ref: Ref) -> bool:
        """Whether a workflow may download this very file: the person confirmed it, or the operator listed it."""
        return self.downloads.ledger.has_consent(ref) or any(
            fnmatch.fnmatchcase(str(ref), pattern) or fnmatch.fnmatchcase(str(ref.of_version), pattern)
            for pattern in self.options.allowed
        )

    def target_folder(self, kind: Kind) -> Path:
        """Where new files of a kind go: ComfyUI's first folder for it, of the modern name where there are two. Made when
        it is missing below a models folder that is there."""
        roots = [Path(root) for root in self.registry.folders.get(kind, ())]
        chosen = next((root for root in roots if root.name == kind.value), roots[0] if roots else None)
        if chosen is None:
            raise BadRequest("download_no_folder", kind=kind.value)
        if not chosen.is_dir() and chosen.parent.is_dir():
            chosen.mkdir(exist_ok=True)
        if not chosen.is_dir():
            raise BadRequest("download_no_folder", kind=kind.value)
        return chosen

    def disk_free_bytes(self, kind: Kind) -> int | None:
        """What is free where files of a kind go; ``None`` where that cannot be told."""
        try:
            return shutil.disk_usage(self.target_folder(kind)).free
        except (OSError, UserError):
            return None

    def delete(self, file: ModelFile) -> Path:
        """Delete a model file that a person asked to be rid of. Raises ``BadRequest`` where it is no longer there."""
        path = self.registry.path_of(file)
        if path is None:
            raise BadRequest("file_not_listed", name=file.name)
        path.unlink()
        self.registry.scan()
        return path

    def on_arrival(self, hear: Callable[[Download], None]) -> None:
        """Tell ``hear`` of every file that was put in place and is in the library."""
        self._arrivals.append(hear)

    def close(self) -> None:
        self.downloads.close()
        self.answers.close()
        self.registry.close()

    def have(self, sha256: str, size_bytes: int | None) -> tuple[Kind, str] | None:
        """A local file of these bytes, as ComfyUI lists it. Files of the same size that nobody hashed yet are hashed now."""
        known = self.registry.by_sha256(sha256)
        file = (
            next((file for file in known if file.usable), None) or next(iter(known), None) or self._unhashed(sha256, size_bytes)
        )
        return (file.kind, file.name) if file else None

    def _unhashed(self, sha256: str, size_bytes: int | None) -> ModelFile | None:
        same_size = (file for file in self.registry.library().files if file.size_bytes == size_bytes and not file.sha256)
        return next((file for file in same_size if self._sum(file) == sha256), None)

    def _sum(self, file: ModelFile) -> str | None:
        path = self.registry.path_of(file)
        found = file_sha256(str(path), file.size_bytes, file.mtime_ns) if path else None
        if path and found:
            self.registry.proved(file.kind, path, found)
        return found

    def _arrived(self, download: Download, sha256: str, offer: Offer) -> None:
        self.registry.proved(download.kind, download.target, sha256, download.ref, download.sha256, offer)
        self.registry.scan()
        for hear in self._arrivals:
            hear(download)


def _knows_hashes(source: Remembering) -> bool:
    return source.knows_hashes


def shown_name(offer: Offer, file: RemoteFile) -> str:
    """The name a file would get here, for people to read. Raises ``BadRequest`` for a file that is no model."""
    return safe_name(file.name, f"{offer.ref.hub}-{offer.ref.version or 'model'}")


def kinds_of(texts: Iterable[str]) -> tuple[Kind, ...]:
    """Kinds as people write them: ComfyUI's folder names, and the usual words in the singular or plural. Raises
    ``BadRequest``."""
    return tuple(_kind(text.strip().lower().replace(" ", "_").replace("-", "_")) for text in texts if text.strip())


_WORDS = {
    "checkpoint": Kind.CHECKPOINT,
    "diffusion_model": Kind.DIFFUSION_MODEL,
    "unet": Kind.DIFFUSION_MODEL,
    "lora": Kind.LORA,
    "locon": Kind.LORA,
    "lycoris": Kind.LORA,
    "dora": Kind.LORA,
    "embedding": Kind.EMBEDDING,
    "textual_inversion": Kind.EMBEDDING,
    "ti": Kind.EMBEDDING,
    "clip": Kind.TEXT_ENCODER,
    "text_encoder": Kind.TEXT_ENCODER,
    "upscaler": Kind.UPSCALER,
    "upscale_model": Kind.UPSCALER,
    "style_model": Kind.STYLE_MODEL,
}


def _kind(word: str) -> Kind:
    known = {kind.value: kind for kind in Kind} | _WORDS
    found = known.get(word) or known.get(word.removesuffix("s"))
    if found is None:
        raise BadRequest("not_a_choice", value=word, choices=", ".join(sorted(known)))
    return found
