# SPDX-License-Identifier: Apache-2.0
"""The cost of waiting for 1, 50 and 500 Report runs at once with one token, and the delay until their ends are seen.

`python -m tests.benchmarks.polling` (about 5 minutes) compares our triggers, all in one event loop as in one triggerer,
with a poll every 5 seconds, with permits of the same budget and without a budget. Each row has a separate emulator,
process and token; first those with a budget run at the same time, then the others. The row of one run summarizes
several separate ones.

A run takes 1 to 8 minutes; the expected runtime of a Report has a random error of 10 % (one standard deviation). All
times, including the rate limit's, are divided by `--hurry`, and lags are multiplied by it. The limiter's margin for the
network is not divided, so `--hurry` reduces the budget.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import logging
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.connections import connection_of

CONTEXT = multiprocessing.get_context("spawn")
SHORTEST_SECONDS, LONGEST_SECONDS, OFF_BY = 60.0, 480.0, 0.1
FIXED_SECONDS = 5.0


@dataclass(frozen=True)
class Row:
    """One row of the table.

    :param runs: how many run at once.
    :param reports: the number of their Reports.
    :param how: `ours`, `fixed` within our budget, or `fixed alone` without a budget.
    :param number: distinguishes repeated measurements.
    """

    runs: int
    reports: int
    how: str
    number: int = 0


@dataclass(frozen=True)
class Waiting:
    """One run to wait for; its seconds are already divided by `--hurry`."""

    report: str
    run: str
    seconds: float
    expected_seconds: float


@dataclass(frozen=True)
class Measured:
    """The result of a row: the polls of each run, and the delay until its end was seen, without `--hurry`."""

    row: Row
    polls: list[float]
    lags: list[float]
    runtimes: list[float]
    requests: int
    throttled: int


def start_runs(emulator: Any, row: Row, hurry: float) -> list[Waiting]:
    """Start all runs at once without the API, because only waiting is measured."""
    rng, workspace = random.Random(f"{row.runs}/{row.number}"), emulator._state.workspace
    now = emulator._state.clock.now()
    tokens = [emulator.control.add_report() for _ in range(row.reports)]
    waiting = []
    for number in range(row.runs):
        report = workspace.reports[tokens[number % row.reports]]
        expected = rng.uniform(SHORTEST_SECONDS, LONGEST_SECONDS) / hurry
        seconds = expected * rng.lognormvariate(0.0, OFF_BY)
        report.next_outcome, report.next_runtime_seconds = "succeeded", seconds
        run = workspace.start_run(report, now, {}, workspace.name)
        waiting.append(Waiting(report.token, run.token, seconds, expected))
    return waiting


Ends = dict[str, datetime]


def wait_with_triggers(url: str, waiting: list[Waiting], hurry: float) -> Ends:
    """Wait like one triggerer."""
    from airflow_provider_studio.client.run_polling import PollPolicy
    from airflow_provider_studio.triggers.reports import StudioReportRunTrigger

    usual = PollPolicy()
    policy = asdict(usual) | {
        "shortest_seconds": usual.shortest_seconds / hurry,
        "longest_seconds": usual.longest_seconds / hurry,
    }
    now = datetime.now(UTC)
    ends: Ends = {}

    async def wait(run: Waiting) -> None:
        trigger = StudioReportRunTrigger(
            studio_conn_id="studio_default",
            report=run.report,
            run=run.run,
            deadline=(now + timedelta(hours=1)).isoformat(),
            began=now.isoformat(),
            expected_seconds=run.expected_seconds,
            poll_policy=policy,
        )
        async for event in trigger.run():
            assert event.payload["event"] == "over", event
            ends[run.run] = datetime.now(UTC)

    async def wait_for_all() -> None:
        await asyncio.gather(*(wait(run) for run in waiting))

    asyncio.run(wait_for_all())
    return ends


def poll_every(interval: float, waiting: list[Waiting], poll: Callable[[Waiting], bool], threads: int) -> Ends:
    """Wait with a loop that polls each run at a fixed interval."""
    ends: Ends = {}

    def follow(run: Waiting) -> float | None:
        """Poll; return when to poll again."""
        if poll(run):
            ends[run.run] = datetime.now(UTC)
            return None
        return time.monotonic() + interval

    due = [(time.monotonic() + interval * random.random(), run) for run in waiting]
    with ThreadPoolExecutor(threads) as pool:
        polling: dict[Any, Waiting] = {}
        while due or polling:
            now = time.monotonic()
            for _, run in [pair for pair in due if pair[0] <= now]:
                polling[pool.submit(follow, run)] = run
            due = [pair for pair in due if pair[0] > now]
            for done in [future for future in polling if future.done()]:
                run, again = polling.pop(done), done.result()
                if again is not None:
                    due.append((again, run))
            time.sleep(0.01)
    return ends


def wait_within_budget(url: str, waiting: list[Waiting], hurry: float) -> Ends:
    """Poll at a fixed interval with the client and its budget."""
    from airflow_provider_studio.hooks.studio import StudioHook

    client = StudioHook().client

    def poll(run: Waiting) -> bool:
        return client.get_report_run(run.report, run.run).is_seen_over

    return poll_every(FIXED_SECONDS / hurry, waiting, poll, threads=8)


def wait_alone(url: str, waiting: list[Waiting], hurry: float) -> Ends:
    """Poll at a fixed interval without a budget; a refused poll counts as one without a result."""
    from airflow_provider_studio.emulator import StudioEmulator

    credentials = b64encode(":".join(StudioEmulator.credentials()).encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Accept": "application/hal+json"}
    free: list[http.client.HTTPConnection] = []

    def poll(run: Waiting) -> bool:
        connection = free.pop() if free else http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        connection.request("GET", f"/api/acme/reports/{run.report}/runs/{run.run}", headers=headers)
        response = connection.getresponse()
        body = response.read()
        free.append(connection)
        return response.status == 200 and json.loads(body)["state"] == "succeeded"

    return poll_every(FIXED_SECONDS / hurry, waiting, poll, threads=8)


WAYS = {"ours": wait_with_triggers, "fixed": wait_within_budget, "fixed alone": wait_alone}


def measure(row: Row, hurry: float, results: Any) -> None:
    """Measure a row in a separate process."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "AIRFLOW_HOME": folder,
            "AIRFLOW__STUDIO__RATE_LIMIT_URL": f"sqlite:///{folder}/ratelimit.db",
        }
        import airflow_provider_studio.triggers.reports  # noqa: F401  a slow import, which must be finished before the runs start
        from airflow_provider_studio.emulator import StudioEmulator

        with StudioEmulator("acme", reports=1) as emulator:
            emulator.control.set_rate_limit(enabled=True, interval_seconds=10.0 / hurry)
            os.environ["AIRFLOW_CONN_STUDIO_DEFAULT"] = connection_of(emulator, rate_limit_seconds=10.0 / hurry)

            began = datetime.now(UTC)
            waiting = start_runs(emulator, row, hurry)
            ends = WAYS[row.how](emulator.url, waiting, hurry)
            results.put(_measured(row, waiting, ends, began, emulator.control.requests_summary(), hurry))


def _measured(
    row: Row, waiting: list[Waiting], ends: Ends, began: datetime, log: dict[str, Any], hurry: float
) -> Measured:
    requests_by_path = Counter(request["path"] for request in log["requests"])
    of_report = Counter(run.report for run in waiting)
    polls, lags = [], []
    for run in waiting:
        runs = f"/api/acme/reports/{run.report}/runs"
        polls.append(requests_by_path[f"{runs}/{run.run}"] + requests_by_path[runs] / of_report[run.report])
        lags.append(((ends[run.run] - began).total_seconds() - run.seconds) * hurry)
    runtimes = [run.seconds * hurry for run in waiting]
    return Measured(row, polls, lags, runtimes, log["total"], log["by_status"].get("429", 0))


def all_measured(rows: list[Row], hurry: float) -> list[Measured]:
    """Measure rows at the same time, each in a separate process."""
    results = CONTEXT.Queue()
    processes = [CONTEXT.Process(target=measure, args=(row, hurry, results)) for row in rows]
    for process in processes:
        process.start()
    measured = [results.get(timeout=1800) for _ in rows]
    for process in processes:
        process.join()
    return measured


def line(group: list[Measured]) -> str:
    """Return a line of the table."""
    row = group[0].row
    polls = [number for measured in group for number in measured.polls]
    lags = [seconds for measured in group for seconds in measured.lags]
    runtimes = [seconds for measured in group for seconds in measured.runtimes]
    shares = [100 * lag / runtime for lag, runtime in zip(lags, runtimes, strict=True)]
    late = sum(lag >= max(5.0, 0.1 * runtime) for lag, runtime in zip(lags, runtimes, strict=True))
    return (
        f"{row.runs:>5}{row.reports:>9}  {row.how:<13}{statistics.median(polls):>9.2f}{max(polls):>7.1f}"
        f"{statistics.median(lags):>8.1f}{statistics.median(shares):>7.1f}{100 * late / len(lags):>8.1f}"
        f"{sum(measured.requests for measured in group):>10}{sum(measured.throttled for measured in group):>7}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hurry", type=float, default=2.0, help="divisor of all times")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    arguments = parser.parse_args()
    sizes = [(1, 1, number) for number in range(4)] + [(50, 50, 0), (500, 500, 0), (500, 25, 0)]
    rows = [Row(runs, reports, how, number) for how in arguments.ways for runs, reports, number in sizes]
    parallel = [row for row in rows if row.how != "fixed alone"]
    groups: dict[tuple[int, int, int], list[Measured]] = {}
    for rows_at_once in (parallel, [row for row in rows if row not in parallel]):
        for measured in all_measured(rows_at_once, arguments.hurry):
            key = (measured.row.runs, -measured.row.reports, list(WAYS).index(measured.row.how))
            groups.setdefault(key, []).append(measured)
    print(
        f"{'runs':>5}{'Reports':>9}  {'polls':<13}{'median':>9}{'most':>7}{'lag s':>8}{'lag %':>7}{'late %':>8}", end=""
    )
    print(f"{'requests':>10}{'429':>7}")
    for _, group in sorted(groups.items()):
        print(line(group))
    print("polls: requests per run; lag: median; late: seen later than the larger of 5 s and 10 % of the runtime")


if __name__ == "__main__":
    main()
