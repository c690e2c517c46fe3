from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sightline.datasets.layouts.photo_names import FirstParts

parts = st.text(st.sampled_from("ab1é-.\udc80"), min_size=1, max_size=4).filter(
    lambda part: part[0] != "."
)
names = st.builds(
    "{}{}{}".format,
    parts,
    st.sampled_from(["", "_1", "_2_x", "_"]),
    st.sampled_from([".jpg", ".PNG"]),
)


@given(st.lists(names, max_size=12), st.lists(parts, max_size=4))
def test_names_are_found_as_in_a_dictionary(listed: list[str], asked: list[str]) -> None:
    plain = {Path(name).stem.split("_")[0]: name for name in sorted(listed)}
    packed = FirstParts(listed)
    assert len(packed) == len(listed)
    for first in [*plain, *asked]:
        assert packed.get(first) == plain.get(first)


def test_names_whose_hashes_are_alike_are_told_apart() -> None:
    class Alike(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 7

    # Numbers and their texts do not share hashes, so the shared one is made.
    packed = FirstParts(["12_a.jpg"])
    packed._hashes[0] = 7
    assert packed.get(Alike("13")) is None
    assert packed.get(Alike("12")) == "12_a.jpg"
