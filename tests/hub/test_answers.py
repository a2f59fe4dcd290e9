import pytest
from pack.errors import Unreachable
from pack.hub.answers import DAY_S, Answers, Asked
from pack.hub.refusals import NotFound, Refused
from pack.hub.remembering import Remembering
from pack.offers import Offer, Query, Ref, RemoteFile, Results

REF = Ref("hub", "1", "2")
OFFER = Offer(
    REF, "Ink", licence={"commercial_use": ["Image"]}, files=(RemoteFile("3", "ink.safetensors", "u", sha256="ab" * 32),)
)


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


class Hub:
    name, knows_hashes = "hub", True

    def __init__(self):
        self.questions, self.trouble = [], None

    def read(self, text):
        return Ref.parse(text)

    def addresses(self, offer, file):
        return (file.url,)

    def search(self, query):
        return self._answer(query, Results((OFFER,), "more"))

    def describe(self, ref):
        if ref.model == "gone":
            self.questions.append(ref)
            raise NotFound("hub_not_found", hub="hub", status=404, said="")
        return self._answer(ref, OFFER)

    def by_hash(self, digest):
        return self._answer(digest, OFFER if digest.startswith("ab") else None)

    def _answer(self, question, answer):
        self.questions.append(question)
        if self.trouble:
            raise self.trouble
        return answer


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def answers(tmp_path, clock):
    return Answers(tmp_path / "answers.sqlite", 1_000_000, 90, clock)


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def source(hub, answers):
    return Remembering(hub, answers)


def test_nothing_is_asked_twice_and_answers_come_back_whole(source, hub):
    for _ in range(2):
        assert source.by_hash("AB12") == OFFER
        assert source.by_hash("cd34") is None
        assert source.describe(REF) == OFFER
        assert source.search(Query("ink")) == Results((OFFER,), "more")
        with pytest.raises(NotFound):
            source.describe(Ref("hub", "gone"))
    assert hub.questions == ["ab12", "cd34", REF, Query("ink"), Ref("hub", "gone")]
    assert source.asked == 5


@pytest.mark.parametrize(("question", "days"), [("ab12", 90), ("cd34", 30), (REF, 1), (Query("ink"), 1)])
def test_each_kind_of_answer_is_fresh_for_its_time(source, hub, clock, question, days):
    ask = {str: source.by_hash, Ref: source.describe, Query: source.search}[type(question)]
    ask(question)
    clock.now += days * DAY_S - 1
    ask(question)
    assert len(hub.questions) == 1
    clock.now += 2
    ask(question)
    assert len(hub.questions) == 2


def test_a_refresh_asks_again_once(source, hub, clock):
    source.by_hash("ab12")
    clock.now += 10
    again = source.again()
    clock.now += 10
    again.by_hash("ab12")
    again.by_hash("ab12")
    assert len(hub.questions) == 2


def test_without_a_network_old_answers_are_told_with_their_age(source, hub, clock):
    source.by_hash("ab12")
    source.by_hash("cd34")
    clock.now += 400 * DAY_S
    hub.trouble = Unreachable("hub_unreachable", hub="hub", host="h")
    assert source.by_hash("ab12") == OFFER and source.by_hash("cd34") is None
    assert source.age_s("ab12") == 400 * DAY_S and source.age_s("never") is None
    with pytest.raises(Unreachable):
        source.by_hash("ef56")


def test_a_silent_source_asks_nobody(source, hub):
    source.describe(REF)
    silent = source.silent()
    assert silent.describe(REF) == OFFER
    with pytest.raises(Unreachable, match="offline"):
        silent.by_hash("ab12")
    assert hub.questions == [REF]


def test_a_refusal_is_no_answer(source, hub):
    hub.trouble = Refused("hub_busy", hub="hub", seconds=3).after(3)
    with pytest.raises(Refused):
        source.by_hash("ab12")
    hub.trouble = None
    assert source.by_hash("ab12") == OFFER


def test_an_answer_that_another_version_wrote_otherwise_is_asked_for_again(source, answers, hub):
    answers.put("hub", Asked.HASH, "ab12", '{"title": 7}')
    assert source.by_hash("ab12") == OFFER and hub.questions == ["ab12"]


def test_sizes_are_counted_and_cleared_by_item_kind_or_all(source, answers):
    source.by_hash("ab12")
    source.by_hash("cd34")
    source.describe(REF)
    sizes = answers.sizes()
    assert (sizes[Asked.HASH].count, sizes[Asked.VERSION].count, sizes[Asked.SEARCH].count) == (2, 1, 0)
    assert sizes[Asked.HASH].bytes > 300 and sizes[Asked.SEARCH].bytes == 0
    assert answers.clear(Asked.HASH, "ab12") == 1
    assert answers.clear(Asked.HASH) == 1
    assert answers.sizes()[Asked.VERSION].count == 1
    assert answers.clear() == 1
    assert not any(size.count for size in answers.sizes().values())


def test_what_was_used_least_recently_goes_first(tmp_path, clock):
    answers = Answers(tmp_path / "answers.sqlite", 30_000, 90, clock)
    for number in range(40):
        answers.put("hub", Asked.HASH, f"{number:04}", "x" * 1000)
        clock.now += 2 * 3600
        assert answers.get("hub", Asked.HASH, "0000") is not None
    kept = answers.sizes()[Asked.HASH]
    assert 20 < kept.count < 30 and kept.bytes <= 30_000
    assert answers.get("hub", Asked.HASH, "0039") and not answers.get("hub", Asked.HASH, "0001")


def test_what_nobody_used_for_long_goes(answers, clock):
    answers.put("hub", Asked.HASH, "old", "x")
    answers.put("hub", Asked.HASH, "used", "x")
    clock.now += 80 * DAY_S
    answers.get("hub", Asked.HASH, "used")
    clock.now += 11 * DAY_S
    assert answers.trim() == 1
    assert answers.get("hub", Asked.HASH, "used") and not answers.get("hub", Asked.HASH, "old")


def test_answers_outlive_the_process_and_a_damaged_cache_is_set_aside(tmp_path, source, answers, hub, clock):
    source.by_hash("ab12")
    answers.close()
    again = Answers(tmp_path / "answers.sqlite", 1_000_000, 90, clock)
    assert Remembering(hub, again).by_hash("ab12") == OFFER and len(hub.questions) == 1
    again.close()
    (tmp_path / "answers.sqlite").write_bytes(b"no database at all" * 500)
    damaged = Answers(tmp_path / "answers.sqlite", 1_000_000, 90, clock)
    assert Remembering(hub, damaged).by_hash("ab12") == OFFER and len(hub.questions) == 2
    assert [note.code for note in damaged.database.notes] == ["answers_damaged"]
    assert "damaged-1" in str(damaged.database.notes[0])


def test_the_wrapper_passes_on_what_asks_nobody(source):
    assert source.read("hub:1@2") == REF
    assert source.addresses(OFFER, OFFER.files[0]) == ("u",)
