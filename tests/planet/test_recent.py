from __future__ import annotations

import threading

import pytest

from sightline.planet.recent import Recent


def test_the_least_recently_asked_for_goes_first() -> None:
    made: list[str] = []

    def value(key: str) -> str:
        return recent.get(key, lambda: made.append(key) or key.upper())  # type: ignore[func-returns-value]

    recent: Recent[str, str] = Recent(2)
    assert [value(key) for key in "abacabb"] == list("ABACABB")
    assert made == list("abcb")
    assert len(recent) == 2


def test_large_ones_count_for_more() -> None:
    recent: Recent[int, int] = Recent(4, size=float)
    for key in (1, 2, 1, 3):
        recent.get(key, lambda key=key: -key)  # type: ignore[misc]
    assert len(recent) == 2  # 1 and 3
    assert recent.get(1, lambda: 0) == -1
    assert recent.get(3, lambda: 0) == -3
    assert recent.get(9, lambda: -9) == -9
    assert len(recent) == 1  # too large, but asked for last
    assert recent.get(9, lambda: 0) == -9


def test_what_cannot_be_made_is_not_kept() -> None:
    recent: Recent[int, int] = Recent(2)
    with pytest.raises(ZeroDivisionError):
        recent.get(1, lambda: 1 // 0)
    assert recent.get(1, lambda: 7) == 7


def test_threads_share_it() -> None:
    recent: Recent[int, int] = Recent(3)
    wrong: list[int] = []
    done: list[int] = []

    def work(start: int) -> None:
        for step in range(4000):
            key = (start * 7 + step * 3) % 5
            if recent.get(key, lambda key=key: key * key) != key * key:  # type: ignore[misc]
                wrong.append(key)
        done.append(start)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sorted(done) == [0, 1, 2, 3]  # none ended with an error
