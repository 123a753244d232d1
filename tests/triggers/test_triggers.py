# SPDX-License-Identifier: Apache-2.0
"""Triggers on a real event loop against the emulator: what they fire, how many requests they send, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioError,
    StudioResponseError,
    StudioRunCancelledError,
    StudioRunFailedError,
    StudioRunTimeoutError,
)
from airflow_provider_studio.client.models import ReportRun
from airflow_provider_studio.emulator import EmulatorControl, StudioEmulator
from airflow_provider_studio.testing import StudioTestReport, StudioTestWorkspace
from airflow_provider_studio.triggers.events import TriggerError, run_of
from airflow_provider_studio.triggers.reports import (
    StudioReportFreshnessTrigger,
    StudioReportRanTrigger,
    StudioReportRunTrigger,
)
from airflow_provider_studio.triggers.run_poller import Workspace
from tests.conftest import client_of
from tests.hand_clock import HandClock
from tests.triggers_by_hand import fired, first_event, started

QUICK = {"shortest_seconds": 0.2, "longest_seconds": 0.2, "jitter": 0.0}


def in_seconds(clock: HandClock, seconds: float) -> str:
    return (clock.now() + timedelta(seconds=seconds)).isoformat()


def watching(clock: HandClock, report: str, run: str, **options: Any) -> StudioReportRunTrigger:
    options = {"deadline": in_seconds(clock, 30), "poll_policy": QUICK, **options}
    return StudioReportRunTrigger(studio_conn_id="studio_default", report=report, run=run, **options)


@pytest.fixture
def report(clock: HandClock, studio_workspace: StudioTestWorkspace, studio_connection: str) -> StudioTestReport:
    return studio_workspace.report("Revenue", queries=2)


@pytest.mark.parametrize("outcome", ["succeeded", "completed"])
def test_a_good_run_is_reported_with_its_times(clock: HandClock, report: StudioTestReport, outcome: str) -> None:
    run = started(report, 0.5, outcome)
    (event,) = fired(clock, watching(clock, report.token, run))
    result = run_of(event, 30)
    assert (result["run"], result["state"], result["report"]) == (run, outcome, report.token)
    assert datetime.fromisoformat(result["completed_at"]) > datetime.fromisoformat(result["created_at"])


@pytest.mark.parametrize(
    ("outcome", "error", "words"),
    [
        ("failed", StudioRunFailedError, "Query 1: SqlUnknownFunction: ERROR"),
        ("cancelled", StudioRunCancelledError, "was cancelled"),
    ],
)
def test_a_bad_run_is_reported_with_its_reason(
    clock: HandClock, report: StudioTestReport, outcome: str, error: type[StudioError], words: str
) -> None:
    (event,) = fired(clock, watching(clock, report.token, started(report, 0.2, outcome)))
    assert json.loads(json.dumps(event)) == event
    with pytest.raises(error, match=words):
        run_of(event, 30)


def test_the_deadline_is_absolute(clock: HandClock, report: StudioTestReport) -> None:
    run = started(report, 600)
    began = clock.now()
    (event,) = fired(clock, watching(clock, report.token, run, deadline=in_seconds(clock, 1.0)))
    assert (clock.now() - began).total_seconds() == pytest.approx(1.0)
    with pytest.raises(StudioRunTimeoutError, match=r"still enqueued after 1 s\. The run continues in Studio"):
        run_of(event, 1.0)
    (again,) = fired(clock, watching(clock, report.token, run, deadline=in_seconds(clock, -5)))
    assert again["event"] == "timeout", "a triggerer that comes back late says so at once"


@pytest.mark.parametrize("status", [404, 500])
def test_failed_polls_are_tolerated_for_a_while(
    clock: HandClock, report: StudioTestReport, studio_emulator: StudioEmulator, status: int, sent_once: None
) -> None:
    run = started(report, 0.1)
    studio_emulator.control.add_fault("status", status=status, path="/runs/", times=3)
    (event,) = fired(clock, watching(clock, report.token, run))
    assert event["state"] == "succeeded"
    studio_emulator.control.add_fault("status", status=status, path="/runs/", times=None)
    (event,) = fired(clock, watching(clock, report.token, run))
    with pytest.raises(TriggerError, match=f"answered {status}") as caught:
        run_of(event, 30)
    assert caught.value.retry_helps


def test_a_refused_token_is_reported_as_not_retryable(
    clock: HandClock, report: StudioTestReport, studio_emulator: StudioEmulator
) -> None:
    run = started(report, 600)
    studio_emulator.control.set_token("emulator-workspace", "revoked")
    (event,) = fired(clock, watching(clock, report.token, run))
    with pytest.raises(TriggerError) as caught:
        run_of(event, 30)
    assert not caught.value.retry_helps


@pytest.mark.parametrize("event", [None, {}, {"event": "party"}])
def test_an_unknown_event_raises(event: dict[str, Any] | None) -> None:
    with pytest.raises(StudioResponseError, match="an unknown event"):
        run_of(event, 30)


def test_an_unknown_state_is_an_error(clock: HandClock, report: StudioTestReport) -> None:
    (event,) = fired(clock, watching(clock, report.token, started(report, 0.1, "paused")))
    assert event["event"] == "error"
    assert "unknown state 'paused'" in event["message"]


def test_waiters_of_one_report_share_their_polls(
    clock: HandClock, studio_workspace: StudioTestWorkspace, report: StudioTestReport
) -> None:
    runs = [started(report, 1.0) for _ in range(15)]
    studio_workspace.control.clear_requests()
    events = fired(clock, *(watching(clock, report.token, run, expected_seconds=1.2) for run in runs))
    assert [event["run"] for event in events] == runs
    assert studio_workspace.control.requests_sent() <= 4


def test_a_run_that_fell_off_the_first_page_is_polled_alone(clock: HandClock, report: StudioTestReport) -> None:
    oldest = started(report, 0.1)
    others = [started(report, 0.1) for _ in range(25)]
    events = fired(clock, watching(clock, report.token, oldest), watching(clock, report.token, others[-1]))
    assert [event["state"] for event in events] == ["succeeded", "succeeded"]


def test_a_cancelled_trigger_stops_polling(
    clock: HandClock, studio_workspace: StudioTestWorkspace, report: StudioTestReport
) -> None:
    run = started(report, 600)

    async def cancel() -> int:
        waiting = asyncio.create_task(first_event(watching(clock, report.token, run)))
        await asyncio.sleep(1.0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0.5)
        return studio_workspace.control.requests_sent()

    sent = clock.run(cancel())
    assert sent >= 2
    clock.run(asyncio.sleep(1.0))
    assert studio_workspace.control.requests_sent() == sent


def test_the_event_loop_is_free_while_a_poll_is_sent(
    clock: HandClock, report: StudioTestReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, on_its_way, may_go_on = StudioClient.get_report_run, threading.Event(), threading.Event()

    def held(client: StudioClient, report: str, run: str) -> ReportRun:
        on_its_way.set()
        assert may_go_on.wait(30), "nothing else ran meanwhile"
        return get(client, report, run)

    monkeypatch.setattr(StudioClient, "get_report_run", held)
    run = started(report, 0.0)

    async def continue_meanwhile() -> dict[str, Any]:
        waiting = asyncio.create_task(first_event(watching(clock, report.token, run)))
        while not on_its_way.is_set():  # noqa: ASYNC110  a thread sets it
            await asyncio.sleep(0.01)
        may_go_on.set()
        return await waiting

    assert asyncio.run(continue_meanwhile())["state"] == "succeeded"


def test_a_kill_says_that_the_run_continues(
    clock: HandClock, report: StudioTestReport, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.run(watching(clock, report.token, "0123456789ab").on_kill())
    assert "Report run 0123456789ab continues in Studio" in capsys.readouterr().out


def test_a_report_becomes_fresh(
    clock: HandClock, studio_workspace: StudioTestWorkspace, report: StudioTestReport
) -> None:
    after = studio_workspace.ago(0)
    options = {"studio_conn_id": "studio_default", "report": report.token, "interval_seconds": 0.2}
    never = StudioReportFreshnessTrigger(**options, newer_than=after.isoformat(), deadline=in_seconds(clock, 0.5))
    assert fired(clock, never)[0] == {"event": "timeout", "newer_than": after.isoformat()}
    run = started(report, 0.3)
    fresh = StudioReportFreshnessTrigger(**options, newer_than=after.isoformat(), deadline=in_seconds(clock, 20))
    assert fired(clock, fresh)[0]["run"] == run


def _events_of(
    clock: HandClock, watcher: StudioReportRanTrigger, meanwhile: Callable[[list[Any]], Awaitable[None]]
) -> list[Any]:
    """Run a watcher while something happens, and return what it fired."""

    async def watch() -> list[Any]:
        events: list[Any] = []

        async def collect() -> None:
            async for event in watcher.run():
                events.append(event.payload)  # noqa: PERF401  the events are used while they arrive

        collecting = asyncio.create_task(collect())
        await asyncio.sleep(0.6)
        await meanwhile(events)
        collecting.cancel()
        return events

    return clock.run(watch())


async def requests_sent(control: EmulatorControl, count: int) -> None:
    """Wait until a number of further requests were sent."""
    enough = await asyncio.to_thread(control.requests_sent) + count
    while await asyncio.to_thread(control.requests_sent) < enough:  # noqa: ASYNC110  another process counts them
        await asyncio.sleep(0.05)


class AssetStore:
    """Stands in for Airflow's store of an asset, which only a triggerer's supervisor can reach."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def aget(self, key: str) -> str | None:
        return self.values.get(key)

    async def aset(self, key: str, value: str) -> None:
        self.values[key] = value


def test_each_new_good_run_is_fired_once_and_over_restarts(clock: HandClock, report: StudioTestReport) -> None:
    started(report, 0.0)
    store = AssetStore()

    def watcher() -> StudioReportRanTrigger:
        made = StudioReportRanTrigger(report=f"studio://acme/reports/{report.token}", interval_seconds=0.2)
        made.asset_state_store = store  # type: ignore[assignment]
        return made

    async def run_twice(events: list[Any]) -> None:
        for outcome in ("succeeded", "failed", "succeeded"):
            await asyncio.to_thread(started, report, 0.0, outcome)
            await asyncio.sleep(0.6)

    events = _events_of(clock, watcher(), run_twice)
    good = [run["token"] for run in report.runs if run["state"] == "succeeded"]
    assert [event["run"] for event in events] == good[1:]
    missed = started(report, 0.0)  # while no triggerer was there

    async def nothing(events: list[Any]) -> None:
        await asyncio.sleep(0.1)

    assert [event["run"] for event in _events_of(clock, watcher(), nothing)] == [missed]


def test_a_report_that_does_not_say_its_last_run_is_not_one_that_never_ran(
    clock: HandClock, studio_workspace: StudioTestWorkspace, report: StudioTestReport
) -> None:
    started(report, 0.0)
    control = studio_workspace.control
    control.set_quirks(missing_keys=["last_successful_run_token"])

    async def say_it(events: list[Any]) -> None:
        await requests_sent(control, 1)
        await asyncio.to_thread(control.set_quirks, missing_keys=[])
        await requests_sent(control, 3)

    assert _events_of(clock, StudioReportRanTrigger(report=report.token, interval_seconds=0.2), say_it) == []


def test_a_response_that_lags_behind_fires_no_old_run(
    clock: HandClock, studio_workspace: StudioTestWorkspace, report: StudioTestReport
) -> None:
    control = studio_workspace.control
    started(report, 0.0)
    with client_of(studio_workspace.emulator) as client:
        lagging = client.get_report(report.token).to_json()
    clock.sleep(1.0)
    newest = started(report, 0.0)
    assert newest != lagging["last_successful_run_token"]

    async def lag(events: list[Any]) -> None:
        path = f"{report.token}$"
        await asyncio.to_thread(control.add_fault, "status", status=200, body=lagging, path=path, method="GET")
        await requests_sent(control, 3)

    assert _events_of(clock, StudioReportRanTrigger(report=report.token, interval_seconds=0.2), lag) == []


def test_an_event_of_another_version_is_read() -> None:
    over = {"event": "over", "report": "0123456789ab", "run": "ba9876543210", "state": "succeeded", "a_later_key": 1}
    result = run_of(over, 30)
    assert (result["run"], result["url"], result["exports"]) == ("ba9876543210", None, [])
    with pytest.raises(StudioResponseError, match="without run, state"):
        run_of({"event": "timeout", "report": "0123456789ab"}, 30)
    with pytest.raises(TriggerError, match="gave no reason"):
        run_of({"event": "error"}, 30)


def test_arguments_of_a_later_version_are_skipped(clock: HandClock, report: StudioTestReport) -> None:
    trigger = StudioReportRunTrigger(
        studio_conn_id="studio_default",
        report=report.token,
        run=started(report, 0.0),
        deadline=in_seconds(clock, 30),
        poll_policy={"shortest_seconds": 0.1, "a_later_field": 1},
        a_later_argument=1,
    )
    assert fired(clock, trigger)[0]["event"] == "over"


def test_a_watcher_outlives_an_outage(
    clock: HandClock, studio_workspace: StudioTestWorkspace, report: StudioTestReport, sent_once: None
) -> None:
    watcher = StudioReportRanTrigger(report=report.token, interval_seconds=0.1)

    async def go_out(events: list[Any]) -> None:
        studio_workspace.control.add_fault("status", status=503, path=report.token, times=12)
        await asyncio.sleep(2.5)
        await asyncio.to_thread(started, report, 0.0)
        await asyncio.sleep(1.0)

    (event,) = _events_of(clock, watcher, go_out)
    assert event["run"] == report.runs[0]["token"]


def test_a_token_that_was_replaced_is_looked_up_again(
    clock: HandClock, report: StudioTestReport, studio_emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, old = started(report, 1.5), json.loads(os.environ["AIRFLOW_CONN_STUDIO_DEFAULT"])

    async def replace() -> dict[str, Any]:
        waiting = asyncio.create_task(first_event(watching(clock, report.token, run)))
        await asyncio.sleep(0.7)
        studio_emulator.control.set_token("emulator-workspace", "revoked")
        token, secret = studio_emulator.credentials("member")
        monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", json.dumps({**old, "login": token, "password": secret}))
        return await waiting

    assert clock.run(replace())["state"] == "succeeded"


def test_another_triggerer_does_not_wait_for_the_expected_runtime_again(
    clock: HandClock, report: StudioTestReport
) -> None:
    run = started(report, 0.0)
    options = {"deadline": in_seconds(clock, 600), "began": in_seconds(clock, -600), "expected_seconds": 600.0}
    (event,) = fired(clock, watching(clock, report.token, run, **options))
    assert event["state"] == "succeeded"
    assert clock.monotonic() < 1.0


def test_pollers_are_shared_within_a_loop_and_not_between_loops(clock: HandClock, studio_connection: str) -> None:
    async def same() -> bool:
        first = Workspace.of(studio_connection)
        return first is Workspace.of(studio_connection) and first.poller("a") is first.poller("a")

    assert clock.run(same())
