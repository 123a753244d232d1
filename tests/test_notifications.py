# SPDX-License-Identifier: Apache-2.0
"""Notifications before an apply, through Airflow's notifiers: real mails over SMTP to a local server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.notifier import BaseNotifier
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from upath import UPath

from airflow_provider_studio.governance.plans.notification_text import due_reports, owner_notices, plan_notice
from airflow_provider_studio.notifications import StudioOwnersNotifier, StudioPlanNotifier
from airflow_provider_studio.operators.plans import StudioPlanOperator
from tests.governance.conftest import Governed, governed
from tests.smtp_server import smtp_server
from tests.task_instance import TaskInstance

__all__ = ["governed"]

NASTY = "<script>alert(1)</script> & Co"


@pytest.fixture(autouse=True)
def _storage_of_the_plans(storage: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{storage}")


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EmailMessage]]:
    with smtp_server() as (port, messages):
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.com"}
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        yield messages


@pytest.fixture(autouse=True)
def of_this_storage(governed: Governed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment's storage is the one that the plans of these tests are in."""
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", str(governed.storage))


@pytest.fixture
def plan(governed: Governed) -> UPath:
    """A written plan for Reports of several owners."""
    people = [member.username or "" for member in governed.client.list_members()]
    governed.report(NASTY, schedules=1, creator=people[0])
    governed.report("Second", creator=people[1])
    governed.report("Of nobody", creator="long-gone")
    governed.nights(100, 0)
    return governed.plan().write(governed.storage)


class Slack(BaseNotifier):
    """A notifier like Slack's with one template; it records the rendered texts."""

    template_fields = ("text",)
    sent: list[str]

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.sent = text, []

    def notify(self, context: Any) -> None:
        self.sent.append(self.text)


def content(mail: EmailMessage) -> str:
    body = mail.get_body()
    assert body is not None
    return str(body.get_content()).replace("\u2060", "")  # without joiners, which keep names from being links


def test_the_team_gets_a_mail_with_the_plan(plan: UPath, mails: list[EmailMessage]) -> None:
    StudioPlanNotifier(SmtpNotifier(to="data@example.com"), plan=str(plan))({})
    (mail,) = mails
    assert mail["To"] == "data@example.com"
    assert mail["Subject"] == "Studio workspace acme: archive 3 Reports and delete 1 schedule?"
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Co" in content(mail)
    assert "<script>" not in content(mail)
    assert (
        "its schedule (Untitled schedule, daily at 06:00 (UTC)) will be deleted, and the Report will be archived"
        in content(mail)
    )


def test_each_owner_gets_their_own_reports_and_how_to_keep_them(
    governed: Governed, plan: UPath, mails: list[EmailMessage], caplog: pytest.LogCaptureFixture
) -> None:
    StudioOwnersNotifier(SmtpNotifier(to="{{ studio_owner.email }}"), plan=str(plan))({})
    addresses = [member.email for member in governed.client.list_members()][:2]
    assert sorted(mail["To"] for mail in mails) == sorted(addresses)
    second = next(mail for mail in mails if mail["To"] == addresses[1])
    assert second["Subject"] == "Studio workspace acme: 1 of your Reports is about to be cleaned up"
    assert "Second" in content(second)
    assert "alert(1)" not in content(second)
    assert "write #keep into its description" in content(second)


def test_a_notifier_with_a_template_is_rendered_for_each_owner(governed: Governed, plan: UPath) -> None:
    slack = Slack("{{ studio_owner.owner }}: {{ studio_owner.reports | length }}")
    StudioOwnersNotifier(slack, plan=str(plan))({})
    people = [member.username for member in governed.client.list_members()][:2]
    assert sorted(slack.sent) == sorted(f"{person}: 1" for person in people)


def test_a_plan_without_actions_notifies_nobody(governed: Governed) -> None:
    governed.report(edited_at="2026-05-30T00:00:00+00:00")
    governed.nights(100, 0)
    slack = Slack("{{ studio_plan.text }}")
    StudioPlanNotifier(slack, plan=str(governed.plan().write(governed.storage)))({})
    assert slack.sent == []


def test_what_is_in_its_grace_is_due_later(governed: Governed) -> None:
    governed.report("Waiting", creator="ada")
    governed.nights(100, 0)
    plan = governed.plan(grace_days=3)
    (due,) = due_reports(plan)
    assert (
        ": it will be archived, and its schedules deleted, due on 2026-06-04; not viewed since 2026-02-21" in due.line()
    )
    (notice,) = owner_notices(plan)
    assert (notice.owner, notice.email) == ("ada", None)
    assert plan_notice(plan).subject.endswith("acme: change nothing?")


def test_long_lists_are_cut(governed: Governed) -> None:
    for number in range(60):
        governed.report(f"Old {number} {'x' * 200}", creator="ada")
    governed.nights(100, 0)
    plan = governed.plan()
    assert plan_notice(plan).text.endswith("- and 10 more")
    assert plan_notice(plan).html.count("<tr>") == 51
    assert max(map(len, plan_notice(plan).text.splitlines())) < 400


@pytest.mark.parametrize("known_by", ["by the notifier", "by the task that it hangs on"])
def test_a_relative_path_is_one_below_the_storage_path_that_planned(
    plan: UPath, governed: Governed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known_by: str
) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{tmp_path}/elsewhere")
    relative = plan.path.removeprefix(f"{governed.storage.path}/")
    own = {"storage_path": str(governed.storage)} if known_by == "by the notifier" else {}
    task = StudioPlanOperator(task_id="plan", policy={}, storage_path=None if own else str(governed.storage))
    sent = Slack("{{ studio_plan.subject }}")
    monkeypatch.setattr(Slack, "notify", lambda self, _context: sent.sent.append(self.text))
    StudioPlanNotifier(sent, plan=relative, **own)({"task": task})
    assert len(sent.sent) == 1


def test_a_notifier_needs_one_that_sends_and_a_plan() -> None:
    with pytest.raises(ValueError, match="StudioPlanNotifier needs a notifier that sends"):
        StudioPlanNotifier()

    with pytest.raises(ValueError, match="there is no plan; give plan="):
        StudioPlanNotifier(Slack("x"))(TaskInstance(task_id="plan").context_of())
