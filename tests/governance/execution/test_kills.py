# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at every boundary of the journal, in sequence; then a retry. Run with `-s` to see the table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.governance.plans.audit import ActionState, Audit
from airflow_provider_studio.governance.plans.plan import Plan
from tests.governance.conftest import Governed, built_once
from tests.governance.execution.test_apply import undisturbed
from tests.governance.killing import Work, finish, put_back, start, work_of


@built_once
def planned(governed: Governed) -> Plan:
    governed.report("Dead 1", schedules=2)
    governed.report("Dead 2")
    governed.report("Alive", schedules=1, extra_views=0, created_at="2026-05-25T00:00:00+00:00")
    governed.nights(100, 0)
    return governed.plan()


class Bench:
    """A plan, the world and the storage before it, and the way back to both."""

    def __init__(self, governed: Governed, folder: Path) -> None:
        self.governed, self.folder = governed, folder
        self.plan = planned(governed)
        self.path = Path(str(self.plan.write(governed.storage)))
        assert len(self.plan.actions) == 4
        self.before, self.effect = governed.state(), undisturbed(governed)
        self.world = governed.control.save()

    @property
    def journal(self) -> Path:
        return Path(str(self.governed.storage)) / "journals" / "workspace=acme" / f"plan={self.plan.plan_id}"

    def keep(self) -> None:
        """What is now is what each round begins with."""
        self.world = self.governed.control.save()
        if self.journal.exists():
            shutil.copytree(self.journal, self.folder / "copy")

    def begin_again(self) -> None:
        self.governed.control.restore(self.world)
        self.governed.control.clear_requests()
        shutil.rmtree(self.journal, ignore_errors=True)
        if (self.folder / "copy").exists():
            shutil.copytree(self.folder / "copy", self.journal)

    def work(self, doing: str) -> Work:
        return work_of(self.governed.emulator, self.governed.storage, self.path, self.folder / "passed", doing)

    def passed(self) -> list[str]:
        file = self.folder / "passed"
        names = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return names

    def without_backup(self) -> list[str]:
        """What is changed in Studio and has no whole backup on the disk."""
        state = self.governed.control.state()
        live = set(state["schedules"])
        missing = []
        for action in self.plan.actions:
            changed = (
                state["reports"][action.report]["archived"]
                if action.schedule is None
                else (action.schedule not in live)
            )
            if changed and "backup" not in self._read(f"{action.action_id}.intent.json"):
                missing.append(action.action_id)
        return missing

    def _read(self, name: str) -> dict[str, Any]:
        path = self.journal / name
        return dict(json.loads(path.read_text())) if path.exists() else {}


@pytest.fixture
def bench(governed: Governed, tmp_path: Path) -> Bench:
    folder = tmp_path / "bench"
    folder.mkdir()
    return Bench(governed, folder)


def kill_everywhere(bench: Bench, doing: str, retry: Callable[[], Any], expected: dict[str, Any]) -> list[str]:
    """Kill at each boundary, retry, and return a row for each: what it left, and whether all is as if undisturbed."""
    bench.begin_again()
    assert finish(start(bench.work(doing))) == 0
    boundaries = bench.passed()
    rows = []
    for number, name in enumerate(boundaries, start=1):
        bench.begin_again()
        assert finish(start(replace(bench.work(doing), kill_at=number))) == -9
        assert bench.passed() == boundaries[:number]
        naked = bench.without_backup() if doing == "apply" else []
        assert bench.governed.control.requests_summary()["by_status"].get("500") is None
        summary = retry()
        changes = bench.governed.changes()
        good = (
            bench.governed.state() == expected
            and not summary.failures
            and len(changes) == len(set(changes)) + doubles(bench.plan, doing)
            and not naked
        )
        rows.append(f"{number:>3}  {'ok ' if good else 'BAD'}  {len(changes)} changes in all  killed {name}")
    print(f"\n{doing}: {len(rows)} boundaries\n" + "\n".join(rows))
    return rows


def doubles(plan: Plan, doing: str) -> int:
    """The number of equal requests in an undisturbed run: one Report's new schedules, and their subscriptions."""
    return 0 if doing == "apply" else 2


def test_an_apply_killed_at_any_boundary_and_tried_again_ends_as_if_undisturbed(bench: Bench) -> None:
    rows = kill_everywhere(bench, "apply", lambda: bench.governed.apply(bench.plan), bench.effect)
    assert not [row for row in rows if "BAD" in row]
    assert len(rows) == 1 + 4 * 8, "the host (within); of each action 3 of its intent, 2 of its act, 3 of its end"


def test_an_undo_killed_at_any_boundary_and_tried_again_brings_everything_back(bench: Bench) -> None:
    bench.governed.apply(bench.plan)
    bench.keep()
    rows = kill_everywhere(bench, "undo", lambda: bench.governed.undo(bench.plan), bench.before)
    assert not [row for row in rows if "BAD" in row]
    assert len(rows) == 1 + 2 * 8 + 2 * 10


def test_storage_that_fails_right_before_or_after_an_act_loses_nothing(bench: Bench) -> None:
    bench.begin_again()
    assert finish(start(bench.work("apply"))) == 0
    writes = [
        number for number, name in enumerate(bench.passed(), start=1) if name.startswith("before ") and "." in name
    ]
    assert len(writes) == 8, "an intent and an outcome for each of four actions"
    for number in writes:
        bench.begin_again()
        assert finish(start(replace(bench.work("apply"), break_at=number))) == 1
        put_back(UPath(bench.journal))
        assert bench.without_backup() == []
        assert bench.governed.apply(bench.plan).failures == []
        assert bench.governed.state() == bench.effect
        changes = bench.governed.changes()
        assert len(changes) == len(set(changes)) == 4, "nothing was done twice"


@pytest.mark.parametrize("round_", range(3))
def test_two_applies_of_one_plan_at_once_end_as_one(bench: Bench, round_: int) -> None:
    bench.begin_again()
    together = [start(replace(bench.work("apply"), concurrency=1 + round_)) for _ in range(2)]
    assert [finish(process) for process in together] == [0, 0]
    assert bench.governed.apply(bench.plan).failures == [], "whatever both left to each other"
    assert bench.governed.state() == bench.effect
    states = Audit(bench.governed.storage, "acme").states(bench.plan.plan_id)
    assert set(states.values()) == {ActionState.DONE}
    assert bench.governed.undo(bench.plan).failures == []
    assert bench.governed.state() == bench.before


def test_two_applies_at_once_and_one_of_them_killed(bench: Bench) -> None:
    for kill_at in (5, 13, 22):
        bench.begin_again()
        together = [start(replace(bench.work("apply"), kill_at=kill_at)), start(bench.work("apply"))]
        for process in together:
            finish(process)
        assert bench.governed.apply(bench.plan).failures == []
        assert bench.governed.state() == bench.effect
        assert bench.without_backup() == []
        assert bench.governed.undo(bench.plan).failures == []
        assert bench.governed.state() == bench.before
