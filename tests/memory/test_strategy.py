"""The strategy that is chosen when sampling begins."""

from __future__ import annotations

import pytest
from pack.choices import Offload
from pack.memory.strategy import Room, choose


@pytest.mark.parametrize(
    ("free", "others", "needed", "chosen"),
    [
        (10, 0, 10, Offload.NONE),
        (10, 90, 10, Offload.NONE),
        (10, 5, 11, Offload.BALANCED),
        (10, 5, 15, Offload.BALANCED),
        (10, 5, 16, Offload.AGGRESSIVE),
        (0, 0, 1, Offload.AGGRESSIVE),
    ],
)
def test_the_first_that_fits(free: int, others: int, needed: int, chosen: Offload) -> None:
    assert choose(Room(free, others, needed)) is chosen
