# SPDX-License-Identifier: Apache-2.0
"""Report runs, sensors and the example DAGs in one real Airflow, whose workers and triggerer are killed.

The assertions use the runs and requests that the emulator counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from airflow_provider_studio.governance.lineage.report_tables import write_tables
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.conftest import client_of
from tests.system.dags.report_runs import INSTANTS
from tests.system.dags.sensors import MODES
from tests.system.small_workspace import SmallWorkspace, small_workspace

pytestmark = pytest.mark.system

INVENTORY, CLEANUP, DIGEST = "studio_nightly_inventory", "studio_schedule_cleanup", "studio_owner_digest"
CROSS_CHECK, AFTER_LOAD = "studio_discovery_cross_check", "studio_refresh_after_load"
BY_TABLE, TABLES = "studio_refresh_by_table", "studio_report_tables"
REFRESH, RAN = "studio_refresh_reports", "studio_report_ran"
MATRIX = {
    **{f"{mode}_{number}": instant for mode, of in INSTANTS.items() for number, instant in enumerate(of)},
    **{f"{mode}_worker": "after the start, before its answer: the whole worker" for mode in INSTANTS},
}
# Before Airflow 3.3 a trigger is not notified when its task is stopped, so only Airflow logs it.
STOP_MESSAGE = "continues in Studio" if hasattr(BaseTrigger, "on_kill") else "trigger completed"
UNREAD = "Nobody opens this"
READERS = {
    "Reads customers": "select count(*) from sales.crm.customers",
    "Reads customers too": "with c as (select * from SALES.CRM.Customers) select count(*) from c",
    "Reads orders": "select count(*) from sales.analytics.orders",
}
"""The queries of Reports that read tables of an example DAG, by the names of the Reports."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallWorkspace]:
    with small_workspace(tmp_path_factory.mktemp("reports"), prepare=plan_the_unread) as running:
        yield running


def plan_the_unread(emulator: StudioEmulator, storage: UPath) -> None:
    """Write an earlier plan that archives a Report without views, and which tables the Reports read."""
    now = emulator.control.clock()
    old = (now - timedelta(days=400)).isoformat()
    unread = emulator.control.add_report(name=UNREAD, created_at=old, edited_at=old)
    with client_of(emulator) as client:
        source = next(iter(client.list_data_sources()))
        for reader, text in READERS.items():
            report = emulator.control.add_report(name=reader, query_count=0, next_runtime_seconds=0.5)
            client.create_query(report, text, data_source_id=source.id or "")
        take_inventory(client, storage, now=lambda: now)
        policy, name = StalenessPolicy(unviewed_days=90), "studio_nightly_governance.plan"
        plan = make_plan(storage, "acme", policy, name=name, client=client, now=lambda: now)
        write_tables(client, storage)
    assert unread in plan.reports
    plan.write(storage)


def test_a_kill_at_each_instant_between_intent_and_result_starts_one_run(reports: SmallWorkspace) -> None:
    conf = {task: reports.report(5.0) for task in MATRIX}
    run_id = reports.airflow.trigger("kill_matrix", conf)
    state = reports.finish("kill_matrix", run_id)
    tries = tries_of(reports, "kill_matrix", run_id)
    started = {task: len(reports.runs(report)) for task, report in conf.items()}
    print("\n".join(f"{task:<16}{MATRIX[task]:<56}{tries[task]:>3} tries {started[task]:>3} runs" for task in MATRIX))
    assert state == "success", reports.airflow.task_states("kill_matrix", run_id)
    assert started == dict.fromkeys(MATRIX, 1)
    assert all(number >= 2 for number in tries.values()), tries
    for task, report in conf.items():
        result = reports.airflow.xcom("kill_matrix", run_id, task)
        assert (result["run"], result["state"]) == (reports.runs(report)[0], "succeeded")


def tries_of(reports: SmallWorkspace, dag: str, run_id: str) -> dict[str, int]:
    tasks = reports.airflow.api("GET", f"/dags/{dag}/dagRuns/{run_id}/taskInstances")["task_instances"]
    return {task["task_id"]: task["try_number"] for task in tasks}


class Together:
    """DAG runs that were triggered at the same time, and their configuration."""

    def __init__(self, reports: SmallWorkspace) -> None:
        self.refreshed = [reports.report(1.0) for _ in range(3)]
        self.archived = reports.report(1.0, archived_at=reports.control.clock().isoformat())
        self.archived_schedule = reports.control.add_schedule(self.archived)
        self.living_schedule = reports.control.add_schedule(reports.report(1.0))
        self.waited_for = _waited_for(reports)
        tokens = self.refreshed
        named = [tokens[0], f"https://app.mode.com/acme/reports/{tokens[1]}", f"studio://acme/reports/{tokens[2]}"]
        confs: dict[str, dict[str, Any]] = {CLEANUP: {}, "sensors": self.waited_for, REFRESH: {"reports": named}}
        confs |= {dag: {} for dag in (INVENTORY, DIGEST, CROSS_CHECK)}
        for table in ("public/orders", "crm/customers"):
            (loaded,) = reports.airflow.api("GET", f"/assets?uri_pattern={table}")["assets"]
            reports.airflow.api("POST", "/assets/events", json={"asset_id": loaded["id"], "extra": {"rows": 7}})
        self.run_ids = {dag: reports.airflow.trigger(dag, conf) for dag, conf in confs.items()}


def _waited_for(reports: SmallWorkspace) -> dict[str, dict[str, str]]:
    """Create a separate Report for each sensor, so that its polls can be counted; runs end when the clock advances.

    The first two polls of the sensor `good_reschedule` fail.
    """
    conf, since = {}, reports.control.clock().isoformat()
    for mode in MODES:
        good, bad, fresh = reports.report(600), reports.report(600, "failed"), reports.report(0.0)
        conf[f"good_{mode}"] = {"report": good, "run": reports.run_elsewhere(good)}
        conf[f"bad_{mode}"] = {"report": bad, "run": reports.run_elsewhere(bad)}
        conf[f"fresh_{mode}"] = {"report": fresh, "since": since}
    reports.control.add_fault("status", status=404, path=f"/runs/{conf['good_reschedule']['run']}", times=2)
    return conf


@pytest.fixture(scope="module")
def together(reports: SmallWorkspace) -> Together:
    """Runs of all DAGs that need no interaction, at the same time, because each of them mostly waits."""
    return Together(reports)


def test_schedules_are_cleaned_up_when_a_person_agrees(reports: SmallWorkspace, together: Together) -> None:
    run_id = together.run_ids[CLEANUP]
    details = reports.airflow.respond(CLEANUP, run_id, "approve", "Approve all")
    assert "acme: delete 1 schedule?" in details["subject"]
    assert reports.finish(CLEANUP, run_id) == "success"
    after = reports.control.state()
    assert together.archived_schedule not in after["schedules"]
    assert together.living_schedule in after["schedules"]
    assert after["reports"][together.archived]["archived"]


def test_the_inventory_has_every_report_and_two_sources_agree(reports: SmallWorkspace, together: Together) -> None:
    states = {dag: reports.finish(dag, together.run_ids[dag]) for dag in (INVENTORY, CROSS_CHECK)}
    assert states == {INVENTORY: "success", CROSS_CHECK: "success"}
    inventory = reports.airflow.xcom(INVENTORY, together.run_ids[INVENTORY], "inventory")
    known = [report for report in reports.control.state()["reports"].values() if report["personal_of"] is None]
    assert inventory["reports"] == len(known)
    summary = reports.airflow.xcom(INVENTORY, together.run_ids[INVENTORY], "summary")
    assert "# The night of workspace `acme`" in summary
    snapshots = [event["extra"]["snapshot"] for event in reports.events() if event["uri"] == "studio://acme/inventory"]
    assert inventory["snapshot"] in snapshots
    checked = reports.airflow.xcom(CROSS_CHECK, together.run_ids[CROSS_CHECK], "inventory")["cross_check"]
    assert checked["only_in_one"]["count"] == checked["only_in_other"]["count"] == 0


def test_owners_are_notified_by_mail_of_what_the_newest_plan_would_archive(
    reports: SmallWorkspace, together: Together
) -> None:
    assert reports.finish(DIGEST, together.run_ids[DIGEST]) == "success"
    (about,) = [text for text in (mail.get_body().get_content() for mail in reports.mails) if UNREAD in text]
    assert "#keep" in about


def test_a_loads_event_runs_the_reports_of_its_table_once_and_further_dags_follow(
    reports: SmallWorkspace, together: Together
) -> None:
    def followed() -> bool:
        runs = reports.airflow.api("GET", f"/dags/{RAN}/dagRuns")["dag_runs"]
        return any(run["state"] == "success" and AFTER_LOAD in causes(reports, RAN, run) for run in runs)

    reports.wait(followed, f"{RAN} followed {AFTER_LOAD}")
    (run,) = reports.airflow.api("GET", f"/dags/{AFTER_LOAD}/dagRuns")["dag_runs"]
    assert reports.finish(AFTER_LOAD, run["dag_run_id"]) == "success"
    assert run["run_type"] == "asset_triggered"
    started = {report: reports.runs(report) for report in reports.shown}
    assert [len(runs) for runs in started.values()] == [1, 1]
    assert (reports.storage / "exports" / f"{started[reports.watched][0]}.csv").exists()


def test_a_loads_event_runs_exactly_the_reports_that_read_its_table(
    reports: SmallWorkspace, together: Together
) -> None:
    reports.wait(lambda: reports.airflow.api("GET", f"/dags/{BY_TABLE}/dagRuns")["dag_runs"], f"{BY_TABLE} began")
    (run,) = reports.airflow.api("GET", f"/dags/{BY_TABLE}/dagRuns")["dag_runs"]
    assert reports.finish(BY_TABLE, run["dag_run_id"]) == "success"
    assert run["run_type"] == "asset_triggered"
    result = reports.airflow.xcom(BY_TABLE, run["dag_run_id"], "refresh")
    assert result == {"tables": ["sales.crm.customers"], "reports": 2, "succeeded": 2}
    by_name = {report["name"]: len(report["runs_started"]) for report in reports.control.state()["reports"].values()}
    assert {name: by_name[name] for name in READERS} == dict(zip(READERS, (1, 1, 0), strict=True))


def test_the_tables_are_found_after_each_snapshot(reports: SmallWorkspace, together: Together) -> None:
    assert reports.finish(INVENTORY, together.run_ids[INVENTORY]) == "success"
    reports.wait(lambda: reports.airflow.api("GET", f"/dags/{TABLES}/dagRuns")["dag_runs"], f"{TABLES} began")
    run, *_ = reports.airflow.api("GET", f"/dags/{TABLES}/dagRuns")["dag_runs"]
    assert reports.finish(TABLES, run["dag_run_id"]) == "success"
    assert reports.airflow.xcom(TABLES, run["dag_run_id"], "tables")["tables"] >= len(READERS) - 1


def causes(reports: SmallWorkspace, dag: str, run: dict[str, Any]) -> set[str | None]:
    """Return the DAGs whose events triggered a run."""
    events = reports.airflow.api("GET", f"/dags/{dag}/dagRuns/{run['dag_run_id']}/upstreamAssetEvents")["asset_events"]
    return {event["source_dag_id"] for event in events}


def test_a_list_of_reports_is_refreshed_in_mapped_deferred_tasks_with_links_and_events(
    reports: SmallWorkspace, together: Together
) -> None:
    run_id = together.run_ids[REFRESH]
    assert reports.finish(REFRESH, run_id) == "success"
    events = reports.events()
    for number, report in enumerate(together.refreshed):
        (run,) = reports.runs(report)
        path = f"/dags/{REFRESH}/dagRuns/{run_id}/taskInstances/refresh/links?map_index={number}"
        links = reports.airflow.api("GET", path)["extra_links"]
        assert links["Studio run"].endswith(f"/reports/{report}/runs/{run}")
        assert links["Studio Report"].endswith(f"/reports/{report}")
        (event,) = [event for event in events if event["extra"].get("run") == run]
        assert event["uri"] == f"studio://acme/reports/{report}"
        assert event["extra"]["completed_at"] > event["extra"]["created_at"]


def test_sensors_wait_in_each_mode_and_fail_with_the_reason(reports: SmallWorkspace, together: Together) -> None:
    conf, run_id = together.waited_for, together.run_ids["sensors"]

    def polls(task: str) -> int:
        return len(reports.reads_of(f"/{conf[task].get('run') or conf[task]['report']}"))

    reports.wait(lambda: all(polls(task) >= 2 for task in conf), "every sensor polled twice")
    before = reports.airflow.task_states("sensors", run_id)
    assert not {*before.values()} & {"success", "failed", "skipped"}, before
    reports.control.advance(timedelta(minutes=10))
    for mode in MODES:  # after the jump: the sensors convert a run's time with the clock's present offset
        reports.run_elsewhere(conf[f"fresh_{mode}"]["report"])
    assert reports.finish("sensors", run_id) == "failed"
    reports.control.advance(timedelta(minutes=-10))
    states = reports.airflow.task_states("sensors", run_id)
    print({task: (states[task], polls(task)) for task in conf})
    assert states == {task: "failed" if task.startswith("bad_") else "success" for task in conf}
    for mode in MODES:
        assert "Query 1: " in reports.airflow.task_log("sensors", run_id, f"bad_{mode}")
    log = reports.airflow.task_log("sensors", run_id, "good_reschedule")
    assert "Poke 2 of 5 failed" in log, "failed polls are counted across reschedules"


def test_the_triggerer_is_killed_and_another_continues(reports: SmallWorkspace) -> None:
    conf = {task: reports.report(8.0) for task in ("orphan", "orphan_killed")}
    run_id = reports.airflow.trigger("orphans", conf)
    for task, report in conf.items():
        reports.wait_for_state("orphans", run_id, task, "deferred")
        reports.wait(lambda r=report: reports.polls(reports.runs(r)[0], r) > 1, "it was polled")
    reports.kill_triggerer()
    reports.start_triggerer()
    assert reports.finish("orphans", run_id) == "success"
    assert {task: len(reports.runs(report)) for task, report in conf.items()} == {"orphan": 1, "orphan_killed": 1}
    assert tries_of(reports, "orphans", run_id) == {"orphan": 1, "orphan_killed": 2}


def test_what_people_do_to_a_task_leaves_no_trigger_and_a_clear_starts_again(reports: SmallWorkspace) -> None:
    conf = {task: reports.report(600.0) for task in ("marked", "cleared", "cleared_running")}
    run_id = reports.airflow.trigger("interventions", conf)
    for task, state in {"marked": "deferred", "cleared": "deferred", "cleared_running": "running"}.items():
        reports.wait_for_state("interventions", run_id, task, state)
        reports.wait(lambda r=conf[task]: reports.runs(r) and reports.polls(reports.runs(r)[0], r) > 1, "it is polled")
    firsts = {task: reports.runs(report)[0] for task, report in conf.items()}
    for report in conf.values():
        reports.control.change_report(report, next_runtime_seconds=1.0)

    path = f"/dags/interventions/dagRuns/{run_id}/taskInstances/marked"
    reports.airflow.api("PATCH", path, json={"new_state": "failed"})
    clear(reports, "interventions", run_id, "cleared", "cleared_running")
    reports.wait_for_state("interventions", run_id, "cleared", "success")
    reports.wait_for_state("interventions", run_id, "cleared_running", "success")
    assert {task: len(reports.runs(report)) for task, report in conf.items()} == {
        "marked": 1,
        "cleared": 2,
        "cleared_running": 2,
    }
    reports.wait(
        lambda: STOP_MESSAGE in reports.airflow.task_log("interventions", run_id, "marked"), "the stop is logged"
    )
    reports.control.clear_requests()
    time.sleep(3.0)
    polled = {task: reports.polls(firsts[task], report) for task, report in conf.items()}
    assert polled == dict.fromkeys(conf, 0), "a run that no task waits for is still polled"

    clear(reports, "interventions", run_id, "cleared")
    reports.wait(lambda: len(reports.runs(conf["cleared"])) == 3, "a cleared task starts a run again")


def clear(reports: SmallWorkspace, dag: str, run_id: str, *tasks: str) -> None:
    body = {
        "dag_run_id": run_id,
        "task_ids": list(tasks),
        "dry_run": False,
        "only_failed": False,
        "only_running": False,
    }
    reports.airflow.api("POST", f"/dags/{dag}/clearTaskInstances", json=body)


def test_a_dag_is_scheduled_by_a_report_that_ran(reports: SmallWorkspace) -> None:
    reports.wait(lambda: reports.reads_of(f"/reports/{reports.watched}"), "it is polled")
    run = reports.run_elsewhere(reports.watched)
    reports.wait((reports.storage / "exports" / f"{run}.csv").exists, "the DAG ran")
