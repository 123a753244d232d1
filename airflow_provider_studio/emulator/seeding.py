# SPDX-License-Identifier: Apache-2.0
"""A typical workspace: people, Collections, used and unused Reports, schedules without readers.

Each entity has its own random generator, so the same seed gives the same workspace on every machine. `seeding_records`
adds what surrounds them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from airflow_provider_studio.emulator.entities import (
    Collection,
    DataSource,
    Habit,
    Person,
    Report,
    Schedule,
    Subscription,
    token_for,
)
from airflow_provider_studio.emulator.seeding_records import add_records, add_uses_of_datasets, datasets_of
from airflow_provider_studio.emulator.workspace import Workspace

_FIRST_NAMES = ["Ada", "Grace", "Linus", "Mary", "José", "Zoë", "Анна", "花子", "Ravi", "Fatima", "Łukasz", "Ngozi"]
_LAST_NAMES = ["Lovelace", "Hopper", "Müller", "Shelley", "García", "O'Neill", "Petrova", "山田", "Kumar", "Haddad"]
_TEAMS = ["Finance", "Growth", "Operations", "Product", "Support", "Marketing", "数据分析", "Продажи", "Logística"]
_SUBJECTS = [
    "Revenue",
    "Churn",
    "Signups",
    "Inventory",
    "Latency",
    "Pipeline",
    "Retention",
    "売上",
    "Выручка",
    "Ventas",
]
_FORMS = ["by month", "by region", "weekly review", "deep dive", "(copy)", "v2", "for the board", "— draft", "TODO"]
_UNUSUAL_NAMES = [None, "<script>alert(1)</script>", "=1+1", "a|b\nc", "🔥 " * 20 + "report", "' OR 1=1 --"]
_ZONES = ["UTC", "UTC", "Pacific Time (US & Canada)", "Eastern Time (US & Canada)", "Berlin", "Tokyo"]
_REGIONS = ["EU", "US"]
_VENDORS = ("redshift", "snowflake", "postgresql")
_SUBSCRIPTION_OPTIONS = ("data_previews", "data_tables", "csv_attachments", "pdf_attachments", "report_links")

PERSONAL_SHARE = 0.05
ARCHIVED_SHARE = 0.08
UNUSED_SHARE = 0.06
SCHEDULED_SHARE = 0.12
SCHEDULED_DATASETS_SHARE = 0.5


def seeded_workspace(name: str, reports: int, seed: int, now: datetime) -> Workspace:
    """Create a workspace with this number of Reports, personal ones included, in its state at `now`."""
    workspace = Workspace(name, seed)
    _add_people(workspace, max(4, reports // 100))
    custom, personal = _add_collections(workspace, max(3, reports // 50))
    _add_data_sources(workspace, now)
    for number in range(reports):
        rng = Random(f"{seed}/report/{number}")
        collection = rng.choice(personal if rng.random() < PERSONAL_SHARE else custom)
        report = _report(workspace, number, collection, rng, now)
        workspace.add_report(report)
        if report.type == "Report" and rng.random() < SCHEDULED_SHARE:
            _add_schedule(workspace, report, rng, now)
    for dataset in datasets_of(workspace):
        rng = Random(f"{seed}/dataset schedule/{dataset.token}")
        if rng.random() < SCHEDULED_DATASETS_SHARE:
            _add_schedule(workspace, dataset, rng, now)
    add_records(workspace, now)
    add_uses_of_datasets(workspace)
    return workspace


def _username(number: int) -> str:
    return f"member{number + 1}"


def _add_people(workspace: Workspace, count: int) -> None:
    for number in range(count):
        rng = Random(f"{workspace.seed}/person/{number}")
        username = _username(number)
        name = f"{rng.choice(_FIRST_NAMES)} {rng.choice(_LAST_NAMES)}"
        workspace.people[username] = Person(username, name, f"{username}@example.com", admin=number == 1)


def _add_data_sources(workspace: Workspace, now: datetime) -> None:
    created_at = now - timedelta(days=1600)
    for number, vendor in enumerate(_VENDORS):
        token = token_for(workspace.seed, "data source", number)
        workspace.data_sources[token] = DataSource(
            token, 34_000 + number, f"{vendor} warehouse", vendor, "", created_at, created_at
        )


def _add_collections(workspace: Workspace, count: int) -> tuple[list[str], list[str]]:
    """Add shared Collections and a personal one for each person; return the tokens of both kinds."""
    custom = []
    for number in range(count):
        rng = Random(f"{workspace.seed}/collection/{number}")
        token = token_for(workspace.seed, "collection", number)
        name = "Community" if number == 0 else f"{rng.choice(_TEAMS)} {number}"
        kind = "community" if number == 0 else "custom"
        restricted = number > 1 and rng.random() < 0.15
        workspace.collections[token] = Collection(token, 1_900_000 + number, name, kind, restricted=restricted)
        custom.append(token)
    personal = []
    for number, person in enumerate(workspace.people.values()):
        token = token_for(workspace.seed, "personal", number)
        workspace.collections[token] = Collection(
            token, 1_800_000 + number, "Personal", "private", restricted=True, owner=person.username
        )
        personal.append(token)
    return custom, personal


def _report(workspace: Workspace, number: int, collection: str, rng: Random, now: datetime) -> Report:
    unused = rng.random() < UNUSED_SHARE
    archived = not unused and rng.random() < ARCHIVED_SHARE
    created = now - timedelta(days=rng.uniform(260, 1500) if unused or archived else rng.uniform(1, 1200))
    idle_days = rng.uniform(130, 240) if unused or archived else 0.0
    until = now - timedelta(days=idle_days) if idle_days else None
    views = 0.0 if unused and rng.random() < 0.2 else rng.uniform(0.2, 6.0)
    edited = created + (((until or now) - created) * rng.random())
    owner = workspace.collections[collection].owner or _username(rng.randrange(len(workspace.people)))
    return Report(
        token=token_for(workspace.seed, "report", number),
        id=2_900_000 + number,
        name=_name(rng),
        collection=collection,
        creator=owner,
        created_at=created,
        edited_at=edited,
        description="" if rng.random() < 0.5 else "What the team looks at on Mondays.",
        type="DatasetReport" if rng.random() < 0.02 else "Report",
        archived_at=now - timedelta(days=idle_days - 10) if archived else None,
        habit=Habit(views, rng.uniform(1.0, 20.0), until),
        expected_runtime=round(rng.uniform(0.4, 6.0), 6),
        query_count=rng.randint(1, 6),
        notebook=rng.random() < 0.1,
    )


def _name(rng: Random) -> str | None:
    if rng.random() < 0.01:
        return rng.choice(_UNUSUAL_NAMES)
    return f"{rng.choice(_SUBJECTS)} {rng.choice(_FORMS)}"


def _add_schedule(workspace: Workspace, report: Report, rng: Random, now: datetime) -> None:
    freq = rng.choices(["daily", "weekly", "monthly", "hourly"], [6, 3, 1, 1])[0]
    cron = {
        "freq": freq,
        "hour": rng.randrange(24) if freq != "hourly" else None,
        "minute": rng.randrange(0, 60, 5),
        "time_zone": rng.choice(_ZONES),
        "day_of_week": str(rng.randrange(7)) if freq == "weekly" else None,
        "day_of_month": rng.randrange(1, 29) if freq == "monthly" else None,
    }
    created = report.created_at + (now - report.created_at) * rng.uniform(0.0, 0.3)
    token = token_for(workspace.seed, "schedule", report.token)
    params = {"region": rng.choice(_REGIONS)} if rng.random() < 0.2 else {}
    if params:
        report.form = {"region": _REGIONS}
    workspace.add_schedule(Schedule(token, report.token, cron, created, report.creator, params=params))
    if rng.random() < (0.1 if report.habit.until else 0.6):  # few people subscribe to what nobody opens
        options = {f"{option}_enabled": rng.random() < 0.5 for option in _SUBSCRIPTION_OPTIONS}
        emails = [workspace.people[_username(at)].email for at in rng.sample(range(len(workspace.people)), k=2)]
        subscription = token_for(workspace.seed, "subscription", token)
        workspace.add_subscription(Subscription(subscription, token, options, emails, created))
