"""What a caller of the Python API gets: pictures with their plan, and why it is what it is."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .errors import UserError
from .files import write_whole
from .intelligence.explain import explain
from .plan import PNG_KEY, Generation, Measured, Plan, Verbosity
from .values import from_json


@dataclass(frozen=True)
class Explanation:
    """Why a plan is what it is, in the language and detail asked for."""

    plan: Plan
    language: str = "en"
    measured: Measured | None = None

    def get_full_explanation(self, verbosity: Verbosity = Verbosity.STANDARD) -> str:
        return explain(self.plan, verbosity, self.language, self.measured)

    @property
    def summary(self) -> str:
        """The first line: what was chosen."""
        return self.get_full_explanation().splitlines()[0]


@dataclass(frozen=True)
class Result:
    """A finished generation. ``pictures`` are whole PNG files as bytes, plan and settings inside; ``warnings`` say what
    went other than planned: memory ran out, and what was changed for the second try; or that no picture was made, because
    the plan waits for consent."""

    generation: Generation
    pictures: tuple[bytes, ...]
    language: str = "en"
    measured: Measured | None = None
    warnings: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.generation.id

    @property
    def plan(self) -> Plan:
        return self.generation.plan

    @property
    def explanation(self) -> Explanation:
        return Explanation(self.plan, self.language, self.measured)

    @cached_property
    def images(self) -> list[object]:
        """The pictures as ``PIL.Image.Image``."""
        from PIL import Image

        return [Image.open(io.BytesIO(raw)) for raw in self.pictures]

    def save(self, path: str | Path, save_metadata: bool = True, save_explanation: bool = False) -> list[Path]:
        """Write the pictures; several get numbers. Never overwrites. Without ``save_metadata`` the PNG holds
        pixels only; ``save_explanation`` adds a Markdown file beside the first. Raises ``UserError`` when a
        file is there already, and where there is a plan alone."""
        if not self.pictures:
            raise UserError("no_picture_made", self.language)
        target = Path(path).with_suffix(".png")
        names = [target, *(target.with_stem(f"{target.stem}_{number}") for number in range(2, len(self.pictures) + 1))]
        for name, raw in zip(names, self.pictures, strict=True):
            _write(name, raw if save_metadata else _without_metadata(raw))
        if save_explanation:
            _write(target.with_suffix(".md"), self.explanation.get_full_explanation().encode())
        return names


def _write(path: Path, raw: bytes) -> None:
    if path.exists():
        raise UserError("file_exists", path=str(path))
    write_whole(path, raw)


def _without_metadata(raw: bytes) -> bytes:
    from PIL import Image

    bare = io.BytesIO()
    with Image.open(io.BytesIO(raw)) as picture:
        picture.convert("RGB").save(bare, format="PNG")
    return bare.getvalue()


def generation_in(picture: Path) -> Generation:
    """The generation a PNG of ours carries. Raises ``UserError`` when it is no such picture."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(picture) as image:
            text = getattr(image, "text", {}).get(PNG_KEY)
    except (OSError, UnidentifiedImageError) as fault:
        raise UserError("no_picture", path=str(picture)) from fault
    if text is None:
        raise UserError("no_plan_in_picture", path=str(picture))
    return from_json(Generation, text)
