# SPDX-License-Identifier: Apache-2.0
"""Process several items concurrently, so that the token's request budget is used while responses are pending."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def run_concurrently(work: Callable[[Item], None], items: Iterable[Item], concurrency: int) -> None:
    """Process items, up to `concurrency` at once. An exception cancels the items that have not started."""
    if concurrency <= 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(concurrency, thread_name_prefix="studio") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
