# SPDX-License-Identifier: Apache-2.0
"""Who used a token's budget in the last hours, from the usage records of tasks.

A record never changes, so the API server reads each one once.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from upath import UPath

from airflow_provider_studio.governance.file_names import is_record
from airflow_provider_studio.governance.layout import usage_day_folder, usage_folder
from airflow_provider_studio.governance.storage import explained
from airflow_provider_studio.hooks.usage import UsageRecord

BUCKETS = 48
"""How many bars a chart has."""
_MOST_KEPT = 50_000


@dataclass
class UsageLine:
    """The requests of one source.

    :param source: a DAG and its task; None for the triggerer.
    """

    source: tuple[str, ...] | None
    requests: int = 0
    rate_limited: int = 0
    seconds_waited: float = 0.0
    last_at: str = ""

    def add(self, record: UsageRecord) -> None:
        """Add a record."""
        self.requests += record.requests
        self.rate_limited += record.rate_limited
        self.seconds_waited += record.seconds_waited
        self.last_at = max(self.last_at, record.ended)


@dataclass
class TokenBudget:
    """The use of one token's budget, by source.

    :param connections: the connections that use the token, of those that the user may see.
    :param hidden_requests: requests of DAGs that the user may not read.
    :param buckets: start, requests and seconds waited of each period, oldest first.
    """

    budget: str
    workspace: str
    connections: list[str] = field(default_factory=list)
    total: UsageLine = field(default_factory=lambda: UsageLine(None))
    lines: list[UsageLine] = field(default_factory=list)
    endpoints: list[tuple[str, int]] = field(default_factory=list)
    hidden_requests: int = 0
    buckets: list[tuple[datetime, int, float]] = field(default_factory=list)


class UsageReader:
    """Reads the records of the last hours."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, UsageRecord] = OrderedDict()

    def records(self, storage: UPath, workspace: str, since: datetime) -> list[UsageRecord]:
        """Return the records that ended since a time, oldest first.

        :raises StorageError: the storage cannot be read.
        """
        paths: list[UPath] = []
        with explained("read the usage records in", usage_folder(storage, workspace)):
            day, last = since.astimezone(UTC).date(), datetime.now(UTC).date()
            while day <= last:
                folder = usage_day_folder(storage, workspace, day)
                if folder.exists():
                    paths += [path for path in folder.iterdir() if is_record(path.name)]
                day += timedelta(days=1)
            self._read([path for path in paths if path.path not in self._known])
        found = [self._known[path.path] for path in paths if path.path in self._known]
        recent = (record for record in found if record.ended >= since.isoformat())
        return sorted(recent, key=lambda record: record.ended)

    def _read(self, paths: Sequence[UPath]) -> None:
        if not paths:
            return
        # One call for all paths: object stores serve many in parallel.
        contents = paths[0].fs.cat([path.path for path in paths], on_error="omit")
        by_name = {path.path.lstrip("/"): path.path for path in paths}
        for name, content in contents.items():
            try:
                record = UsageRecord.of(json.loads(content))
            except (ValueError, TypeError):
                continue  # a record of another version, or an incomplete one
            self._known[by_name.get(str(name).lstrip("/"), str(name))] = record
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)


def budgets(
    records: Iterable[UsageRecord], readable_dags: set[str], *, since: datetime, until: datetime
) -> list[TokenBudget]:
    """Return the use of each token's budget, the most used first.

    :param readable_dags: DAGs whose names may be shown; the requests of other DAGs are one number.
    """
    by_budget: dict[str, list[UsageRecord]] = {}
    for record in records:
        by_budget.setdefault(record.budget, []).append(record)
    found = [_budget(key, group, readable_dags, since, until) for key, group in by_budget.items()]
    return sorted(found, key=lambda budget: -budget.total.requests)


def _budget(
    key: str, records: Sequence[UsageRecord], readable_dags: set[str], since: datetime, until: datetime
) -> TokenBudget:
    budget = TokenBudget(key, records[-1].workspace)
    budget.connections = sorted({record.connection for record in records})
    lines: dict[tuple[str, ...] | None, UsageLine] = {}
    endpoints: Counter[str] = Counter()
    for record in records:
        budget.total.add(record)
        endpoints.update(record.endpoints)
        if record.dag_id is not None and record.dag_id not in readable_dags:
            budget.hidden_requests += record.requests
            continue
        source = None if record.dag_id is None else (record.dag_id, record.task_id or "")
        lines.setdefault(source, UsageLine(source)).add(record)
    budget.lines = sorted(lines.values(), key=lambda line: -line.requests)
    budget.endpoints = endpoints.most_common(8)
    budget.buckets = _buckets(records, since, until)
    return budget


def _buckets(records: Iterable[UsageRecord], since: datetime, until: datetime) -> list[tuple[datetime, int, float]]:
    width = (until - since) / BUCKETS
    requests, waits = [0.0] * BUCKETS, [0.0] * BUCKETS
    for record in records:
        # A record covers about a minute; it counts in the bucket in which it ended.
        place = min(BUCKETS - 1, max(0, int((datetime.fromisoformat(record.ended) - since) / width)))
        requests[place] += record.requests
        waits[place] += record.seconds_waited
    return [(since + width * place, int(requests[place]), waits[place]) for place in range(BUCKETS)]


def of_task(
    records: Iterable[UsageRecord], dag_id: str, run_id: str | None = None, task_id: str | None = None
) -> list[UsageRecord]:
    """Return the records of a DAG, a run of it, or a task of that run."""
    return [
        record
        for record in records
        if record.dag_id == dag_id and run_id in {None, record.run_id} and task_id in {None, record.task_id}
    ]
