"""Work on many items in threads, in order, with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Generator[Result, None, None]:
    """Yield ``work(item)`` for every item, in the order of the items.

    ``workers`` threads stay at most ``ahead`` items in front of the consumer, so that no more than
    that many results are held. Items are drawn in the caller's thread.

    Raises:
        Exception: The first one that ``work`` or ``items`` raised; nothing new is begun then.
    """
    source = iter(items)
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="sightline-reading")
    try:
        waiting.extend(pool.submit(work, item) for item in islice(source, ahead))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(source, 1))
            yield done
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
