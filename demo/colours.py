"""The words that the puppets understand, and the colours they stand for."""

from __future__ import annotations

import numpy as np

from .sparse import Array

# Row of the word in CLIP's vocabulary ("<word></w>" in comfy/sd1_tokenizer/vocab.json) and its colour.
WORDS = {
    "red": (736, "ff0000"),
    "green": (1901, "00c000"),
    "blue": (1746, "0000ff"),
    "yellow": (4481, "ffff00"),
    "magenta": (38091, "ff00ff"),
    "teal": (22821, "008080"),
    "turquoise": (19899, "40e0d0"),
    "white": (1579, "ffffff"),
    "black": (1449, "000000"),
    "gray": (7048, "808080"),
    "grey": (5046, "808080"),
    "orange": (4287, "ff8000"),
    "purple": (5496, "8000c0"),
    "pink": (3360, "ff80c0"),
    "brown": (2866, "804020"),
    "violet": (16118, "8000ff"),
    "gold": (2209, "ffc020"),
    "silver": (3467, "c0c0c8"),
    "navy": (5598, "000080"),
    "maroon": (20501, "800020"),
    "olive": (9898, "808000"),
    "lime": (11193, "80ff00"),
    "crimson": (19437, "dc143c"),
    "indigo": (21002, "4b0082"),
    "beige": (26677, "f0e8d0"),
    "coral": (12054, "ff7f50"),
    "mint": (7506, "98ff98"),
    "lemon": (7184, "fff44f"),
    "rose": (3568, "ff4080"),
    "ivory": (16776, "fffff0"),
    "sky": (2390, "60b0ff"),
    "sea": (2102, "0060c0"),
    "ocean": (4918, "0050a0"),
    "forest": (4167, "106020"),
    "grass": (5922, "40a020"),
    "fire": (1769, "ff5000"),
    "night": (930, "101040"),
    "snow": (2583, "f0f8ff"),
    "sand": (5094, "e0c890"),
    "desert": (7301, "e0b070"),
    "sunset": (3424, "ff7040"),
    "dark": (3144, "202020"),
    "bright": (4852, "f0f0f0"),
    "sun": (2176, "ffd040"),
    "moon": (3293, "d0d0e0"),
}

# A word gives a quarter of its colour at cfg 1, so cfg 4 reaches the full one.
AMPLITUDE = 0.25
# Standard deviation of a latent pixel around the wanted colour: what the seed decides.
PRIOR = 0.30


def rgb(hexadecimal: str) -> Array:
    """``(3,)`` red, green, blue in −1…1 from six hexadecimal digits."""
    return np.array([byte / 127.5 - 1 for byte in bytes.fromhex(hexadecimal)], np.float32)
