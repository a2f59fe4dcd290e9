"""The shop without a host: what a name means here, what is offered for what is missing, searches over several hubs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pack import lookup, model_card, search_table, shop
from pack.errors import BadRequest, MissingModel, Unreachable, UserError
from pack.hub.desk import Desk
from pack.hub.download import State
from pack.hub.refusals import NotFound
from pack.hub.registry import Registry
from pack.hub.sources.templates import Listed
from pack.offers import Query, Ref
from pack.plan import Kind, Library, Machine

sys.path.insert(0, str(Path(__file__).parent / "hub"))
from standin import Fault, StandIn, sha256_of, toy

MACHINE = Machine(device="cpu", ram_bytes=64 * 1024**3, host_version="0.33.0")
SD15 = {"baseModel": "SD 1.5"}


@pytest.fixture
def hubs(tmp_path):
    with StandIn(tmp_path / "standin") as started:
        yield started


@pytest.fixture
def tree(tmp_path):
    """ComfyUI's models folder."""
    for kind in (Kind.CHECKPOINT, Kind.LORA, Kind.VAE):
        (tmp_path / "models" / kind.value).mkdir(parents=True)
    return tmp_path / "models"


@pytest.fixture
def open_desk(hubs, tree, tmp_path):
    """Desks over the same folders, as after a restart; ``offline`` ones ask nobody."""
    opened = []

    def open_one(offline: bool = False) -> Desk:
        registry = Registry(tmp_path / "data" / "library.sqlite", {kind: [tree / kind.value] for kind in Kind})
        environ = {**hubs.environ(), **({"INTELLIGENT_GENERATION_OFFLINE": "1"} if offline else {})}
        desk = Desk(tmp_path / "data", registry, environ)
        registry.scan()
        opened.append(desk)
        return desk

    (tmp_path / "data").mkdir()
    yield open_one
    for desk in opened:
        desk.close()


@pytest.fixture
def desk(open_desk):
    return open_desk()


def put(tree: Path, kind: Kind, name: str, content: bytes) -> None:
    path = tree / kind.value / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def fetch(desk: Desk, text: str, kind: Kind | None = None) -> str:
    """Download what ``text`` means; the name it got."""
    download = shop.order(desk, shop.choose(desk, text, MACHINE, kind))
    ended = desk.downloads.wait(download.id, lambda: False, lambda _: None)
    assert ended.state is State.DONE, ended
    return ended.name


def asked(hubs: StandIn) -> int:
    return sum(len(each.server.requests) for each in (hubs.civitai, hubs.red, hubs.huggingface, hubs.cdn))


def checkpoint(hubs: StandIn, name: str = "dream.safetensors", content: bytes | None = None, **about):
    return hubs.civitai.add({name: content or toy(name)}, type="Checkpoint", name="Dream", version=SD15, **about)


# --------------------------------------------------------------------------- base models


@pytest.mark.parametrize("text", ["dream.safetensors", "dream", "sub/dream.safetensors", "no such name", "../../etc/passwd"])
def test_what_is_no_hubs_name_stays_as_it_is_and_asks_nobody(desk, hubs, tree, text):
    put(tree, Kind.CHECKPOINT, "sub/dream.safetensors", toy("dream"))
    desk.registry.scan()
    assert shop.base_model(desk, text, MACHINE) == text
    assert asked(hubs) == 0


@pytest.mark.parametrize(
    "written",
    [
        "civitai:{model}@{version}",
        "https://civitai.com/models/{model}/dream?modelVersionId={version}",
        "https://civitai.com/models/{model}",
        "urn:air:sd1:checkpoint:civitai:{model}@{version}",
    ],
)
def test_a_downloaded_model_answers_to_all_its_names_without_a_network(open_desk, hubs, written):
    added = checkpoint(hubs)
    name = fetch(open_desk(), added.ref)
    before = asked(hubs)
    text = written.format(model=added.model_id, version=added.version_id)
    assert shop.base_model(open_desk(offline=True), text, MACHINE) == name == "dream.safetensors"
    assert asked(hubs) == before


@pytest.mark.parametrize("text", ["maker/base", "https://huggingface.co/maker/base/resolve/main/base.safetensors"])
def test_a_repository_answers_to_its_names_without_a_network(open_desk, hubs, text):
    hubs.huggingface.add("maker/base", {"base.safetensors": toy("base")}, tags=("text-to-image",))
    fetch(open_desk(), "maker/base", Kind.CHECKPOINT)
    assert shop.base_model(open_desk(offline=True), text, MACHINE) == "base.safetensors"


def test_a_file_of_another_name_is_found_by_its_bytes(desk, hubs, tree):
    put(tree, Kind.CHECKPOINT, "mine.safetensors", toy("dream.safetensors"))
    desk.registry.scan()
    desk.registry.hash_pending()
    assert shop.base_model(desk, checkpoint(hubs).ref, MACHINE) == "mine.safetensors"


def test_a_file_not_hashed_yet_is_found_by_name_and_size(desk, hubs, tree):
    put(tree, Kind.CHECKPOINT, "dream.safetensors", toy("dream.safetensors"))
    desk.registry.scan()
    assert shop.base_model(desk, checkpoint(hubs).ref, MACHINE) == "dream.safetensors"


def test_an_absent_model_is_refused_with_its_download(desk, hubs):
    added = checkpoint(hubs)
    ref = f"{added.ref}#{added.file_ids['dream.safetensors']}"
    with pytest.raises(MissingModel) as english:
        shop.base_model(desk, added.ref, MACHINE)
    assert f'download "{ref}"' in str(english.value) and "dream.safetensors" in str(english.value)
    assert [each.ref for each in english.value.values["wanted"]] == [ref]
    with pytest.raises(MissingModel, match="no está entre tus modelos"):
        shop.base_model(desk, added.ref, MACHINE, "es")
    assert not hubs.cdn.asked()


def test_another_version_does_not_stand_in_for_the_one_that_was_named(desk, hubs):
    old = checkpoint(hubs, "dream_v1.safetensors")
    new = checkpoint(hubs, "dream_v2.safetensors", model_id=old.model_id)
    fetch(desk, old.ref)
    assert shop.base_model(desk, f"civitai:{old.model_id}", MACHINE) == "dream_v1.safetensors"
    with pytest.raises(MissingModel, match=new.ref):
        shop.base_model(desk, new.ref, MACHINE)


def test_of_a_repository_with_many_models_only_the_named_one_will_do(desk, hubs):
    files = {"first.safetensors": toy("first", 9000), "second.safetensors": toy("second", 9000)}
    hubs.huggingface.add("maker/many", files, tags=("text-to-image",))
    fetch(desk, "huggingface:maker/many#first.safetensors", Kind.CHECKPOINT)
    with pytest.raises(MissingModel, match=r"#second\.safetensors"):
        shop.base_model(desk, "huggingface:maker/many#second.safetensors", MACHINE)


def test_a_vae_of_the_repository_is_not_its_base_model(desk, hubs):
    files = {"base.safetensors": toy("base", 9000), "vae/sdxl_vae.safetensors": toy("vae")}
    hubs.huggingface.add("maker/both", files, tags=("text-to-image",))
    fetch(desk, "huggingface:maker/both#vae/sdxl_vae.safetensors", Kind.VAE)
    with pytest.raises(MissingModel, match=r"#base\.safetensors"):
        shop.base_model(desk, "maker/both", MACHINE)


def test_without_a_network_the_official_name_of_a_repositorys_file_will_do(open_desk, hubs, tree, monkeypatch):
    listed = Listed(
        "official.safetensors", Kind.CHECKPOINT, Ref("huggingface", "maker/official", "main", "official.safetensors")
    )
    monkeypatch.setattr("pack.hub.sources.templates.catalogue", lambda: (listed,))
    put(tree, Kind.CHECKPOINT, "official.safetensors", toy("official"))
    desk = open_desk(offline=True)
    assert shop.base_model(desk, "maker/official", MACHINE) == "official.safetensors"
    with pytest.raises(Unreachable, match="sin conexión"):
        shop.base_model(desk, "https://huggingface.co/maker/unknown", MACHINE, "es")


def test_a_diffusers_folder_is_refused_with_the_single_file(desk, tree):
    folder = tree / "diffusers" / "stable-diffusion-xl-base-1.0"
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    with pytest.raises(BadRequest, match=r"diffusers format.*huggingface:stabilityai/stable-diffusion-xl-base-1\.0#"):
        shop.base_model(desk, "stable-diffusion-xl-base-1.0", MACHINE)
    with pytest.raises(BadRequest, match="formato diffusers"):
        shop.base_model(desk, "stable-diffusion-xl-base-1.0", MACHINE, "es")


def test_a_local_file_goes_before_a_diffusers_folder_of_its_name(desk, tree):
    put(tree, Kind.CHECKPOINT, "dream.safetensors", toy("dream"))
    (tree / "diffusers" / "dream").mkdir(parents=True)
    (tree / "diffusers" / "dream" / "model_index.json").write_text("{}")
    desk.registry.scan()
    assert shop.base_model(desk, "dream", MACHINE) == "dream"


def test_a_repository_of_parts_only_is_refused(desk, hubs):
    files = {"model_index.json": b"{}", "unet/diffusion_pytorch_model.safetensors": toy("unet")}
    hubs.huggingface.add("maker/parts", files, tags=("diffusers", "text-to-image"))
    with pytest.raises(BadRequest, match="diffusers format"):
        shop.base_model(desk, "maker/parts", MACHINE)


# --------------------------------------------------------------------------- faults and offers


def test_a_fault_that_a_download_mends_says_which(desk):
    fault = MissingModel("no_checkpoint")
    told = shop.with_offers(fault, Library(), MACHINE, "en")
    assert str(told).startswith(str(fault)) and 'type: download "huggingface:' in str(told)
    assert 0 < len(told.values["wanted"]) <= 3
    spanish = shop.with_offers(fault, Library(), MACHINE, "es")
    assert str(spanish).startswith(str(fault.in_language("es"))) and 'escribe: download "huggingface:' in str(spanish)


def test_any_other_fault_stays_as_it_is():
    fault = BadRequest("empty_prompt")
    assert shop.with_offers(fault, Library(), MACHINE, "en") is fault


# --------------------------------------------------------------------------- what is here


def test_what_is_here_is_found_without_asking(open_desk, hubs):
    desk = open_desk()
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, name="Ink", version=SD15)
    fetch(desk, added.ref)
    before, away = asked(hubs), open_desk(offline=True)
    file_ref = f"{added.ref}#{added.file_ids['ink.safetensors']}"
    for text in (file_ref, added.ref, f"civitai:{added.model_id}", "ink.safetensors", "ink"):
        found = shop.local_copy(away, text, MACHINE)
        assert found is not None and (found.kind, found.name) == (Kind.LORA, "ink.safetensors"), text
    assert shop.local_copy(away, "civitai:1@2", MACHINE) is None
    assert shop.local_copy(away, "nothing", MACHINE) is None
    assert asked(hubs) == before


def test_a_file_of_the_same_bytes_that_nobody_hashed_is_recognised(desk, hubs, tree):
    put(tree, Kind.LORA, "mine.safetensors", toy("ink"))
    put(tree, Kind.LORA, "other.safetensors", toy("pen"))  # of the same size
    desk.registry.scan()
    choice = shop.choose(desk, hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15).ref, MACHINE)
    assert shop.copy_of(desk, choice) is None
    found = shop.copy_by_bytes(desk, choice)
    assert found is not None and found.name == "mine.safetensors"


def test_a_bare_repository_is_not_guessed_from_one_of_its_files(open_desk, hubs, tmp_path):
    desk = open_desk()
    files = {"base.safetensors": toy("base", 9000), "vae/sdxl_vae.safetensors": toy("vae")}
    hubs.huggingface.add("maker/both", files, tags=("text-to-image",))
    fetch(desk, "huggingface:maker/both#vae/sdxl_vae.safetensors", Kind.VAE)
    desk.answers.clear()
    assert shop.local_copy(desk, "maker/both", MACHINE) is None
    named = shop.local_copy(desk, "maker/both", MACHINE, Kind.VAE, "vae/sdxl_vae.safetensors")
    assert named is not None and named.name == "sdxl_vae.safetensors"


def test_a_file_is_chosen_by_its_name(desk, hubs):
    added = hubs.civitai.add({"a.safetensors": toy("a"), "b.safetensors": toy("b")}, version=SD15)
    assert shop.choose(desk, added.ref, MACHINE, file="B.safetensors").file.name == "b.safetensors"
    with pytest.raises(BadRequest, match="It has: "):
        shop.choose(desk, added.ref, MACHINE, file="c.safetensors")


# --------------------------------------------------------------------------- search


def test_hubs_take_turns_and_one_in_trouble_is_told(desk, hubs):
    for number in range(2):
        hubs.civitai.add({f"c{number}.safetensors": toy(f"c{number}")}, name=f"Ink {number}", version=SD15)
        hubs.huggingface.add(f"maker/ink-{number}", {"ink.safetensors": toy(f"h{number}")}, tags=("lora",))
    both = shop.search(desk, Query("ink", (Kind.LORA,)), ["civitai", "huggingface"], MACHINE)
    assert [found.offer.ref.hub for found in both.found] == ["civitai", "huggingface"] * 2
    hubs.civitai.fault("*", Fault(status=403, body=b'{"error":"no"}'))
    one = shop.search(desk, Query("ink", (Kind.LORA,), nsfw=True), ["civitai", "huggingface"], MACHINE)
    assert {found.offer.ref.hub for found in one.found} == {"huggingface"} and len(one.trouble) == 1
    assert "civitai" in search_table.table(one, "es").splitlines()[-1]
    with pytest.raises(UserError, match="civitai"):
        shop.search(desk, Query("other", (Kind.LORA,)), ["civitai"], MACHINE)


def test_the_table_holds_what_hubs_write_in_one_cell(desk, hubs):
    hubs.civitai.add({"x.safetensors": toy("x")}, name="Ink | [evil](http://x) \n<b>", version=SD15)
    found = shop.search(desk, Query("Ink"), ["civitai"], MACHINE)
    row = search_table.table(found).splitlines()[2]
    assert row.count(" | ") == 5 and r"\| \[evil\](http://x) \<b\>" in row
    assert search_table.first_ref(found) == ""  # a LoRA without a model of its family does not fit
    assert search_table.only_fitting(found).found == ()
    assert "Nothing found" in search_table.table(search_table.only_fitting(found))


# --------------------------------------------------------------------------- everything known


def test_a_path_with_a_slip_is_left_to_the_plan_which_says_what_is_near(open_desk, hubs):
    for desk in (open_desk(), open_desk(offline=True)):
        assert shop.base_model(desk, "SDXL/juggernautt", MACHINE) == "SDXL/juggernautt"
    with pytest.raises(NotFound):
        shop.base_model(open_desk(), f"{hubs.huggingface.url}/SDXL/juggernautt", MACHINE)


def test_a_downloads_card_says_what_the_hub_and_the_bytes_say(desk, hubs):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, name="Ink Drawing", version=SD15)
    fetch(desk, added.ref)
    digest = sha256_of(toy("ink"))
    for text in ("ink.safetensors", "ink", digest, digest[:10].upper(), added.ref):
        known = lookup.look_up(desk, text, MACHINE)
        assert known.local and known.file.sha256 == digest, text
    english, spanish = model_card.card(known), model_card.card(known, "es")
    for said in ("# Ink Drawing", "Version: v1.0", "Creator: inker", "Base model: SD 1.5", "Trigger words: inkstyle",
                 "0.7 (0.6–0.8)", "Verified", "You may merge it", "Merges must keep", "selling pictures",
                 f"SHA-256: {digest}", "Downloads: 1,234"):  # fmt: skip
        assert said in english, said
    for said in ("Palabras clave: inkstyle", "Verificado", "Puedes fusionarlo", "vender imágenes"):
        assert said in spanish, said
    assert model_card.trigger_words(known.file) == "ink drawing, monochrome"
    assert model_card.strength(known.file) == 0.7


def test_an_unknown_hash_is_asked_at_the_hubs_and_offline_says_so(open_desk, hubs):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, name="Ink Drawing", version=SD15)
    digest = added.sha256["ink.safetensors"]
    with pytest.raises(Unreachable, match="offline"):
        lookup.look_up(open_desk(offline=True), digest, MACHINE)
    desk = open_desk()
    for text in (digest, digest[:10], digest[-12:]):
        known = lookup.look_up(desk, text, MACHINE)
        assert not known.local and known.ref == f"{added.ref}#{added.file_ids['ink.safetensors']}"
    assert "Not on this machine: ink.safetensors" in model_card.card(known)
    assert lookup.look_up(open_desk(offline=True), digest, MACHINE).ref == known.ref
    with pytest.raises(BadRequest, match="checksum"):
        lookup.look_up(desk, "0" * 64, MACHINE)


def test_names_that_nothing_has_are_refused_with_the_nearest(desk, hubs, tree):
    put(tree, Kind.LORA, "inkstyle.safetensors", toy("ink"))
    desk.registry.scan()
    with pytest.raises(MissingModel, match="inkstyle"):
        lookup.look_up(desk, "inkstile.safetensors", MACHINE)
    with pytest.raises(NotFound):
        lookup.look_up(desk, "civitai:1@2", MACHINE)


def test_a_card_of_a_file_nobody_knows_tells_its_bytes_alone(desk, tree):
    put(tree, Kind.LORA, "mine.safetensors", toy("mine"))
    desk.registry.scan()
    known = lookup.look_up(desk, "mine", MACHINE)
    said = model_card.card(known)
    assert "# mine.safetensors" in said and "no hub was found" in said and "Creator" not in said
    assert model_card.strength(known.file) == 1.0 and model_card.trigger_words(known.file) == ""
    middle = replace(known.file, strength=(0.5, None, 0.9))
    assert model_card.strength(middle) == 0.7
