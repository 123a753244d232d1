# SPDX-License-Identifier: Apache-2.0
"""The threads of a crawl: a few requests run at once, so that slow responses leave no budget unused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class CrawlThreads:
    """Does work for each of many items.

    :param threads: how many items at once.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self.stop = threading.Event()
        """Set after the first error: the work in progress should end soon."""

    def each(self, work: Callable[[ItemT], ResultT], items: Sequence[ItemT]) -> list[ResultT]:
        """Return the results in the order of the items. The first error stops the rest; running items are finished."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="studio-crawl") as pool:
            running: list[Future[ResultT]] = [pool.submit(work, item) for item in items]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
            finally:
                if not all(future.done() and future.exception() is None for future in running):
                    self.stop.set()
                    pool.shutdown(cancel_futures=True)
        for future in running:
            if not future.cancelled() and future.exception() is not None:
                raise future.exception()  # type: ignore[misc]
        return [future.result() for future in running]
