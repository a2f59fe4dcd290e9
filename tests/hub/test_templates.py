import json
import sys

import pytest
from pack.hub.refusals import NotFound
from pack.hub.sources import templates
from pack.hub.sources.templates import Here, catalogue, official
from pack.offers import Query, Ref
from pack.plan import Kind
from standin import sha256_of, toy

AE = "https://huggingface.co/Org/flux/resolve/main/split_files/vae/ae.safetensors?download=true"


def model(name, url, directory, **more):
    return {"name": name, "url": url, "directory": directory, **more}


def template(models, in_subgraph=()):
    def nodes(entries):
        return [{"id": 1, "type": "VAELoader", "properties": {"models": list(entries)}}, {"id": 2, "properties": {}}, None]

    return {"nodes": nodes(models), "definitions": {"subgraphs": [{"nodes": nodes(in_subgraph)}]}}


@pytest.fixture(params=["comfyui_workflow_templates", "comfyui_workflow_templates_json"])
def installed(request, tmp_path, monkeypatch):
    """A template package of either layout, in place of whatever is installed."""
    folder = tmp_path / "site" / request.param / "templates"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise AssertionError('never imported')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    monkeypatch.setattr(templates, "_PACKAGES", (request.param,))

    def write(**files):
        for name, value in files.items():
            (folder / f"{name}.json").write_text(value if isinstance(value, str) else json.dumps(value))
        return folder

    return write


def test_files_are_found_in_nodes_and_subgraphs_of_both_layouts(installed):
    unet = model("flux.sft", "https://huggingface.co/Org/flux/blob/main/flux.sft", "diffusion_models")
    installed(one=template([model("ae.safetensors", AE, "vae")]), two=template([], [unet, model("ae.safetensors", AE, "vae")]))
    found = {each.name: (each.kind, str(each.ref), each.templates) for each in catalogue()}
    assert found == {
        "ae.safetensors": (Kind.VAE, "huggingface:Org/flux@main#split_files/vae/ae.safetensors", ("one", "two")),
        "flux.sft": (Kind.DIFFUSION_MODEL, "huggingface:Org/flux@main#flux.sft", ("two",)),
    }


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"nodes": 3, "directory": 1}',
        '{"nodes": [{"properties": {"models": [7, null, {"directory": ["vae"], "url": 3}]}}]}',
        json.dumps(template([model("a.safetensors", "https://evil.example/a/b/resolve/main/a.safetensors", "vae")])),
        json.dumps(template([model("d.safetensors", AE, "optical_flow")])),
    ],
)
def test_what_is_no_template_or_no_kind_of_ours_is_left_out(installed, text):
    installed(odd=text)
    assert catalogue() == ()


def test_without_templates_there_is_nothing(monkeypatch, standin):
    monkeypatch.setattr(templates, "_PACKAGES", ("no_such_package_here",))
    assert catalogue() == () and Here(standin.web()).search(Query("flux")).offers == ()


def test_search_is_local_and_pages(installed, standin):
    names = [f"flux-{number}.safetensors" for number in range(5)]
    installed(t=template([model(name, f"https://huggingface.co/Org/x/resolve/main/{name}", "vae") for name in names]))
    here = Here(standin.web(offline=True))
    seen, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        found = here.search(Query("FLUX vae", kinds=(Kind.VAE,), limit=2, cursor=cursor))
        seen += [offer.title for offer in found.offers]
        cursor, pages = found.cursor, pages + 1
    assert (seen, pages) == (names, 3)
    assert here.search(Query("flux", kinds=(Kind.LORA,))).offers == ()
    assert here.search(Query("flux nowhere")).offers == ()


def test_a_listed_file_is_described_by_hugging_face_and_keeps_its_folder(installed, standin):
    sha = standin.huggingface.add("Org/x", {"odd_name.safetensors": toy("odd")})
    installed(
        t=template([model("odd.safetensors", "https://huggingface.co/Org/x/resolve/main/odd_name.safetensors", "clip_vision")])
    )
    here = Here(standin.web())
    ref = here.read("templates:odd.safetensors")
    offer = here.describe(ref)
    (file,) = offer.files
    assert str(offer.ref) == f"huggingface:Org/x@{sha}"
    assert (offer.kind, file.kind, file.sha256) == (Kind.CLIP_VISION, Kind.CLIP_VISION, sha256_of(toy("odd")))
    assert here.addresses(offer, file) == (f"{standin.huggingface.url}/Org/x/resolve/{sha}/odd_name.safetensors",)
    assert here.describe(Ref("templates", "odd.safetensors")) == offer


def test_names_that_no_template_lists_are_not_found(installed, standin):
    installed()
    here = Here(standin.web())
    assert here.read("templates:nothing.safetensors") is None and here.read("odd.safetensors") is None
    with pytest.raises(NotFound):
        here.describe(Ref("templates", "nothing.safetensors"))


def test_a_template_that_gives_a_hash_is_found_by_it(installed, standin):
    installed(t=template([model("ae.safetensors", AE, "vae", hash="AB" * 32, hash_type="SHA256")]))
    here = Here(standin.web(offline=True))
    assert here.by_hash("ab" * 32).title == "ae.safetensors"
    assert here.by_hash("cd" * 32) is None


def test_of_several_places_the_usual_one_is_the_official(installed):
    other = model("ae.safetensors", "https://huggingface.co/Other/y/resolve/main/ae.safetensors", "vae")
    usual = model("ae.safetensors", AE, "vae")
    installed(a=template([other]), b=template([usual]), c=template([usual]))
    assert official("ae.safetensors").ref.model == "Org/flux"
    assert official("ae") is None


def test_the_installed_templates_list_hundreds_of_files():
    pytest.importorskip("comfyui_workflow_templates")
    found = catalogue()
    assert len(found) > 100
    assert {each.kind for each in found} >= {Kind.CHECKPOINT, Kind.DIFFUSION_MODEL, Kind.LORA, Kind.VAE, Kind.TEXT_ENCODER}
    assert all(each.ref.file and "?" not in each.ref.file for each in found)
