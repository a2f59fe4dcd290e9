"""Pictures on the disk: ComfyUI's numbering and folder rules, PNG texts, whole files only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from ..files import write_whole
from .host import metadata_is_wanted


@dataclass(frozen=True)
class Picture:
    """One image to write: ``pixels`` float, shape (height, width, 3), 0–1."""

    path: Path
    subfolder: str
    pixels: Any


def pictures(images: Any, filename_prefix: str) -> Iterator[Picture]:
    """Name every image of a batch, shape (batch, height, width, 3), as ComfyUI's Save Image would. The host
    refuses prefixes that lead out of its output folder."""
    import folder_paths

    height, width = images[0].shape[0], images[0].shape[1]
    output = folder_paths.get_output_directory()
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(filename_prefix, output, width, height)
    for number, pixels in enumerate(images):
        numbered = name.replace("%batch_num%", str(number))
        yield Picture(Path(folder) / f"{numbered}_{counter + number:05}_.png", subfolder, pixels)


def write_png(picture: Picture, texts: dict[str, str]) -> None:
    """Write a PNG with text chunks (none when ComfyUI runs with --disable-metadata)."""
    import numpy
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for key, text in texts.items() if metadata_is_wanted() else ():
        chunks.add_text(key, text) if text.isascii() else chunks.add_itxt(key, text)
    raw = numpy.clip(255.0 * picture.pixels.cpu().numpy(), 0, 255).astype(numpy.uint8)
    whole = BytesIO()
    Image.fromarray(raw).save(whole, format="PNG", pnginfo=chunks, compress_level=4)
    write_whole(picture.path, whole.getvalue())
