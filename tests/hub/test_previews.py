import io

import pytest
from pack.hub.answers import Answers, Asked
from pack.hub.previews import Previews, as_webp
from pack.hub.refusals import Refused
from PIL import Image


class Web:
    def __init__(self):
        self.files, self.asked = {}, []

    def bytes(self, hub, url, most):
        self.asked.append(url)
        return self.files[url][:most], "image/png"


def picture(size=(1600, 800), kind="PNG", mode="RGB", **options):
    made = io.BytesIO()
    Image.effect_noise(size, 90).convert(mode).save(made, kind, **options)
    return made.getvalue()


@pytest.fixture
def answers(tmp_path):
    return Answers(tmp_path / "answers.sqlite", 1_000_000, 90)


@pytest.fixture
def web():
    return Web()


@pytest.fixture
def previews(answers, web):
    return Previews(answers, web)


def test_a_preview_is_fetched_once_and_kept_small(previews, web, answers):
    web.files["u"] = picture()
    assert previews.stored("u") is None
    path = previews.fetch("hub", "u")
    assert previews.fetch("hub", "u") == path == previews.stored("u") and web.asked == ["u"]
    with Image.open(path) as image:
        assert (image.format, image.size) == ("WEBP", (512, 256))
    size = answers.sizes()[Asked.PREVIEW]
    assert size.count == 1 and path.stat().st_size <= size.bytes < path.stat().st_size + 500


@pytest.mark.parametrize(
    "raw", [b"", b"<html>log in</html>", picture()[:2000], b"\x89PNG\r\n\x1a\n" + b"\0" * 500, b"RIFF" * 9]
)
def test_what_is_no_picture_is_not_kept(previews, web, answers, raw):
    web.files["u"] = raw
    with pytest.raises(Refused, match="no picture"):
        previews.fetch("hub", "u")
    assert previews.stored("u") is None and answers.sizes()[Asked.PREVIEW].count == 0


def test_a_picture_that_unpacks_to_gigabytes_is_refused():
    made = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(made, "PNG")
    assert len(made.getvalue()) < 100_000 and as_webp(made.getvalue()) is None


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("PNG", "RGBA"), ("GIF", "P"), ("WEBP", "RGB"), ("JPEG", "L")])
def test_every_usual_format_is_understood(kind, mode):
    with Image.open(io.BytesIO(as_webp(picture((300, 200), kind, mode)))) as image:
        assert (image.format, image.size) == ("WEBP", (300, 200))


def test_nothing_but_pixels_is_kept():
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    made = as_webp(picture((64, 32), "JPEG", exif=exif.tobytes()) + b"#!/bin/sh secret tail")
    assert b"secret" not in made


def test_previews_go_with_their_entries(previews, web, answers):
    web.files |= {"a": picture(), "b": picture()}
    one, two = previews.fetch("hub", "a"), previews.fetch("hub", "b")
    answers.clear(Asked.PREVIEW, one.stem)
    assert not one.exists() and two.exists() and previews.stored("a") is None
    answers.clear()
    assert not two.exists()


def test_previews_count_for_the_limit(answers, previews, web):
    same = picture()  # noise differs in size from picture to picture, by more than what an entry costs
    web.files |= {f"{number}": same for number in range(6)}
    paths = [previews.fetch("hub", url) for url in web.files]
    answers.cache_bytes = sum(path.stat().st_size for path in paths[:3])
    answers.trim()
    assert [path.exists() for path in paths] == [False] * 4 + [True] * 2


def test_a_preview_that_someone_deleted_is_fetched_again(previews, web):
    web.files["u"] = picture()
    previews.fetch("hub", "u").unlink()
    assert previews.stored("u") is None and previews.fetch("hub", "u").exists() and len(web.asked) == 2
