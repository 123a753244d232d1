# SPDX-License-Identifier: Apache-2.0
"""Names in storage are spelled in one place, and are read back as what they were made of."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from upath import UPath

import airflow_provider_studio
from airflow_provider_studio.governance import file_names
from airflow_provider_studio.governance.file_names import PageName
from airflow_provider_studio.governance.inventory.carry_over import reports_acted_on
from airflow_provider_studio.governance.layout import (
    Area,
    journal_folder,
    plan_paths,
    plans_folder,
    workspaces_in,
)
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.journal import Event, Journal, parsed_name
from airflow_provider_studio.governance.plans.models import PlanHeader
from airflow_provider_studio.governance.plans.plan import Plan

PACKAGE = Path(airflow_provider_studio.__file__).parent
SPELLED_IN = {"governance/file_names.py", "governance/layout.py"}
OTHERS_FILES = {
    "emulator": "Studio's paths, not ours",
    "client": "Studio's paths, not ours",
    "operators/exports.py": "files that a user names, and the results of queries beside them",
    "governance/sandbox_process.py": "its own scratch folder",
    "settings.py": "what is under Airflow's home, not in storage",
}
TOKENS = ["0a1b2c3d4e5f", "0a-1b", "0a.1b", "0a.1b-2c", "-", "a/b", "a%2Db", "\u00fc"]


@pytest.mark.parametrize("schedule", [None, *TOKENS], ids=repr)
@pytest.mark.parametrize("report", TOKENS)
def test_an_actions_id_says_what_it_was_made_of(report: str, schedule: str | None) -> None:
    made = file_names.action_id("delete_schedule", report, schedule)
    assert "/" not in made
    key = file_names.parsed_action_id(made)
    assert key is not None
    assert (key.kind, key.report, key.schedule) == ("delete_schedule", report, schedule)
    for event in Event:
        assert parsed_name(file_names.event_file(made, event.value)) == (made, event)


def test_ids_of_different_actions_differ() -> None:
    pairs = [(report, schedule) for report in TOKENS for schedule in TOKENS]
    assert len({file_names.action_id("delete_schedule", *pair) for pair in pairs}) == len(pairs)


@pytest.mark.parametrize("text", ["plan", "", "-", "archive_report-", "-0a1b", "a-b-c-d"])
def test_what_is_no_actions_id_names_no_report(text: str) -> None:
    assert file_names.report_of(text) is None


@pytest.mark.parametrize("report", ["0a1b", "0a.1b", "0a-1b"])
def test_a_report_that_was_acted_on_is_known_by_its_whole_token(storage: UPath, report: str) -> None:
    journal = Journal(storage, "acme", "36066b5db341", actor={})
    about = {"kind": "delete_schedule", "report": report, "schedule": "9f.8e-7d"}
    journal.write(file_names.action_id("delete_schedule", report, "9f.8e-7d"), Event.INTENT, about=about)
    assert reports_acted_on(storage, "acme") == {report}
    assert [event.report for event in Audit(storage, "acme").events(report=report)] == [report]
    assert Audit(storage, "acme").events(report="delete_schedule") == []


CJK = "\u5831" * 100


@pytest.mark.parametrize("name", ["nightly", "manual__2026-01-01T00:00:00+00:00", "\u5831" * 28, "x" * 250], ids=len)
def test_the_name_of_a_record_that_fits_stays_what_it_was(name: str) -> None:
    assert file_names.quoted_name(name) == quote(name, safe="")


@pytest.mark.parametrize("name", ["\u5831" * 29, CJK, "\U0001f4c8" * 250, "\u00fc" * 250], ids=len)
def test_a_longer_name_is_shortened_to_what_no_other_name_becomes(name: str) -> None:
    made = file_names.quoted_name(name)
    assert len(made.encode()) <= 255
    assert made.startswith(quote(name[:19], safe=""))
    assert len({made, file_names.quoted_name(f"{name}x"), file_names.quoted_name(made)}) == 3


def test_a_shortened_name_keeps_its_ending_and_no_half_of_a_character() -> None:
    made = file_names.bounded_name(CJK, "-0a1b2c3d4e5f.json")
    assert re.fullmatch("\u5831{70,}=[0-9a-f]{16}-0a1b2c3d4e5f[.]json", made)
    assert 250 < len(made.encode()) <= 255
    assert file_names.bounded_name("Totals", ".json") == "Totals.json"


@pytest.mark.parametrize("collection", ["0a1b", "0a.1b", "0a-1b"])
def test_a_pages_file_name_says_what_it_was_made_of(collection: str) -> None:
    page = PageName(collection, "datasets", 12, 30, 29, "short")
    assert file_names.parsed_page_file(file_names.page_file(page)) == page
    assert file_names.unreadable_collection(file_names.unreadable_file("reports", collection), "reports") == collection


@pytest.mark.parametrize(
    "name", ["reports.0a.x.1.last.json", "reports.0a.1.-1.last.json", "schedules.0a.json", "checkpoint.json", ""]
)
def test_another_files_name_is_no_page(name: str) -> None:
    assert file_names.parsed_page_file(name) is None


def test_plans_are_listed_by_names_that_the_provider_could_have_written(storage: UPath) -> None:
    folder = plans_folder(storage, "acme")
    folder.mkdir(parents=True)
    for name in ("36066b5db341.jsonl", "36066b5db341.md", "notes.jsonl", ".jsonl", "36066b5db341.jsonl.bak", "x.json"):
        (folder / name).write_text("{}")
    assert [path.name for path in plan_paths(storage, "acme")] == ["36066b5db341.jsonl"]


def test_a_plan_that_was_copied_from_another_workspace_is_no_earlier_plan(storage: UPath) -> None:
    at = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
    about: dict[str, Any] = {"taken_at": at, "created_at": at, "policy": {}, "policy_in_words": "none"}
    header = PlanHeader(workspace="other", snapshot=None, reports_in_snapshot=1, **about)
    path = Plan(header, [], []).write(storage)
    plans_folder(storage, "acme").mkdir(parents=True)
    (plans_folder(storage, "acme") / path.name).write_bytes(path.read_bytes())
    assert len(Audit(storage, "other").headers()) == 1
    assert Audit(storage, "acme").headers() == []


def test_workspaces_are_listed_by_the_areas_that_know_them(storage: UPath) -> None:
    journal_folder(storage, "acme", "36066b5db341").mkdir(parents=True)
    plans_folder(storage, "other").mkdir(parents=True)
    assert workspaces_in(storage, Area.PLANS) == ["other"]
    assert workspaces_in(storage, *Area) == ["acme", "other"]


_FOLDERS = {area.value for area in Area} | {"run_records", "cross_checks", "one_off", "page-cache"}
_SPELLED = re.compile(r"^(taken_at|workspace|plan|snapshot|date)=$|^[\w.*-]*\.(jsonl|parquet|md|json)$|^[\w*-]+\.csv$")


def _modules() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name not in SPELLED_IN and not any(name == other or name.startswith(f"{other}/") for other in OTHERS_FILES):
            yield name


def _texts(node: ast.AST) -> list[str]:
    return [child.value for child in ast.walk(node) if isinstance(child, ast.Constant) and isinstance(child.value, str)]


def _docstrings(tree: ast.AST) -> set[int]:
    """Every text that stands alone as a statement."""
    return {
        id(child.value)
        for child in ast.walk(tree)
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
    }


def _spellings(source: str) -> list[tuple[int, str]]:
    """Return the lines that spell a name in storage, or join or split one."""
    tree = ast.parse(source)
    documentation = _docstrings(tree)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            if _SPELLED.search(node.value):
                found.append((node.lineno, node.value))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            found += [(node.lineno, text) for text in _texts(node.right) if text in _FOLDERS or "." in text[1:]]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_about_an_id(node):
            found.append((node.lineno, ast.unparse(node)))
    return found


def _is_about_an_id(call: ast.Call) -> bool:
    """Whether a call splits or joins at the `-` of an action's id."""
    names = {"split", "rsplit", "partition", "rpartition"}
    splits = isinstance(call.func, ast.Attribute) and call.func.attr in names and _texts(ast.List(call.args)) == ["-"]
    return splits and "action" in ast.unparse(call)


@pytest.mark.parametrize(
    "source",
    [
        'path = folder / f"{plan_id}.jsonl"',
        'path = folder / "summary.json"',
        'path = folder / f"date={day}"',
        'path = storage / "snapshots"',
        'path = folder / f"{action_id}.{event}.json"',
        'report = action_id.split("-")[1]',
        'names = [one for one in folder.iterdir() if one.name.startswith("taken_at=")]',
    ],
)
def test_the_check_finds_what_it_is_for(source: str) -> None:
    assert _spellings(source)


@pytest.mark.parametrize("module", list(_modules()))
def test_no_other_module_spells_a_name_in_storage(module: str) -> None:
    assert _spellings((PACKAGE / module).read_text(encoding="utf-8")) == []
