# SPDX-License-Identifier: Apache-2.0
"""Text from outside: anyone who may name a Report reaches the eyes of those who approve, and no more than these.

Every output shows the same corpus; a reader of its format looks for what a program would act on.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from upath import UPath

from airflow_provider_studio.__main__ import main
from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.governance.plans.models import Evidence, Spared, SpareReason
from airflow_provider_studio.governance.plans.notification_text import owner_notices, plan_notice
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.links import StudioReportLink
from tests.governance.nights import NOW, write_night
from tests.governance.small_plans import action, plan_of
from tests.plugin.conftest import bearer, users
from tests.security.corpus import (
    HOST,
    NAMES,
    controls,
    live_in_markdown,
    live_in_slack,
    live_links,
    parsed_html,
)
from tests.task_instance import TaskInstance

__all__ = ["users"]

TOKENS = {f"{number:012x}": name for number, name in enumerate(NAMES)}
BLAND = dict.fromkeys(TOKENS, "Sales")


def plan_about(names: dict[str, str]) -> Plan:
    """Return a plan in which a name from outside is wherever one may be."""
    actions = []
    for token, name in names.items():
        evidence = Evidence(field="creator", value=name, observed_at=NOW, meaning=f"owner {name} left")
        fields = {"report_name": name, "owner": name, "owner_email": f"{token}@acme.example", "evidence": (evidence,)}
        fields |= {"collection_name": name, "report_url": name}
        actions += [action(token, "5c4ed0000000", schedule_name=name, **fields), action(token, **fields)]
    spared = [
        Spared(
            report=f"a{token[1:]}",
            report_name=name,
            reason=reason,
            detail=f"refused: {name}",
            owner=name,
            owner_email=f"a@{HOST}, b@{HOST}\nBcc: c@{HOST}",
            due_on=date(2026, 6, 9),
        )
        for token, name in names.items()
        for reason in (SpareReason.GRACE, SpareReason.REFUSED)
    ]
    return plan_of(*actions, spared=spared, policy_in_words=f"Spare {' and '.join(names.values())}")


PLAN = plan_about(TOKENS)
SAME_PLAN_WITH_BLAND_NAMES = plan_about(BLAND)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> UPath:
    """Storage with a snapshot of these Reports, the plan, and a journal in which each action failed."""
    storage = UPath(tmp_path_factory.mktemp("named") / "studio")
    rows = {
        token: {"name": name, "creator": name, "collection": "c0", "collection_name": name, "view_count": 1}
        for token, name in TOKENS.items()
    }
    schedules = {f"5{token[1:]}": {"report": token, "name": name} for token, name in TOKENS.items()}
    write_night(storage, 0, rows, schedules)
    PLAN.write(storage)
    journal = Journal(storage, "acme", PLAN.plan_id, actor={"dag": "d", "approver": NAMES[0]}, sha256=PLAN.sha256)
    for failed in PLAN.actions:
        journal.write(failed, Event.FAILED, error=f"Studio says {failed.report_name}", http_status=500)
    return storage


def kinds_of_tokens(text: str) -> frozenset[str]:
    from markdown_it import MarkdownIt

    from tests.security.corpus import _tokens

    parsed = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return frozenset(token.type for token in _tokens(parsed)) | {"text_special", "entity"}


def test_the_readers_find_the_corpus_where_nothing_neutralizes_it() -> None:
    page = "\n\n".join(NAMES)
    assert len(live_links(page)) >= 9
    assert len(live_in_slack(page)) >= 15
    assert len(live_in_markdown(page, frozenset({"text", "inline", "paragraph_open", "paragraph_close"}))) >= 15
    assert len(controls(page)) >= 12


def test_in_the_approval_and_the_plan_file_a_name_is_text() -> None:
    text = PLAN.to_markdown(rows=1000)
    expected = kinds_of_tokens(SAME_PLAN_WITH_BLAND_NAMES.to_markdown(rows=1000))
    assert live_in_markdown(text, expected) == []
    assert controls(text) == []
    assert text.count("\n") == SAME_PLAN_WITH_BLAND_NAMES.to_markdown(rows=1000).count("\n")


def messages() -> list[Any]:
    return [plan_notice(PLAN), *owner_notices(PLAN)]


def test_in_slack_a_name_is_text() -> None:
    for message in messages():
        assert live_in_slack(message.slack) == []
        assert controls(message.slack) == []


def test_in_a_message_of_plain_text_a_name_is_neither_a_link_nor_a_mention() -> None:
    for message in messages():
        assert live_links(message.text) == []
        assert [found for found in live_in_slack(message.text) if found[0] in "<@"] == []
        assert controls(message.text) == controls(message.subject, allowed="") == []


def test_in_an_e_mail_a_name_is_text() -> None:
    for message in messages():
        tags, text = parsed_html(message.html)
        assert set(tags) <= {"h3", "p", "table", "tr", "th", "td"}
        assert live_links(text) == []
        assert controls(text) == []


def test_an_owners_address_cannot_add_recipients() -> None:
    sent_to = {notice.email for notice in owner_notices(PLAN)}
    assert sent_to == {f"{token}@acme.example" for token in TOKENS}
    waiting = plan_of(spared=PLAN.spared)
    assert {notice.email for notice in owner_notices(waiting)} == {None}


@pytest.fixture
def viewer(users: None, stored: UPath, tmp_path: Path) -> Iterator[TestClient]:
    from airflow_provider_studio.plugin.app import create_app
    from airflow_provider_studio.plugin.repository import Repository, repository

    pages = create_app()
    found = Repository(lambda: stored, tmp_path / "page-cache", patience_seconds=60, preparation_seconds=60)
    pages.dependency_overrides[repository] = lambda: found
    with TestClient(pages, headers=bearer("admin")) as client:
        yield client


def test_in_a_page_a_name_is_text(viewer: TestClient) -> None:
    pages = ["/", "/reports", "/plans", f"/plans/{PLAN.plan_id}", f"/plans/{PLAN.plan_id}?page=2"]
    bland = viewer.get("/reports?q=no-such-name").text
    allowed = {tag.split(" ")[0] for tag in parsed_html(bland)[0]}
    allowed |= {"article", "h3", "dl", "dt", "dd", "svg", "rect", "details", "summary", "table", "thead", "tbody"}
    allowed |= {
        "tr",
        "th",
        "td",
        "caption",
        "span",
        "ol",
        "time",
        "strong",
        "code",
        "br",
        "h2",
        "datalist",
        "p",
        "div",
        "em",
        "section",
    }
    for page in [*pages, *(f"/reports/{token}" for token in list(TOKENS)[::6])]:
        answer = viewer.get(page)
        assert answer.status_code == 200, (page, answer.text)
        tags, text = parsed_html(answer.text)
        assert {tag.split(" ")[0] for tag in tags} <= allowed, page
        assert [tag for tag in tags if HOST in tag or " on" in tag] == [], page
        assert controls(text) == [], page


def test_no_csv_has_a_formula_or_a_control_sequence(viewer: TestClient) -> None:
    text = viewer.get("/reports.csv").text
    assert controls(text, allowed="\r\n\t\u2028\u200f\u202e\u202c\u2066") == []
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert len(rows) == len(NAMES)
    assert [row["name"] for row in rows if row["name"].lstrip()[:1] in "=+-@|%"] == []


@pytest.mark.parametrize(
    "command",
    [
        ["inventory", "--columns", "name,creator,collection_name"],
        ["audit", "--plan", PLAN.plan_id],
        ["audit", "--plan", PLAN.plan_id, "--output", "json"],
        ["audit", "--events"],
        ["audit", "--events", "--output", "json"],
        ["audit", "--plan", PLAN.plan_id, "--output", "yaml"],
    ],
    ids=" ".join,
)
def test_no_command_prints_a_control_sequence(
    stored: UPath, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{stored}")
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "evil" in printed
    assert controls(printed) == []
    if "json" in command or "yaml" in command:
        rows = yaml.safe_load(printed) if "yaml" in command else json.loads(printed)
        shown = {row.get("name") or (row.get("action") or {}).get("report_name") for row in rows}
        assert set(NAMES) <= shown, "the format escapes them, and loses nothing"


def test_an_error_on_a_terminal_controls_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{tmp_path}")
    assert main(["audit", "--workspace", "acme\x1b[31m"]) == 1
    assert controls(capsys.readouterr().err) == []


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        f"//{HOST}/x",
        f"https://app.mode.com@{HOST}/acme",
        "https://[::1",
        "https:",
    ],
)
def test_a_task_has_no_link_that_runs_a_script_or_hides_its_host(url: str) -> None:
    ti = TaskInstance()
    StudioReportLink.persist(ti.context_of(), url)
    assert ti.xcoms == {}
    StudioReportLink.persist(ti.context_of(), "https://app.mode.com/acme/reports/0123456789ab")
    assert list(ti.xcoms.values()) == ["https://app.mode.com/acme/reports/0123456789ab"]
