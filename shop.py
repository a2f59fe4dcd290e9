"""From what a person names or searches to the file that fits them: hubs, library and machine seen together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from .errors import BadRequest, MissingModel, Unreachable, UserError, sentence
from .hub.desk import Desk, shown_name
from .hub.download import Download
from .hub.refusals import NotFound
from .intelligence.candidates import MODEL_KINDS
from .intelligence.choose_file import choose_file, only_diffusers
from .intelligence.explain import render
from .intelligence.named import answering
from .intelligence.offering import Fit, fit, folder_kind
from .intelligence.owned import local_answer, of_model
from .intelligence.wanted import Wanted, diffusers_folder, wanted
from .offers import Offer, Query, Ref, RemoteFile
from .plan import Analysis, Kind, Library, Machine, ModelFile

MOST_OFFERED = 3
_MOVING = ("", "main")  # versions that name whatever is newest


@dataclass(frozen=True)
class Choice:
    """A file of an offer with the folder it belongs in, and whether it fits here."""

    offer: Offer
    file: RemoteFile
    kind: Kind
    fit: Fit

    @property
    def ref(self) -> Ref:
        """What names this very file."""
        return self.offer.ref.of_file(self.file.id)

    @property
    def name(self) -> str:
        return shown_name(self.offer, self.file)


@dataclass(frozen=True)
class Found:
    """A search result. ``choice`` is ``None`` where none of its files can be used here; ``cursors`` of the whole
    search continue it."""

    offer: Offer
    choice: Choice | None


@dataclass(frozen=True)
class Search:
    """What the hubs found, taking turns; ``cursors`` by hub continue; ``trouble`` is what kept a hub from answering."""

    found: tuple[Found, ...]
    cursors: dict[str, str]
    trouble: tuple[UserError, ...] = ()


def search(desk: Desk, query: Query, hubs: Sequence[str], machine: Machine) -> Search:
    """Ask ``hubs`` and judge what they offer. Raises the trouble of the hubs only where none of them answers."""
    library = desk.registry.library()
    answers: list[list[Found]] = []
    cursors: dict[str, str] = {}
    trouble: list[UserError] = []
    for hub in hubs:
        try:
            results = desk.search(query, hub)
        except UserError as fault:  # noqa: PERF203 - a handful of hubs
            trouble.append(fault)
        else:
            answers.append([Found(offer, chosen(desk, offer, machine, library)) for offer in results.offers])
            if results.cursor:
                cursors[hub] = results.cursor
    if trouble and not answers:
        raise trouble[0]
    return Search(tuple(_in_turn(answers)), cursors, tuple(trouble))


def _in_turn(answers: list[list[Found]]) -> Iterable[Found]:
    for place in range(max(map(len, answers), default=0)):
        yield from (found[place] for found in answers if place < len(found))


def chosen(desk: Desk, offer: Offer, machine: Machine, library: Library, kind: Kind | None = None) -> Choice | None:
    """The file of an offer that fits best; ``None`` where none can be opened here."""
    file = choose_file(offer, machine, kind)
    where = kind or (folder_kind(offer, file) if file else None)
    if file is None or where is None:
        return None
    return Choice(offer, file, where, fit(offer, file, library, machine, desk.disk_free_bytes(where)))


def choose(desk: Desk, text: str, machine: Machine, kind: Kind | None = None, file: str = "") -> Choice:
    """The file that ``text`` (page address, urn, repository, reference) means, asked of its hub; ``file`` names one of
    its files by the hub's id or by its name. Raises ``BadRequest`` where it names nothing or nothing that can be used,
    and what hubs raise."""
    ref = desk.ref(text)
    return _choice(desk, desk.describe(ref), ref.of_file(file or ref.file), machine, kind)


def _choice(desk: Desk, offer: Offer, ref: Ref, machine: Machine, kind: Kind | None) -> Choice:
    library = desk.registry.library()
    if ref.file:
        return _named(desk, offer, ref, machine, library, kind)
    choice = chosen(desk, offer, machine, library, kind)
    if choice is None and only_diffusers(offer):
        raise diffusers_folder(offer.ref.model, (offer.title,), machine)
    if choice is None:
        raise BadRequest("offer_no_file", ref=str(ref))
    return choice


def _named(desk: Desk, offer: Offer, ref: Ref, machine: Machine, library: Library, kind: Kind | None) -> Choice:
    called = PurePosixPath(ref.file).name.casefold()
    alike = (each for each in offer.files if PurePosixPath(each.name).name.casefold() == called)
    file = offer.file(ref.file) or next(alike, None)
    if file is None:
        files = ", ".join(file.id if file.name in file.id else f"{file.id} ({file.name})" for file in offer.files[:20])
        raise BadRequest("offer_lacks_file", ref=str(ref), files=files or "–")
    where = kind or folder_kind(offer, file)
    if where is None:
        raise BadRequest("offer_kind_unknown", ref=str(ref), kinds=", ".join(each.value for each in Kind))
    return Choice(offer, file, where, fit(offer, file, library, machine, desk.disk_free_bytes(where)))


def order(desk: Desk, choice: Choice, allow_pickle: bool = False) -> Download:
    """Queue the file of a choice. Whoever calls this has the person's word for it."""
    return desk.order(choice.offer, choice.file, choice.kind, allow_pickle)


# --------------------------------------------------------------------------- what is here already


def local_copy(desk: Desk, text: str, machine: Machine, kind: Kind | None = None, file: str = "") -> ModelFile | None:
    """The usable local file that ``text`` (and ``file``, as in ``choose``) means, without asking anyone: by the name
    ComfyUI lists it by, by what hubs said of it before, or by its own hub identity."""
    library, kinds = desk.registry.library(), (kind,) if kind else ()
    named = answering([each for each in library.files if each.usable and (not kinds or each.kind in kinds)], text)
    ref = None if named else desk.read(text)
    if ref is None:
        return named[0] if len(named) == 1 else None
    ref = ref.of_file(file or ref.file)
    try:
        offer = desk.source(ref.hub).silent().describe(ref.of_version)
        return copy_of(desk, _choice(desk, offer, ref, machine, kind))
    except UserError:  # never asked, or the answer is of another time
        found = _here(ref, (), library, kinds) if ref.file or "/" not in ref.model else None  # a repository holds many models
        return found if found and found.usable else None


def copy_of(desk: Desk, choice: Choice) -> ModelFile | None:
    """The usable local file with the bytes of a choice, in the folder of its kind."""
    same = desk.registry.by_sha256(choice.file.sha256) if choice.file.sha256 else ()
    known = (*same, desk.registry.find_ref(choice.ref))
    return next((each for each in known if each and each.usable and each.kind is choice.kind), None)


def copy_by_bytes(desk: Desk, choice: Choice) -> ModelFile | None:
    """As ``copy_of``, but local files of that size that nobody hashed yet are hashed first: seconds for each."""
    if choice.file.sha256:
        desk.have(choice.file.sha256, choice.file.size_bytes)
    return copy_of(desk, choice)


# --------------------------------------------------------------------------- what a plan lacks


def base_model(desk: Desk, text: str, machine: Machine, language: str = "en") -> str:
    """The local file that a base model's name means, as ComfyUI lists it: ``text`` itself where it names a file here or
    is no hub's name; else the file with that hub identity or its bytes.

    Raises ``MissingModel`` with the verified download that fits where it is not here, and ``BadRequest`` where the
    model exists in the diffusers format only.
    """
    library = desk.registry.library()
    models = [file for file in library.files if file.kind in MODEL_KINDS]
    if answering(models, text):
        return text
    _refuse_diffusers_folder(desk, text, machine, language)
    ref = desk.read(text)
    if ref is None:
        return text
    if local := _here(ref, (), library, MODEL_KINDS):
        return local.name
    try:
        choice = choose(desk, text, machine)
    except UserError as fault:
        known = _by_official_name(ref, models)
        if known is not None:
            return known.name
        if text == str(ref.model) and isinstance(fault, (NotFound, Unreachable)):
            return text  # a path with a slip in it looks the same: the plan says what is near
        raise fault.in_language(language) from fault
    local = _here(choice.ref if ref.file else choice.offer.ref, _sums(choice, ref), library, MODEL_KINDS)
    if local is None and (local := _same_file(choice, models)) is None:
        raise _mended_by(_absent(text, language), (_wanted(choice),), language)
    return local.name


def _here(ref: Ref, sums: Sequence[str], library: Library, kinds: tuple[Kind, ...]) -> ModelFile | None:
    """As ``local_answer``, but where ``ref`` names a version no other version will do."""
    if ref.version in _MOVING:
        return local_answer(replace(ref, version=""), sums, library, kinds)
    others = {
        (file.kind, file.name) for file, own in of_model(ref, library) if own.version != ref.version and file.sha256 not in sums
    }
    rest = tuple(file for file in library.files if (file.kind, file.name) not in others)
    return local_answer(ref, sums, replace(library, files=rest), kinds)


def _refuse_diffusers_folder(desk: Desk, text: str, machine: Machine, language: str) -> None:
    """ComfyUI lists such folders apart, below ``models/diffusers``."""
    name = text.replace("\\", "/").strip("/")
    if not name or ".." in name.split("/"):
        return
    for root in desk.registry.folders.get(Kind.CHECKPOINT, ()):
        if (Path(root).parent / "diffusers" / name / "model_index.json").is_file():
            raise diffusers_folder(name, (), machine, language)


def _sums(choice: Choice, ref: Ref) -> list[str]:
    """The sums that will do: of the file that was named, else of any of the version's."""
    files = (choice.file,) if ref.file else choice.offer.files
    return [file.sha256 for file in files if file.sha256]


def _same_file(choice: Choice, models: Sequence[ModelFile]) -> ModelFile | None:
    """A local file of that very name and size, not hashed yet."""
    return next((file for file in answering(list(models), choice.name) if file.size_bytes == choice.file.size_bytes), None)


def _by_official_name(ref: Ref, models: Sequence[ModelFile]) -> ModelFile | None:
    """Without a hub to ask: a local file of the name that ComfyUI's own templates give to this repository's file."""
    from .hub.sources.templates import catalogue

    listed = (each for each in catalogue() if each.ref.of_model == ref.of_model and each.kind in MODEL_KINDS)
    named = (each.name for each in listed if ref.file in ("", each.ref.file))
    found = (answering(list(models), name) for name in named)
    return next((files[0] for files in found if len(files) == 1), None)


def _absent(name: str, language: str) -> str:
    return sentence("errors", "base_not_here", language, {"name": name})


def _wanted(choice: Choice) -> Wanted:
    return Wanted(choice.kind, choice.name, choice.fit.reasons[0], str(choice.ref), size_bytes=choice.file.size_bytes)


def with_offers(
    fault: UserError, library: Library, machine: Machine, language: str, analysis: Analysis | None = None
) -> UserError:
    """A fault that a download would mend, told with the files to fetch, which its value ``wanted`` holds; any other as
    it is."""
    listed = wanted(fault, library, machine, analysis)
    return _mended_by(str(fault.in_language(language)), listed, language) if listed else fault


def _mended_by(said: str, listed: tuple[Wanted, ...], language: str) -> MissingModel:
    return MissingModel("with_offers", language, said=said, offers=offered(listed, language), wanted=listed)


def offered(listed: Iterable[Wanted], language: str) -> str:
    """The files to fetch as lines a person can act on."""
    return "\n".join(_line(each, language) for each in list(listed)[:MOST_OFFERED])


def _line(each: Wanted, language: str) -> str:
    size = f"{each.size_bytes / 1e9:.1f} GB" if each.size_bytes else "? GB"
    values: dict[str, object] = {
        "name": each.name,
        "folder": each.kind.value,
        "size": size,
        "ref": each.ref,
        "search": each.search,
    }
    told = sentence("errors", "offer_download" if each.ref else "offer_search", language, values)
    return f"• {render(each.why, language)} {told}"
