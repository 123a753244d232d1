# SPDX-License-Identifier: Apache-2.0
"""A record of the requests that each task sends: one small JSON object per minute and task, in `{storage}/usage`.

It names the connection, the DAG and the task, and counts requests, waits and 429s by endpoint; the token is stored as a
hash. It sends no request and takes a few milliseconds per minute. A record that cannot be written is lost with one
warning; the task continues.
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

INTERVAL_SECONDS = 60.0
RETENTION = timedelta(days=14)


@dataclass(frozen=True)
class RequestSource:
    """The sender of requests: a task, or the triggerer for deferred tasks, which share their polls."""

    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None

    @classmethod
    def current(cls) -> Self:
        """Return the task that this process runs, or an empty source."""
        from airflow.sdk import get_current_context

        try:
            ti = get_current_context()["ti"]
        except Exception:  # noqa: BLE001  no task; Airflow's versions raise different errors
            return cls()
        return cls(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number)


@dataclass
class UsageRecord:
    """The requests that were used between two times.

    :param budget: the beginning of the hash that names the token's budget.
    :param requests: sends, including retries.
    :param rate_limited: the number of 429s.
    :param seconds_waited: seconds of waiting for permits.
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
        """Read a record; keys of later versions are skipped."""
        return cls(**{name: value for name, value in record.items() if name in cls.__dataclass_fields__})


class SpendingRecorder:
    """Counts the sends of one client, and writes the counts at most once a minute, and at each `flush`.

    :param storage: returns the storage root; called when there is something to write.
    :param budget_key: the name of the token's budget: a hash.
    :param source: the sender of the requests.
    :param later: calls a function after a number of seconds, unless it is cancelled.
    """

    def __init__(
        self,
        storage: Callable[[], UPath],
        *,
        workspace: str,
        connection: str,
        budget_key: str,
        source: RequestSource | None = None,
        now: Callable[[], datetime] = utcnow,
        later: Callable[[float, Callable[[], None]], threading.Timer] | None = None,
    ) -> None:
        self._storage = storage
        self._workspace, self._connection, self._budget = workspace, connection, budget_key[:12]
        self._source = source or RequestSource()
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
                self._timer = self._later(INTERVAL_SECONDS, self.flush)
            self._endpoints[f"{sent.method} {sent.endpoint}".rstrip()] += 1
            self._rate_limited += sent.status == 429
            self._seconds_waited += sent.seconds_waited

    def flush(self) -> None:
        """Write the counts since the last flush; never raises."""
        with self._lock:
            record = self._take()
        if record is None:
            return
        try:
            self._write(record)
        except Exception as error:  # noqa: BLE001  an error here must not fail a task
            if not self._warned:
                self._warned = True
                log.warning("Requests are not recorded: %s", error)

    def _take(self) -> UsageRecord | None:
        if self._timer is not None:
            self._timer.cancel()
        if self._begun is None:
            return None
        record = UsageRecord(
            self._workspace,
            self._connection,
            self._budget,
            self._begun.isoformat(),
            self._now().isoformat(),
            **asdict(self._source),
            requests=self._endpoints.total(),
            rate_limited=self._rate_limited,
            seconds_waited=round(self._seconds_waited, 3),
            endpoints=dict(self._endpoints),
        )
        self._begun, self._timer = None, None
        self._endpoints, self._rate_limited, self._seconds_waited = Counter(), 0, 0.0
        return record

    def _write(self, record: UsageRecord) -> None:
        storage, ended = self._storage(), datetime.fromisoformat(record.ended).astimezone(UTC)
        today = usage_day_folder(storage, self._workspace, ended)
        first_of_the_day = not today.exists()
        name = usage_file(ended, uuid.uuid4().hex[:8])
        write_atomically(today / name, json.dumps(asdict(record), separators=(",", ":")).encode())
        if first_of_the_day:
            remove_old(usage_folder(storage, self._workspace), ended.date() - RETENTION)


def remove_old(folder: UPath, before: date) -> None:
    """Remove the days before a date; another task may do the same."""
    with explained("list", folder):
        days = [day for day in folder.iterdir() if is_day(day.name)]
    for day in days:
        if day.name < day_name(before):
            day.fs.rm(day.path, recursive=True)


def _timer(seconds: float, call: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, call)
    timer.daemon = True  # the process does not wait for it at its end
    timer.start()
    return timer
