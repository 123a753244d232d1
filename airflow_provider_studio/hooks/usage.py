# SPDX-License-Identifier: Apache-2.0
"""A record of who spent a token's budget: one small JSON object a minute and task, under `{storage}/usage`.

It names the connection, the DAG and the task, and counts requests, waits and 429s by endpoint; the token stands in it
as a hash. It costs no request, never more than a few milliseconds a minute, and a record that cannot be written is
lost with one warning: the task goes on.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_studio.governance.file_names import day_name, is_day, usage_file
from airflow_provider_studio.governance.layout import usage_day_folder, usage_folder
from airflow_provider_studio.governance.storage import explained, utcnow, write_atomically

if TYPE_CHECKING:
    from upath import UPath

    from airflow_provider_studio.client.transport import Sent

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
KEPT = timedelta(days=14)


@dataclass(frozen=True)
class RequestSource:
    """Who sends requests: a task, or the triggerer on behalf of deferred tasks, which share their looks."""

    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None

    @classmethod
    def current(cls) -> Self:
        """Return the task that this process runs, if it runs one."""
        from airflow.sdk import get_current_context

        try:
            ti = get_current_context()["ti"]
        except Exception:  # noqa: BLE001  outside of a task there is none, and Airflow's versions say so differently
            return cls()
        return cls(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number)


@dataclass
class Spent:
    """What was spent between two times.

    :param budget: the beginning of the hash that names the token's budget.
    :param requests: sends, retries included.
    :param rate_limited: how many were answered 429.
    :param seconds_waited: seconds spent waiting for permits.
    :param endpoints: requests by method and endpoint, such as `GET reports/runs`.
    """

    workspace: str
    connection: str
    budget: str
    begun: str
    ended: str
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None
    requests: int = 0
    rate_limited: int = 0
    seconds_waited: float = 0.0
    endpoints: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Read a record; keys of later versions are passed over."""
        return cls(**{name: value for name, value in record.items() if name in cls.__dataclass_fields__})


class SpendingRecorder:
    """Counts the sends of one client, and writes what it counted at most once a minute, and when told to.

    :param storage: returns the storage root; asked when there is something to write.
    :param budget_key: names the token's budget: a hash.
    :param spender: who spends.
    :param later: calls a function after so many seconds, unless it is cancelled.
    """

    def __init__(
        self,
        storage: Callable[[], UPath],
        *,
        workspace: str,
        connection: str,
        budget_key: str,
        spender: RequestSource | None = None,
        now: Callable[[], datetime] = utcnow,
        later: Callable[[float, Callable[[], None]], threading.Timer] | None = None,
    ) -> None:
        self._storage = storage
        self._workspace, self._connection, self._budget = workspace, connection, budget_key[:12]
        self._spender = spender or RequestSource()
        self._now = now
        self._later = later or _timer
        self._lock = threading.Lock()
        self._endpoints: Counter[str] = Counter()
        self._rate_limited, self._seconds_waited = 0, 0.0
        self._begun: datetime | None = None
        self._timer: threading.Timer | None = None
        self._warned = False

    def note(self, sent: Sent) -> None:
        """Count one send."""
        with self._lock:
            if self._begun is None:
                self._begun = self._now()
                self._timer = self._later(EVERY_SECONDS, self.flush)
            self._endpoints[f"{sent.method} {sent.endpoint}".rstrip()] += 1
            self._rate_limited += sent.status == 429
            self._seconds_waited += sent.seconds_waited

    def flush(self) -> None:
        """Write what was counted since the last time; never raises."""
        with self._lock:
            spent = self._taken()
        if spent is None:
            return
        try:
            self._write(spent)
        except Exception as error:  # noqa: BLE001  nothing that goes wrong here is worth a task
            if not self._warned:
                self._warned = True
                log.warning("What was spent of the token's budget is not recorded: %s", error)

    def _taken(self) -> Spent | None:
        if self._timer is not None:
            self._timer.cancel()
        if self._begun is None:
            return None
        spent = Spent(
            self._workspace,
            self._connection,
            self._budget,
            self._begun.isoformat(),
            self._now().isoformat(),
            **asdict(self._spender),
            requests=self._endpoints.total(),
            rate_limited=self._rate_limited,
            seconds_waited=round(self._seconds_waited, 3),
            endpoints=dict(self._endpoints),
        )
        self._begun, self._timer = None, None
        self._endpoints, self._rate_limited, self._seconds_waited = Counter(), 0, 0.0
        return spent

    def _write(self, spent: Spent) -> None:
        storage, ended = self._storage(), datetime.fromisoformat(spent.ended).astimezone(UTC)
        today = usage_day_folder(storage, self._workspace, ended)
        first_of_the_day = not today.exists()
        name = usage_file(ended, uuid.uuid4().hex[:8])
        write_atomically(today / name, json.dumps(asdict(spent), separators=(",", ":")).encode())
        if first_of_the_day:
            remove_old(usage_folder(storage, self._workspace), ended.date() - KEPT)


def remove_old(folder: UPath, before: date) -> None:
    """Remove the days before some date; another task may be doing the same."""
    with explained("list", folder):
        days = [one for one in folder.iterdir() if is_day(one.name)]
    for one in days:
        if one.name < day_name(before):
            one.fs.rm(one.path, recursive=True)


def _timer(seconds: float, call: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, call)
    timer.daemon = True  # a process that ends does not wait for it
    timer.start()
    return timer
