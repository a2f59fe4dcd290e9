"""How often each model was used, on both databases."""

from __future__ import annotations

from pack.learning.store import Store
from pack.learning.usage import Usage
from told import made


def test_every_picture_counts_for_what_made_it(store: Store) -> None:
    assert store.usage(Usage()) == Usage()
    store.tell(made("g1", loras={"ink": 0.8, "glow": 0.4}))
    store.tell(made("g2", loras={"ink": 0.5}))
    found = store.usage(Usage())
    assert found.loras == {"ink": 2, "glow": 1} and found.models == {"base.safetensors": 2}


def test_it_is_counted_on_from_what_was_known(store: Store) -> None:
    store.tell(made("g1"))
    before = store.usage(Usage())
    assert store.usage(before) is before
    pretended = Usage(before.first, before.last, {"ink": 100}, {"base.safetensors": 100})
    store.tell(made("g2"))
    after = store.usage(pretended)
    assert after.loras == {"ink": 101} and after.models == {"base.safetensors": 101}  # only what came since was read


def test_dropped_records_are_counted_anew(store: Store) -> None:
    for number in range(3):
        store.tell(made(f"g{number}", at=1000.0 + number * 86_400))
    before = store.usage(Usage())
    dropped = store.keep(1.5, now=1000.0 + 3 * 86_400)
    after = store.usage(before)
    assert 0 < dropped < 3 and after.loras == {"ink": 3 - dropped} and before.loras == {"ink": 3}
    store.erase()
    assert store.usage(after) == Usage()
