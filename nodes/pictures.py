"""Pictures on the disk: ComfyUI's numbering and folder rules, PNG texts, whole files only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from ..errors import BadRequest
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


def picture_named(name: str) -> Path:
    """The file in ComfyUI's output or input folder that goes by this name; "[output]" or "[input]" behind it says which.
    Raises ``BadRequest`` for what is in neither, links and ".." that lead out included."""
    import folder_paths

    named, _, annotation = name.strip().strip("\"'").replace("\\", "/").partition(" [")
    folders = {"output": folder_paths.get_output_directory(), "input": folder_paths.get_input_directory()}
    wanted = [folders[annotation[:-1]]] if annotation[:-1] in folders else list(folders.values())
    found = next((path for folder in wanted if (path := file_below(Path(folder), named))), None)
    if found is None:
        raise BadRequest("picture_not_here", name=name[:200])
    return found


def file_below(folder: Path, name: str) -> Path | None:
    """The file of this relative name, where it really lies below ``folder``."""
    root = folder.resolve()
    try:
        path = (root / name).resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError):  # a name no file system knows
        return None


def output_file(name: str) -> Path | None:
    """A saved picture by its stored name."""
    import folder_paths

    return file_below(Path(folder_paths.get_output_directory()), name)


def images_of(files: Sequence[bytes]) -> Any:
    """Pictures of one size as ComfyUI's IMAGE: float, shape (pictures, height, width, 3), 0–1."""
    import numpy
    import torch
    from PIL import Image

    arrays = []
    for raw in files:
        with Image.open(BytesIO(raw)) as picture:
            arrays.append(_array(picture))
    return torch.from_numpy(numpy.stack(arrays))


def image_of(picture: Any) -> Any:
    """A Pillow picture as ComfyUI's IMAGE of one."""
    import torch

    return torch.from_numpy(_array(picture)[None])


def _array(picture: Any) -> Any:
    import numpy

    return numpy.asarray(picture.convert("RGB"), dtype=numpy.float32) / 255
