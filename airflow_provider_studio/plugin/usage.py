# SPDX-License-Identifier: Apache-2.0
"""Who spent a token's budget in the last hours, from the records that tasks leave.

A record never changes, so each is read once in the life of the API server.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from upath import UPath

from airflow_provider_studio.governance.file_names import is_record
from airflow_provider_studio.governance.layout import spending_day, spending_folder
from airflow_provider_studio.governance.storage import explained
from airflow_provider_studio.hooks.usage import Spent

BUCKETS = 48
"""How many bars a chart has."""
_MOST_KEPT = 50_000


@dataclass
class Line:
    """What one spender spent.

    :param spender: a DAG, or a DAG and its task; None for the triggerer.
    """

    spender: tuple[str, ...] | None
    requests: int = 0
    rate_limited: int = 0
    seconds_waited: float = 0.0
    last_at: str = ""

    def add(self, spent: Spent) -> None:
        """Add a record."""
        self.requests += spent.requests
        self.rate_limited += spent.rate_limited
        self.seconds_waited += spent.seconds_waited
        self.last_at = max(self.last_at, spent.ended)


@dataclass
class TokenBudget:
    """What was spent of one token's budget, by whom.

    :param connections: the connections that use the token.
    :param hidden_requests: requests of DAGs that the user may not read.
    :param buckets: requests by time, oldest first: the begin of each, and how many.
    """

    budget: str
    workspace: str
    connections: list[str] = field(default_factory=list)
    total: Line = field(default_factory=lambda: Line(None))
    lines: list[Line] = field(default_factory=list)
    endpoints: list[tuple[str, int]] = field(default_factory=list)
    hidden_requests: int = 0
    buckets: list[tuple[datetime, int, float]] = field(default_factory=list)


class SpendingReader:
    """Reads the records of the last hours."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Spent] = OrderedDict()

    def records(self, storage: UPath, workspace: str, since: datetime) -> list[Spent]:
        """Return what ended since a time, oldest first.

        :raises StorageError: the storage cannot be read.
        """
        paths: list[UPath] = []
        with explained("read the spending records in", spending_folder(storage, workspace)):
            day, last = since.astimezone(UTC).date(), datetime.now(UTC).date()
            while day <= last:
                today = spending_day(storage, workspace, day)
                if today.exists():
                    paths += [one for one in today.iterdir() if is_record(one.name)]
                day += timedelta(days=1)
            self._read([path for path in paths if path.path not in self._known])
        found = [self._known[path.path] for path in paths if path.path in self._known]
        return sorted((one for one in found if one.ended >= since.isoformat()), key=lambda one: one.ended)

    def _read(self, paths: Sequence[UPath]) -> None:
        if not paths:
            return
        # One call for all of them: object stores answer many at a time.
        contents = paths[0].fs.cat([path.path for path in paths], on_error="omit")
        by_name = {path.path.lstrip("/"): path.path for path in paths}
        for name, content in contents.items():
            try:
                spent = Spent.of(json.loads(content))
            except (ValueError, TypeError):
                continue  # another version's record, or half of one
            self._known[by_name.get(str(name).lstrip("/"), str(name))] = spent
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)


def budgets(
    records: Iterable[Spent], readable_dags: set[str], *, since: datetime, until: datetime
) -> list[TokenBudget]:
    """Return what was spent of each token's budget, the busiest first.

    :param readable_dags: DAGs whose names may be shown; what others spent is one number.
    """
    by_budget: dict[str, list[Spent]] = {}
    for record in records:
        by_budget.setdefault(record.budget, []).append(record)
    made = [_budget(key, ones, readable_dags, since, until) for key, ones in by_budget.items()]
    return sorted(made, key=lambda one: -one.total.requests)


def _budget(
    key: str, records: Sequence[Spent], readable_dags: set[str], since: datetime, until: datetime
) -> TokenBudget:
    budget = TokenBudget(key, records[-1].workspace)
    budget.connections = sorted({one.connection for one in records})
    lines: dict[tuple[str, ...] | None, Line] = {}
    endpoints: Counter[str] = Counter()
    for one in records:
        budget.total.add(one)
        endpoints.update(one.endpoints)
        if one.dag_id is not None and one.dag_id not in readable_dags:
            budget.hidden_requests += one.requests
            continue
        spender = None if one.dag_id is None else (one.dag_id, one.task_id or "")
        lines.setdefault(spender, Line(spender)).add(one)
    budget.lines = sorted(lines.values(), key=lambda line: -line.requests)
    budget.endpoints = endpoints.most_common(8)
    budget.buckets = _buckets(records, since, until)
    return budget


def _buckets(records: Iterable[Spent], since: datetime, until: datetime) -> list[tuple[datetime, int, float]]:
    width = (until - since) / BUCKETS
    requests, waits = [0.0] * BUCKETS, [0.0] * BUCKETS
    for one in records:
        # A record tells of up to a minute or so; it counts where it ended.
        place = min(BUCKETS - 1, max(0, int((datetime.fromisoformat(one.ended) - since) / width)))
        requests[place] += one.requests
        waits[place] += one.seconds_waited
    return [(since + width * place, int(requests[place]), waits[place]) for place in range(BUCKETS)]


def of_task(
    records: Iterable[Spent], dag_id: str, run_id: str | None = None, task_id: str | None = None
) -> list[Spent]:
    """Return the records of a DAG, a run of it, or a task of that run."""
    return [
        one
        for one in records
        if one.dag_id == dag_id and run_id in {None, one.run_id} and task_id in {None, one.task_id}
    ]
