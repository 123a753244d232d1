# SPDX-License-Identifier: Apache-2.0
"""The plan's file: complete, immutable, of one workspace, and safe to render."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from upath import UPath

from airflow_provider_studio.governance.errors import (
    JournalError,
    PlanError,
    PlanTamperedError,
    StorageError,
    WrongWorkspaceError,
)
from airflow_provider_studio.governance.plans import plan as plan_module
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal
from airflow_provider_studio.governance.plans.models import ActionKind, Saving, Spared, SpareReason
from airflow_provider_studio.governance.plans.plan import Plan
from tests.governance.conftest import Governed, ago, built_once
from tests.governance.small_plans import action, plan_of

NASTY = "<script>alert(1)</script> | [x](javascript:y) `a` *b* \u2028 line\u0085s \r\n 名前"


@built_once
def made(governed: Governed) -> Plan:
    governed.report(NASTY, schedules=1)
    governed.nights(100, 0)
    return governed.plan(protected_names=["keep*"])


@pytest.fixture
def written(governed: Governed) -> UPath:
    return made(governed).write(governed.storage)


def test_a_plan_is_read_as_it_was_written(governed: Governed, written: UPath) -> None:
    plan = Plan.read(written, workspace="acme")
    assert plan.plan_id == written.stem
    assert plan.actions[0].report_name == NASTY
    assert plan.write(governed.storage) == written


def test_a_plan_of_another_workspace_is_refused(written: UPath) -> None:
    with pytest.raises(WrongWorkspaceError, match="plan for the workspace 'acme', but the connection opens 'other'"):
        Plan.read(written, workspace="other")


def without_the_hash(text: str) -> str:
    header, rest = text.split("\n", 1)
    return json.dumps({**json.loads(header), "sha256": ""}) + "\n" + rest


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"view_count":5', '"view_count":6'),
        lambda text: text.replace('"reports_in_snapshot":1', '"reports_in_snapshot":100000'),
        lambda text: "\n".join(text.split("\n")[:-2]),
        lambda text: text + text.split("\n")[1] + "\n",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("archive_report", "delete_everything"),
        without_the_hash,
        lambda _text: "",
        lambda _text: "no plan at all\n",
        lambda _text: "{}\n",
    ],
    ids=["evidence", "header", "an action less", "an action more", "cut", "kind", "no hash", "empty", "text", "braces"],
)
def test_a_plan_changed_by_hand_is_refused(written: UPath, change: Callable[[str], str]) -> None:
    text = written.read_text(encoding="utf-8")
    written.write_text(change(text), encoding="utf-8")
    assert written.read_text(encoding="utf-8") != text
    with pytest.raises(PlanTamperedError):
        Plan.read(written, workspace="acme")


def test_a_plan_of_a_later_version_is_refused(written: UPath) -> None:
    text = written.read_text(encoding="utf-8").replace('"format_version":1', '"format_version":2')
    written.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError, match="has format 2; this version reads 1"):
        Plan.read(written, workspace="acme")


def test_a_plan_that_is_not_there(storage: UPath) -> None:
    with pytest.raises(StorageError, match=r"Cannot read the plan .*No such file"):
        Plan.read(storage / "none.jsonl", workspace="acme")


def test_what_people_see_of_a_plan_is_harmless_and_short(governed: Governed, written: UPath) -> None:
    for number in range(60):
        governed.report(f"Old {number} " + "x" * 300)
    governed.nights(99, 0)
    plan = governed.plan()
    shown = plan.to_markdown(rows=5)
    assert "<script>" not in shown
    assert len(shown.splitlines()) <= 20
    assert f"and {len(plan.actions) - 6} more actions on 56 Reports" in shown
    beside = written.with_suffix(".md").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in beside
    assert "\\[x\\](javascript:y)" in beside


def test_the_summary_is_small_plain_json(governed: Governed, written: UPath) -> None:
    summary = Plan.read(written, workspace="acme").summary()
    assert json.loads(json.dumps(summary)) == summary
    assert (summary["stale"], summary["reports_to_archive"], summary["schedules_to_delete"]) == (1, 1, 1)


def test_a_plan_that_was_written_before_headers_counted_protections_is_still_whole() -> None:
    plan = Plan.read(UPath(Path(__file__).parent / "files" / "c96a8ff4eb28.jsonl"), workspace="acme")
    assert (plan.plan_id, plan.header.protections) == ("c96a8ff4eb28", None)
    assert "Protections" not in plan.to_markdown()
    assert plan.summary()["matching_nothing"] == []


def protections(plan: Plan) -> dict[tuple[str, str], tuple[int, int]]:
    return {(count.field, count.value): (count.matched, count.spared) for count in plan.header.protections or ()}


def test_a_plan_says_of_each_protection_how_many_reports_it_matches_and_spares(
    governed: Governed, caplog: pytest.LogCaptureFixture
) -> None:
    governed.report("[KEEP] Board pack")
    governed.report("[keep] Read every day", extra_views=0, edited_at=ago(3).isoformat())
    governed.report("Weekly pipeline", creator="ada")
    archived = governed.report("Kept by hand", archived_at=ago(10).isoformat(), description="#keep")
    governed.nights(100, 0)
    policy = {
        "protected_names": ["[KEEP]*", "bord*"],
        "protected_collections": [governed.collection, "Finanse"],
        "protected_reports": [archived],
        "protected_owners": ["ADA"],
    }
    with caplog.at_level(logging.WARNING):
        plan = governed.plan(**policy)
    assert protections(plan) == {
        ("protected_reports", archived): (1, 0),
        ("protected_collections", governed.collection): (4, 2),
        ("protected_collections", "Finanse"): (0, 0),
        ("protected_owners", "ADA"): (1, 1),
        ("protected_names", "[KEEP]*"): (2, 1),
        ("protected_names", "bord*"): (0, 0),
        ("keep_mark", "#keep"): (1, 0),
        ("protected_subscribers", "1"): (0, 0),
        ("protected_uses", "embedded"): (0, 0),
        ("protected_uses", "public"): (0, 0),
    }
    assert Plan.read(plan.write(governed.storage), workspace="acme").header.protections == plan.header.protections
    assert plan.summary()["matching_nothing"] == ["protected_collections: Finanse", "protected_names: bord*"]
    assert "names like \\[KEEP\\]\\*: 2 Reports (1 would be in this plan)" in plan.to_markdown()
    assert "**names like bord\\*: matches no Report, is it misspelt?**" in plan.to_markdown()
    assert "descriptions with \\#keep: 1 Report;" in plan.to_markdown()
    assert "protected_names has 'bord*', which matches no Report of the snapshot" in caplog.text


def test_a_mark_that_nobody_used_yet_is_no_typo(governed: Governed) -> None:
    governed.report()
    governed.nights(100, 0)
    plan = governed.plan()
    assert (
        "Protections: descriptions with \\#keep: 0 Reports; e-mail subscribers, at least 1: 0 Reports; "
        in plan.to_markdown()
    )
    assert plan.summary()["matching_nothing"] == []


def test_what_the_condition_of_a_policy_leaves_out_is_not_spared_by_a_protection(governed: Governed) -> None:
    governed.report("[KEEP] this")
    governed.nights(100, 0)
    plan = governed.plan(protected_names=["[KEEP]*"], where="view_count > 1000")
    assert protections(plan)["protected_names", "[KEEP]*"] == (1, 0)


def test_a_protection_that_keeps_a_failing_schedule_is_counted(governed: Governed) -> None:
    report = governed.report("[KEEP] this", schedules=1, archived_at=ago(10).isoformat())
    governed.nights(1, 0)
    plan = governed.plan(unviewed_days=None, schedules_of_archived=True, protected_names=["[KEEP]*"])
    assert plan.actions == ()
    assert protections(plan)["protected_names", "[KEEP]*"] == (1, 1)
    assert governed.plan(unviewed_days=None, schedules_of_archived=True).reports == (report,)


def test_many_protections_stay_short_for_people_and_whole_in_the_file(governed: Governed) -> None:
    report = governed.report()
    governed.nights(100, 0)
    plan = governed.plan(protected_reports=[report, *(f"{number:012x}" for number in range(200))])
    assert len(plan.header.protections or ()) == 205
    assert "and 185 more in the plan's file" in plan.to_markdown()
    assert len(plan.summary()["matching_nothing"]) == 20


def twin(plan: Plan) -> Plan:
    """Return another plan with the same id."""
    for number in range(1_000_000):
        header = plan.header.model_copy(update={"policy_in_words": str(number), "plan_id": "", "sha256": ""})
        other = Plan(header, plan.actions, plan.spared)
        if other.plan_id == plan.plan_id:
            return other
    raise AssertionError("no twin")


@pytest.fixture
def twins(governed: Governed, monkeypatch: pytest.MonkeyPatch) -> tuple[Plan, Plan]:
    """Two plans with one id, which is short so that the second is found at once."""
    monkeypatch.setattr(plan_module, "PLAN_ID_DIGITS", 2)
    governed.report("Dead 1", schedules=1)
    governed.report("Dead 2")
    governed.nights(100, 0)
    plan = governed.plan()
    return plan, twin(plan)


def test_a_plan_never_takes_the_place_of_another_with_its_id(governed: Governed, twins: tuple[Plan, Plan]) -> None:
    first, second = twins
    path = first.write(governed.storage)
    with pytest.raises(PlanError, match=f"another plan with the id {second.plan_id}.*it gets another id"):
        second.write(governed.storage)
    assert Plan.read(path, workspace="acme").sha256 == first.sha256
    assert first.sha256 in path.with_suffix(".md").read_text()


def test_a_text_that_lies_beside_a_plan_must_be_of_this_plan(governed: Governed, twins: tuple[Plan, Plan]) -> None:
    first, second = twins
    path = first.write(governed.storage)
    path.unlink()
    with pytest.raises(PlanError, match=r"\.md exists already"):
        second.write(governed.storage)
    assert not path.exists()
    assert first.write(governed.storage) == path, "its own text is no obstacle"


def test_a_renamed_plan_is_refused(written: UPath) -> None:
    other = written.with_name("0123456789ab.jsonl")
    other.write_text(written.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(PlanTamperedError, match="It was renamed"):
        Plan.read(other, workspace="acme")
    assert [header.plan_id for header in Audit(written.parent.parent.parent, "acme").headers()] == [written.stem]


def test_what_people_read_of_a_plan_has_its_whole_hash(governed: Governed, written: UPath) -> None:
    plan = Plan.read(written, workspace="acme")
    assert f"SHA-256 of this plan: `{plan.sha256}`" in written.with_suffix(".md").read_text()
    assert plan.summary()["sha256"] == plan.sha256


def test_a_plan_is_not_carried_out_under_the_journal_of_its_twin(governed: Governed, twins: tuple[Plan, Plan]) -> None:
    first, second = twins
    governed.apply(first)
    before = governed.state()
    governed.control.clear_requests()
    with pytest.raises(JournalError, match=f"sha256 is '{first.sha256}', not '{second.sha256}'"):
        governed.apply(second)
    assert (governed.control.requests_sent(), governed.state()) == (0, before)


def test_a_journal_in_which_everything_was_skipped_is_one_plans_too(
    governed: Governed, twins: tuple[Plan, Plan]
) -> None:
    first, second = twins
    governed.apply(first, kinds=())
    governed.control.clear_requests()
    with pytest.raises(JournalError, match="is of another plan"):
        governed.apply(second)
    assert governed.control.requests_sent() == 0


def test_a_plan_that_replaced_another_has_no_part_in_its_history(governed: Governed, twins: tuple[Plan, Plan]) -> None:
    first, second = twins
    Journal(governed.storage, "acme", first.plan_id, actor={}, sha256=first.sha256).write(
        PLAN, Event.APPROVED, decision="all"
    )
    second.write(governed.storage)
    audit = Audit(governed.storage, "acme")
    assert audit.plan_status(second.plan_id).approval is None
    governed.apply(first)
    with pytest.raises(JournalError, match="belongs to another plan with this id"):
        audit.action_statuses(second.plan_id)


def test_an_undo_takes_back_one_plan_and_no_other(governed: Governed, twins: tuple[Plan, Plan]) -> None:
    first, second = twins
    governed.apply(first)
    folder = governed.storage / "journals" / "workspace=acme" / f"plan={first.plan_id}"
    intent = next(path for path in sorted(folder.iterdir(), reverse=True) if path.name.endswith(".intent.json"))
    intent.write_text(intent.read_text().replace(first.sha256, second.sha256))
    governed.control.clear_requests()
    with pytest.raises(JournalError, match="is of another plan"):
        governed.undo(first)
    assert governed.control.requests_sent() == 0


def test_a_journal_from_before_there_was_a_hash_in_it_is_undone_and_resumed(governed: Governed) -> None:
    governed.report("Dead 1", schedules=1)
    governed.nights(100, 0)
    before, plan = governed.state(), governed.plan()
    governed.apply(plan)
    folder = governed.storage / "journals" / "workspace=acme" / f"plan={plan.plan_id}"
    for path in folder.iterdir():
        event = json.loads(path.read_text())
        assert event.pop("sha256") == plan.sha256
        path.write_text(json.dumps(event))
    assert governed.apply(plan).already_done == 2
    assert governed.undo(plan).failures == []
    assert governed.state() == before
    assert len(Audit(governed.storage, "acme").events()) == 8


def test_a_plan_in_numbers_names_what_it_was_made_from_and_counts_each_kind() -> None:
    saving = Saving(runs_a_week=7, seconds_a_week=1234.5)
    unknown = Saving(runs_a_week=1.26, seconds_a_week=None)
    plan = plan_of(
        action("0a", "1", saving=saving),
        action("0a", "2", saving=unknown),
        action("0a"),
        action("0b"),
        action("0c", kind=ActionKind.UNARCHIVE_REPORT),
    )
    graced = Spared(report="0d", report_name=None, reason=SpareReason.GRACE, detail="", nights_left=2)
    viewed = Spared(report="0e", report_name=None, reason=SpareReason.VIEWED, detail="")
    plan = Plan(plan.header.model_copy(update={"sha256": "", "plan_id": ""}), plan.actions, (graced, viewed, graced))
    assert plan.reports == ("0a", "0b", "0c")
    assert plan.summary() == {
        "plan_id": plan.sha256[:12],
        "name": None,
        "next_due_on": None,
        "sha256": plan.sha256,
        "workspace": "acme",
        "snapshot": "snapshots/workspace=acme/taken_at=now",
        "reports": 100,
        "stale": 2,
        "reports_to_archive": 2,
        "reports_to_unarchive": 1,
        "schedules_to_delete": 2,
        "due_later": 2,
        "runs_saved_a_week": 8.3,
        "hours_saved_a_week": 0.34,
        "matching_nothing": [],
        "spared": {"grace": 2, "viewed": 1},
    }


def test_what_changed_since_an_earlier_plan_is_new_gone_or_kept() -> None:
    earlier = plan_of(action("0a"), action("0b"), action("0c"))
    later = plan_of(action("0a"), action("0d"))
    spared = Spared(report="0b", report_name=None, reason=SpareReason.VIEWED, detail="")
    later = Plan(later.header.model_copy(update={"sha256": "", "plan_id": ""}), later.actions, (spared,))
    diff = later.diff(earlier)
    assert (diff.previous, diff.unchanged) == (earlier.plan_id, 1)
    assert [action.report for action in diff.new] == ["0d"]
    assert [(action.report, why) for action, why in diff.gone] == [("0b", "viewed"), ("0c", "settled")]


@pytest.mark.parametrize("suffix", [".jsonl", ".md"])
@pytest.mark.parametrize("same", [True, False])
def test_a_file_that_another_process_writes_meanwhile_is_left_as_it_is(
    storage: UPath, monkeypatch: pytest.MonkeyPatch, suffix: str, same: bool
) -> None:
    plan = plan_of(action())
    original = plan_module.write_once

    def raced(path: UPath, content: bytes) -> bool:
        if path.suffix == suffix:
            original(path, content if same else b"another plan")
        return original(path, content)

    monkeypatch.setattr(plan_module, "write_once", raced)
    if same:
        assert Plan.read(plan.write(storage), workspace="acme").sha256 == plan.sha256
        return
    with pytest.raises(PlanError, match="exists already and is another plan with the id"):
        plan.write(storage)
    folder = storage / "plans" / "workspace=acme"
    assert [path.read_bytes() for path in folder.iterdir() if path.suffix == suffix] == [b"another plan"]


@pytest.mark.parametrize("change", [{"plan_id": "000000000000"}, {"sha256": "0" * 64}])
def test_a_header_that_names_another_content_is_no_plan(change: dict[str, str]) -> None:
    plan = plan_of(action())
    with pytest.raises(PlanTamperedError, match="was changed after its creation"):
        Plan(plan.header.model_copy(update=change), plan.actions, plan.spared)


def test_a_header_is_read_only_of_a_plan(storage: UPath) -> None:
    plan = plan_of(action())
    path = plan.write(storage)
    assert Plan.read_header(path) == plan.header
    lines = path.read_text(encoding="utf-8").split("\n")
    for first in ("", "{}", "no plan", lines[1], lines[0].replace(plan.plan_id, "../etc")):
        path.write_text("\n".join([first, *lines[1:]]), encoding="utf-8")
        with pytest.raises(PlanTamperedError, match=r"is not a plan\. It was changed or truncated"):
            Plan.read_header(path)
