import pytest

np = pytest.importorskip("numpy")
from pack.intelligence.embedding import VectorStore, file_texts, find_encoder, prompt_text  # noqa: E402
from pack.plan import Analysis, Kind, Library, ModelFile  # noqa: E402


class Letters:
    """Counts letters: a real, tiny encoder."""

    name, dimensions = "letters", 26

    def __init__(self):
        self.asked = 0

    def encode(self, texts):
        self.asked += len(texts)
        counts = np.array([[text.lower().count(chr(97 + n)) for n in range(26)] for text in texts], dtype=np.float32)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-6)


def library(*titles):
    return Library(tuple(ModelFile(Kind.LORA, f"{title}.safetensors", title=title) for title in titles), "-".join(titles))


def test_vectors_are_kept_in_one_file_and_only_missing_ones_are_encoded(tmp_path):
    path, encoder = tmp_path / "deep" / "vectors.npz", Letters()
    assert VectorStore(path, encoder).update(library("koi", "bridge")) == 2
    again = VectorStore(path, encoder)
    asked = encoder.asked
    assert again.update(library("koi", "bridge")) == 0 and encoder.asked == asked
    assert again.update(library("koi", "bridge", "moon")) == 1
    table = again.table(library("moon", "koi", "unknown"))
    assert table.names == ("moon.safetensors", "koi.safetensors") and table.matrix.shape == (2, 26)
    vectors = again.vectors(Analysis("koi", "koi"), table)
    assert (table.matrix @ vectors.prompt).argmax() == 1


def test_it_stops_when_told_and_keeps_what_it_has(tmp_path):
    answers = iter([False, True])
    store = VectorStore(tmp_path / "v.npz", Letters())
    assert store.update(library("a", "b", "c"), lambda: next(answers), batch=1) == 1
    assert VectorStore(tmp_path / "v.npz", Letters()).update(library("a", "b", "c")) == 2


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 torn"])
def test_a_broken_file_is_encoded_anew(tmp_path, content):
    path = tmp_path / "v.npz"
    path.write_bytes(content)
    assert VectorStore(path, Letters()).update(library("koi")) == 1


def test_another_model_does_not_read_foreign_vectors(tmp_path):
    VectorStore(tmp_path / "v.npz", Letters()).update(library("koi"))
    other = Letters()
    other.name = "other"
    assert VectorStore(tmp_path / "v.npz", other).update(library("koi")) == 1


def test_boilerplate_is_not_encoded():
    assert prompt_text(Analysis("", "masterpiece, best quality, koi_pond")) == "koi pond"
    assert prompt_text(Analysis("", "masterpiece")) == "masterpiece"
    assert "koi" in file_texts(library("koi").files[0])[0]


def test_meaning_is_found_where_words_differ():
    encoder = find_encoder()
    if encoder is None:
        pytest.skip("no sentence-embedding model on this machine")
    cat, kitten, car = encoder.encode(["a cat", "a small kitten", "a sports car"])
    assert encoder.dimensions == len(cat) and cat @ cat == pytest.approx(1, abs=1e-4)
    assert cat @ kitten > cat @ car + 0.3
    padded = encoder.encode(["a cat", "a very long sentence about quite different things, over and over"])[0]
    assert padded == pytest.approx(cat, abs=1e-4)
