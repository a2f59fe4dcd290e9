import pytest
from pack.errors import BadRequest
from pack.plan import Analysis, Concept, Constraints, Dialect, Fixed, Kind, Library, LoraUse, ModelFile, Request
from pack.values import from_json, to_json


def test_nouns_round_trip_through_json():
    request = Request("a cat", fixed=Fixed(steps=20), loras=(LoraUse("a.safetensors", 0.8, 0.8),))
    assert from_json(Request, to_json(request)) == request
    analysis = Analysis("a cat", "a cat", (Concept("subject", "cat", ("cat",)),), dialect=Dialect.TAGS)
    assert from_json(Analysis, to_json(analysis)) == analysis


def test_out_of_range_values_are_refused_all_at_once():
    with pytest.raises(BadRequest) as refused:
        Fixed(width=100_000, height=0, steps=0)
    text = str(refused.value)
    assert "width 100000" in text and "height 0" in text and "steps 0" in text
    assert "fuera de rango" in str(refused.value.in_language("es"))
    for limit in ({"max_seconds": -1}, {"max_pixels": 10**400}, {"max_seconds": float("inf")}):
        with pytest.raises(BadRequest):
            Constraints(**limit)


def test_unreadable_json_names_the_place():
    with pytest.raises(BadRequest, match="prompt"):
        from_json(Request, "{}")


def test_library_finds_by_kind_and_name_with_either_slash():
    file = ModelFile(Kind.LORA, "styles/ink.safetensors")
    broken = ModelFile(Kind.LORA, "bad.safetensors", problem="truncated")
    library = Library((file, broken), "1")
    assert library.of(Kind.LORA) == (file,)
    assert library.find(Kind.LORA, "styles\\ink.safetensors") is file
    assert library.find(Kind.LORA, "bad.safetensors") is broken
    assert library.find(Kind.VAE, "ink") is None
