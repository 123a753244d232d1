# SPDX-License-Identifier: Apache-2.0
"""Work on several things at once: the token's budget is spent while answers are on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def run_concurrently(work: Callable[[Item], None], things: Iterable[Item], concurrency: int) -> None:
    """Work on each thing, so many at once. The first that raises ends the rest; those on their way are finished."""
    if concurrency <= 1:
        for thing in things:
            work(thing)
        return
    with ThreadPoolExecutor(concurrency, thread_name_prefix="studio") as pool:
        futures = [pool.submit(work, thing) for thing in things]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
