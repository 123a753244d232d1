# SPDX-License-Identifier: Apache-2.0
"""The duration of facts and of a plan with a year of snapshots, from rolling history and from all rows.

`python -m tests.benchmarks.history --reports 100000 --nights 365` first writes the snapshots (several minutes, about
2 GB). Each measurement runs in a separate process, to measure its peak of memory.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from upath import UPath

from airflow_provider_studio.governance.snapshots.rolling_history import write_history
from airflow_provider_studio.governance.snapshots.schema import kinds_of
from airflow_provider_studio.governance.snapshots.store import (
    Snapshot,
    SnapshotStore,
)

NEWEST = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
_REPORT = {
    "name": "'Report ' || n",
    "type": "'Report'",
    "collection": "'c' || n % 500",
    "collection_name": "'Collection ' || n % 500",
    "creator": "'member' || n % 300",
    "archived": "n % 13 = 0",
    "created_at": "TIMESTAMP '2023-01-01' + INTERVAL (n % 900) DAY",
    "edited_at": "TIMESTAMP '2024-06-01' + INTERVAL (n % 500) DAY",
    "last_run_at": "taken_at - INTERVAL (n % 40) DAY",
    "last_run_by_schedule": "n % 10 = 0",
    "last_run_failed": "n % 97 = 0",
    "view_count": "if(n % 4 = 0, n % 50, n % 50 + (night * (n % 7)) // 10)",
    "runs_count": "n % 30 + night // (1 + n % 20)",
    "schedules_count": "if(n % 10 = 0, 1, 0)",
    "query_count": "1",
    "web_url": "'https://app.mode.com/acme/reports/' || printf('%012x', n)",
    "description": "'What the team looks at on Mondays.'",
    "source": "'rest'",
    "unknown": "false",
    "seen_at": "taken_at",
    "verified_at": "taken_at",
    "is_embedded": "false",
    "public": "false",
}
_SCHEDULE = {
    "report": "printf('%012x', n)",
    "name": "'Untitled schedule'",
    "frequency": "'daily'",
    "freq": "'daily'",
    "time_zone": "'UTC'",
    "last_run_at": "taken_at - INTERVAL 1 HOUR",
    "last_run_failed": "n % 97 = 0",
    "subscriber_count": "0",
    "verified_at": "taken_at",
}


def _table(
    path: Path, columns: dict[str, str], expressions: dict[str, str], rows: str, night: int, taken_at: datetime
) -> None:
    values = {"taken_at": "taken_at", "token": "printf('%012x', n)", **expressions}
    select = ", ".join(f"({values.get(name, 'NULL')})::{kind} AS {name}" for name, kind in columns.items())
    source = f"(SELECT n, {night} AS night, TIMESTAMP '{taken_at:%Y-%m-%d %H:%M:%S}' AS taken_at FROM {rows})"
    duckdb.sql(f"COPY (SELECT {select} FROM {source}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


def make_nights(store: SnapshotStore, reports: int, nights: int) -> float:
    """Write the snapshots; return the average seconds to update the rolling history for one of them."""
    remembering = 0.0
    for night in range(nights):
        taken_at = NEWEST - timedelta(days=nights - 1 - night)
        folder = Path(str(store.folder_of(taken_at)))
        if (folder / "history.json").exists():  # written by an earlier try
            continue
        folder.mkdir(parents=True, exist_ok=True)
        _table(folder / "reports.parquet", kinds_of("reports"), _REPORT, f"range({reports}) AS r(n)", night, taken_at)
        every_tenth = f"range(0, {reports}, 10) AS r(n)"
        _table(folder / "schedules.parquet", kinds_of("schedules"), _SCHEDULE, every_tenth, night, taken_at)
        (folder / "summary.json").write_text('{"collection_filter": "custom"}')
        began = time.monotonic()
        write_history(store, Snapshot(UPath(folder), taken_at))
        remembering += time.monotonic() - began
    return remembering / nights


_FACTS = """
from airflow_provider_studio.governance.snapshots.facts import facts
with facts(store.all()) as connection:
    stale = "NOT archived AND views_90d = 0 AND edited_at < TIMESTAMP '2026-03-01' AND failures_30d IS NOT NULL"
    print(connection.execute(f"SELECT count(*) FROM facts WHERE {stale}").fetchone()[0], end=" ")
"""
_PLAN = """
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
print(len(make_plan(store.storage, "acme", StalenessPolicy(unviewed_days=90)).reports), end=" ")
"""
_ROWS = """
from airflow_provider_studio.governance.snapshots import facts as module
module.has_history = lambda snapshots: False
"""


def measured(storage: str, code: str) -> tuple[str, float, float]:
    """Run code in a process; return its result, the seconds, and its peak of memory in MiB."""
    whole = (
        "import time\nfrom upath import UPath\n"
        "from airflow_provider_studio.governance.snapshots.store import SnapshotStore\n"
        f"store = SnapshotStore(UPath({storage!r}), 'acme')\nbegan = time.monotonic()\n{code}\n"
        # Not ru_maxrss, which a process inherits from its parent.
        "seconds = time.monotonic() - began\nwith open('/proc/self/status') as status:\n"
        "    peak = next(int(line.split()[1]) for line in status if line.startswith('VmHWM'))\n"
        "print(seconds, peak / 1024)"
    )
    ran = subprocess.run([sys.executable, "-c", whole], check=True, capture_output=True, text=True)
    found, seconds, memory = ran.stdout.split()
    return found, float(seconds), float(memory)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--reports", type=int, default=100_000)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--storage", help="keep the nights here, and use those that are there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = options.storage or scratch
        store = SnapshotStore(UPath(root), "acme")
        if len(store.all()) < options.nights:
            a_night = make_nights(store, options.reports, options.nights)
            print(f"{'a night remembers':<28}{'':>10}{a_night:>10.2f} s")
        print(f"{options.reports:,} Reports x {len(store.all())} nights{'stale':>10}{'seconds':>10}{'MiB':>8}")
        cases = {"facts, remembered": _FACTS, "facts, all rows": _ROWS + _FACTS, "a whole plan": _PLAN}
        for name, code in cases.items():
            found, seconds, memory = measured(root, code)
            print(f"{name:<28}{found:>10}{seconds:>10.2f}{memory:>8.0f}")


if __name__ == "__main__":
    main()
