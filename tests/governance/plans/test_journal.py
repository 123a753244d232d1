# SPDX-License-Identifier: Apache-2.0
"""The journal keeps each event once, whole, without secrets, and refuses what is damaged or of another plan."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.governance.errors import JournalError, PlanError, StorageError
from airflow_provider_studio.governance.layout import journal_folder, journals_folder
from airflow_provider_studio.governance.plans.journal import (
    PLAN,
    REPEATABLE,
    Event,
    Journal,
    parsed_name,
    scrubbed,
)
from tests.governance.nights import NOW
from tests.governance.small_plans import action

PLAN_ID, SHA256 = "36066b5db341", "36066b5db341" + "0" * 52
ONE = action()


def journal_of(storage: UPath, *, seconds: float = 0, **options: Any) -> Journal:
    options = {"actor": {"dag": "d", "try": "1"}, "sha256": SHA256, **options}
    return Journal(storage, "acme", PLAN_ID, now=lambda: NOW + timedelta(seconds=seconds), **options)


def files(journal: Journal) -> list[str]:
    return sorted(path.name for path in journal.folder.iterdir())


def test_an_event_has_all_that_is_known_of_it(storage: UPath) -> None:
    journal = journal_of(storage)
    done: dict[str, Any] = {
        "before": {"archived": False},
        "after": {"archived": True},
        "http_status": 200,
        "resumed": False,
    }
    assert journal.write(ONE, Event.DONE, **done)
    assert journal.read(ONE.action_id, Event.DONE) == {
        "event": "done",
        "action_id": ONE.action_id,
        "at": "2026-06-01T03:00:00+00:00",
        "workspace": "acme",
        "plan_id": PLAN_ID,
        "sha256": SHA256,
        "actor": {"dag": "d", "try": "1"},
        "action": ONE.model_dump(mode="json", exclude={"evidence"}),
        **done,
    }
    assert files(journal) == [f"{ONE.action_id}.done.json"]


def test_an_event_of_an_action_that_is_named_tells_what_it_is_about(storage: UPath) -> None:
    journal = journal_of(storage)
    journal.write("archive_report-0a", Event.UNDONE, about={"report": "0a"})
    journal.write(PLAN, Event.STOPPED, reason="a freeze")
    assert journal.read("archive_report-0a", Event.UNDONE)["action"] == {"report": "0a"}
    (stopped,) = journal.read_all(PLAN, Event.STOPPED)
    assert (stopped["action"], stopped["reason"]) == (None, "a freeze")


def test_names_in_any_script_are_readable_in_the_file(storage: UPath) -> None:
    journal = journal_of(storage)
    journal.write(action(report_name="名前 é"), Event.DONE)
    assert "名前 é" in (journal.folder / f"{ONE.action_id}.done.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("event", [event for event in Event if event not in REPEATABLE])
def test_what_happens_once_is_never_written_twice(storage: UPath, event: Event) -> None:
    first, second = journal_of(storage), journal_of(storage, seconds=1)
    assert first.write(ONE, event, reason="first")
    assert not second.write(ONE, event, reason="second")
    assert second.has(ONE.action_id, event)
    assert journal_of(storage).read(ONE.action_id, event)["reason"] == "first"
    assert len(files(first)) == 1


@pytest.mark.parametrize("event", sorted(REPEATABLE))
def test_what_may_happen_often_is_kept_each_time_and_read_in_order(storage: UPath, event: Event) -> None:
    for seconds in (2, 0, 1, 0):
        assert journal_of(storage, seconds=seconds).write(ONE, event, error=str(seconds))
    read = journal_of(storage).read_all(ONE.action_id, event)
    assert [event["error"] for event in read] == ["0", "0", "1", "2"]
    assert journal_of(storage).has(ONE.action_id, event)


def test_the_events_of_one_action_and_kind_alone_are_read(storage: UPath) -> None:
    journal = journal_of(storage)
    journal.write("archive_report-0a", Event.FAILED)
    journal.write("archive_report-0b", Event.FAILED)
    journal.write("archive_report-0a", Event.UNDO_FAILED)
    assert [event["action_id"] for event in journal.read_all("archive_report-0a", Event.FAILED)] == [
        "archive_report-0a"
    ]
    assert journal.read_all("archive_report-0c", Event.FAILED) == []


def test_a_journal_knows_what_it_wrote_and_what_was_there_before(storage: UPath) -> None:
    journal = journal_of(storage)
    assert not journal.exists()
    assert not journal.has("archive_report-0b", Event.INTENT)
    journal.write("archive_report-0b", Event.INTENT)
    journal.write("archive_report-0a", Event.INTENT)
    journal.write("archive_report-0a", Event.DONE)
    for opened in (journal, journal_of(storage)):
        assert opened.exists()
        assert opened.action_ids(Event.INTENT) == ["archive_report-0a", "archive_report-0b"]
        assert opened.action_ids(Event.DONE) == ["archive_report-0a"]
        assert opened.has("archive_report-0a", Event.SKIPPED, Event.DONE)
        assert not opened.has("archive_report-0b", Event.SKIPPED, Event.DONE)


def test_what_another_process_wrote_meanwhile_is_found_when_it_is_asked_for(storage: UPath) -> None:
    ours, others = journal_of(storage), journal_of(storage)
    assert not ours.has_by_now("archive_report-0a", Event.INTENT)
    others.write("archive_report-0a", Event.INTENT)
    assert ours.has_by_now("archive_report-0a", Event.INTENT)
    assert not ours.has_by_now("archive_report-0a", Event.DONE)
    assert not ours.has_by_now("archive_report-0b", Event.INTENT)
    assert others.has_by_now("archive_report-0a", Event.INTENT)


def test_a_folder_that_cannot_be_written_is_found_out_before_anything_is_done(storage: UPath) -> None:
    journal = journal_of(storage)
    journal.check_writable()
    assert files(journal) == [], "the probe is gone again"
    folder = Path(str(journal.folder))
    folder.rmdir()
    folder.write_text("in the way")
    with pytest.raises(StorageError):
        journal.check_writable()


@pytest.mark.parametrize("text", [None, "", "{", "[]", '[["event", "intent"]]', "7", "null", '"text"'])
def test_an_event_that_is_missing_or_damaged_is_an_error(storage: UPath, text: str | None) -> None:
    journal = journal_of(storage)
    path = journal.folder / f"{ONE.action_id}.intent.json"
    journal.write(ONE, Event.INTENT)
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(JournalError, match=r"intent\.json is missing or damaged; nothing was done about it"):
        journal.read(ONE.action_id, Event.INTENT)


@pytest.mark.parametrize(
    ("field", "value"), [("plan_id", "000000000000"), ("workspace", "other"), ("sha256", "f" * 64)]
)
def test_an_event_of_another_plan_is_refused(storage: UPath, field: str, value: str) -> None:
    journal = journal_of(storage)
    journal.write(ONE, Event.INTENT)
    path = journal.folder / f"{ONE.action_id}.intent.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(JournalError, match=f"is of another plan: {field} is '{value}', not "):
        journal_of(storage)
    with pytest.raises(JournalError, match="is of another plan"):
        journal.read(ONE.action_id, Event.INTENT)


def test_a_journal_whose_hash_is_not_known_takes_it_from_its_events(storage: UPath) -> None:
    journal_of(storage).write("archive_report-0a", Event.INTENT)
    later = journal_of(storage, sha256=None)
    later.write("archive_report-0a", Event.UNDONE)
    assert later.read("archive_report-0a", Event.UNDONE)["sha256"] == SHA256
    path = later.folder / "archive_report-0b.intent.json"
    path.write_text(json.dumps({"plan_id": PLAN_ID, "workspace": "acme", "sha256": "f" * 64}))
    with pytest.raises(JournalError, match="sha256 is"):
        journal_of(storage, sha256=None).check_intents(["archive_report-0a", "archive_report-0b"])


@pytest.mark.parametrize("damaged", ["a", "b"])
def test_a_damaged_intent_hides_no_event_of_another_plan(storage: UPath, damaged: str) -> None:
    journal = journal_of(storage)
    journal.write("archive_report-0a", Event.INTENT)
    journal.write("archive_report-0b", Event.INTENT)
    for name in "ab":
        path = journal.folder / f"archive_report-0{name}.intent.json"
        other = {**json.loads(path.read_text()), "sha256": "f" * 64}
        path.write_text("{" if name == damaged else json.dumps(other))
    with pytest.raises(JournalError, match="is of another plan"):
        journal.check_intents(["archive_report-0a", "archive_report-0b"])


def test_an_event_without_a_hash_is_of_this_plan(storage: UPath) -> None:
    journal_of(storage, sha256=None).write("archive_report-0a", Event.INTENT)
    journal = journal_of(storage)
    journal.check_intents(["archive_report-0a"])
    journal.write("archive_report-0a", Event.UNDONE)
    assert journal.read("archive_report-0a", Event.UNDONE)["sha256"] == SHA256


def test_an_id_that_is_no_plans_opens_no_journal(storage: UPath) -> None:
    with pytest.raises(PlanError):
        Journal(storage, "acme", "../other", actor={})


def test_a_journal_is_where_its_workspace_and_plan_say(storage: UPath) -> None:
    assert journals_folder(storage, "acme") == storage / "journals" / "workspace=acme"
    assert journal_folder(storage, "acme", PLAN_ID) == storage / "journals" / "workspace=acme" / f"plan={PLAN_ID}"


@pytest.mark.parametrize("event", Event)
def test_a_stamped_name_is_an_event_only_of_what_may_happen_often(event: Event) -> None:
    stamped = f"archive_report-0a.{event.value}-20260601T030000000000Z-abcdef.json"
    assert parsed_name(stamped) == (("archive_report-0a", event) if event in REPEATABLE else None)


@pytest.mark.parametrize(
    "name",
    [
        "archive_report-0a.done",
        "archive_report-0a.done.json.tmp",
        "done.json",
        "archive_report-0a.json",
        "archive_report-0a.failed-then.json",
        "",
        ".json",
    ],
)
def test_a_file_of_another_kind_is_no_event(name: str) -> None:
    assert parsed_name(name) is None


def test_values_that_open_something_by_themselves_are_dropped_wherever_they_stand(storage: UPath) -> None:
    secret = {"plain": 1, "web_preview_image": "https://signed", "flamingo_signature": "abc"}
    value = {"list": [secret, [secret]], "tuple": (secret,), "nested": {"deep": secret}, "text": "web_preview_image"}
    safe = {"plain": 1}
    expected = {"list": [safe, [safe]], "tuple": [safe], "nested": {"deep": safe}, "text": "web_preview_image"}
    assert scrubbed(value) == expected
    journal = journal_of(storage)
    journal.write(ONE, Event.INTENT, before=value, after=value, backup=value)
    read = journal.read(ONE.action_id, Event.INTENT)
    assert (read["before"], read["after"], read["backup"]) == (expected, expected, expected)
