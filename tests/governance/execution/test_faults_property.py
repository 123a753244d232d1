# SPDX-License-Identifier: Apache-2.0
"""For any sequence of faults and retries: the workspace ends as the plan says, and an undo brings all of it back.

`--hypothesis-show-statistics` shows how many were tried. The same emulator serves every example; its world is restored.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.errors import StorageError
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.plans import journal as journal_module
from airflow_provider_studio.governance.plans.audit import ActionState, Audit
from airflow_provider_studio.governance.plans.models import ActionKind
from tests.conftest import Killed
from tests.governance.conftest import NOW, Governed
from tests.governance.execution.test_kills import Bench

PATIENT = GuardRails(max_actions=1000, max_share=1.0, max_failures_in_a_row=1000, max_age_days=3650)
CHANGES = ("PATCH", "DELETE", "POST")

FAULTS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["lose_response", "reset", "status", "html", "garbage", "truncate"]),
        "method": st.sampled_from([*CHANGES, "GET"]),
        "after": st.integers(0, 6),
        "times": st.sampled_from([1, 2, 7]),
    },
    optional={"status": st.sampled_from([403, 429, 500, 503])},
)
BREAKS = st.none() | st.tuples(
    st.integers(1, 12), st.sampled_from(["kill before", "kill after", "storage before", "storage after"])
)
TRIES = st.lists(st.tuples(st.lists(FAULTS, max_size=3), BREAKS, st.sampled_from([1, 1, 3])), max_size=4)


def breaking(at: int, how: str) -> Callable[[Any, bytes], bool]:
    """Return a `write_once` whose write number `at` is the process' last, or the storage's."""
    original, count = journal_module.write_once, [0]

    def write(path: Any, content: bytes) -> bool:
        count[0] += 1
        if count[0] == at and how.endswith("before"):
            raise Killed if how.startswith("kill") else StorageError("No space left on device.")
        written = original(path, content)
        if count[0] == at:
            raise Killed if how.startswith("kill") else StorageError("No space left on device.")
        return written

    return write


def disturbed(work: Callable[[int], Any], governed: Governed, tries: Any) -> None:
    """Try the work again and again, each time with other faults."""
    for faults, broken, concurrency in tries:
        for fault in faults:
            if fault["kind"] == "status" or "status" not in fault:
                governed.control.add_fault(**{"status": 500, **fault} if fault["kind"] == "status" else fault)
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed, StorageError):
            if broken is not None:
                patch.setattr(journal_module, "write_once", breaking(*broken))
                event(broken[1])
            work(concurrency)
        governed.control.clear_faults()
        event(f"{len(faults)} faults in a try")


def every_act_has_an_earlier_backup(bench: Bench) -> bool:
    """Whether each intent holds a backup, and each outcome was written after its intent."""
    for done in bench.journal.glob("*.done.json"):
        intent = done.with_name(done.name.replace(".done.", ".intent."))
        if "backup" not in json.loads(intent.read_text()) or intent.stat().st_mtime_ns > done.stat().st_mtime_ns:
            return False
    return bench.without_backup() == []


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("property")
    with StudioEmulator("acme", reports=0, now=NOW) as emulator:
        yield Bench(Governed(emulator, UPath(folder / "studio")), folder)


def everything_is_journaled(bench: Bench, state: ActionState, *, without: str | None = None) -> bool:
    """Whether the journal has the outcome of each action.

    :param without: the Report that came alive; its actions are skipped.
    """
    states = Audit(bench.governed.storage, "acme").states(bench.plan.plan_id)
    expected = {
        action.action_id: ActionState.SKIPPED if action.report == without else state for action in bench.plan.actions
    }
    return states == expected


def effect_without(bench: Bench, report: str | None) -> dict[str, Any]:
    """What the plan does if it leaves one Report alone."""
    before, effect = bench.before, bench.effect
    untouched = {
        name: [entry for entry in before[name] if entry[0] == report] for name in ("schedules", "subscriptions")
    }
    return {
        "archived": [token for token in effect["archived"] if token != report],
        **{name: sorted([*effect[name], *rows]) for name, rows in untouched.items()},
    }


@settings(suppress_health_check=list(HealthCheck))
# Right before each write that may be the intent of an archival: what is done by then has no backup.
@example(applying=[([], (1, "kill before"), 1)], undoing=[], viewed=None)
@example(applying=[([], (5, "kill before"), 1)], undoing=[], viewed=None)
@example(applying=[([], (7, "kill before"), 1)], undoing=[], viewed=None)
@given(applying=TRIES, undoing=TRIES, viewed=st.none() | st.sampled_from([0, 1]))
def test_whatever_goes_wrong_on_the_way_apply_and_undo_end_where_they_should(
    bench: Bench, applying: Any, undoing: Any, viewed: int | None
) -> None:
    governed = bench.governed
    bench.begin_again()
    governed.control.clear_faults()
    alive = None if viewed is None else bench.plan.reports[viewed]
    if alive is not None:
        governed.control.view(alive)
    disturbed(lambda many: governed.apply(bench.plan, guard_rails=PATIENT, concurrency=many), governed, applying)
    assert bench.without_backup() == [], "in the middle, too"
    assert governed.apply(bench.plan, guard_rails=PATIENT).failures == []
    assert governed.state() == effect_without(bench, alive)
    assert every_act_has_an_earlier_backup(bench)
    assert everything_is_journaled(bench, ActionState.DONE, without=alive)
    disturbed(lambda many: governed.undo(bench.plan, concurrency=many), governed, undoing)
    assert governed.undo(bench.plan).failures == []
    assert governed.state() == bench.before
    assert everything_is_journaled(bench, ActionState.UNDONE, without=alive)


@pytest.mark.parametrize("kind", [ActionKind.ARCHIVE_REPORT, ActionKind.DELETE_SCHEDULE])
def test_the_property_would_notice_an_undo_that_forgets_something(bench: Bench, kind: ActionKind) -> None:
    bench.begin_again()
    bench.governed.apply(bench.plan)
    forgotten = next(action.action_id for action in bench.plan.actions if action.kind is kind)
    for path in bench.journal.glob(f"{forgotten}.*"):
        path.unlink()
    bench.governed.undo(bench.plan)
    assert bench.governed.state() not in (bench.before, bench.effect)


def test_the_property_would_notice_a_backup_that_came_too_late_or_never(bench: Bench) -> None:
    bench.begin_again()
    bench.governed.apply(bench.plan)
    assert every_act_has_an_earlier_backup(bench)
    intent = next(bench.journal.glob("*.intent.json"))
    later = time.time_ns() + 10**9
    os.utime(intent, ns=(later, later))
    assert not every_act_has_an_earlier_backup(bench)
    intent.unlink()
    assert bench.without_backup() == [intent.name.removesuffix(".intent.json")]
