# SPDX-License-Identifier: Apache-2.0
"""A workspace as one finds it: people, Collections, living and dead Reports, schedules that nobody reads.

Each thing draws from a random generator of its own, so the same seed gives the same workspace on every machine.
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
from airflow_provider_studio.emulator.workspace import World

_GIVEN = ["Ada", "Grace", "Linus", "Mary", "José", "Zoë", "Анна", "花子", "Ravi", "Fatima", "Łukasz", "Ngozi"]
_FAMILY = ["Lovelace", "Hopper", "Müller", "Shelley", "García", "O'Neill", "Petrova", "山田", "Kumar", "Haddad"]
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
_ODD = [None, "<script>alert(1)</script>", "=1+1", "a|b\nc", "🔥 " * 20 + "report", "' OR 1=1 --"]
_ZONES = ["UTC", "UTC", "Pacific Time (US & Canada)", "Eastern Time (US & Canada)", "Berlin", "Tokyo"]
_REGIONS = ["EU", "US"]
_VENDORS = ("redshift", "snowflake", "postgresql")
_SUBSCRIPTION_OPTIONS = ("data_previews", "data_tables", "csv_attachments", "pdf_attachments", "report_links")

PERSONAL_SHARE = 0.05
ARCHIVED_SHARE = 0.08
DEAD_SHARE = 0.06
SCHEDULED_SHARE = 0.12


def seeded_world(workspace: str, reports: int, seed: int, now: datetime) -> World:
    """Make a workspace of so many Reports, personal ones included, as it stands at `now`."""
    world = World(workspace, seed)
    _add_people(world, max(4, reports // 100))
    custom, personal = _add_collections(world, max(3, reports // 50))
    _add_data_sources(world, now)
    for number in range(reports):
        chance = Random(f"{seed}/report/{number}")
        place = chance.choice(personal if chance.random() < PERSONAL_SHARE else custom)
        report = _report(world, number, place, chance, now)
        world.add_report(report)
        if report.type == "Report" and chance.random() < SCHEDULED_SHARE:
            _add_schedule(world, report, chance, now)
    return world


def _username(number: int) -> str:
    return f"member{number + 1}"


def _add_people(world: World, count: int) -> None:
    for number in range(count):
        chance = Random(f"{world.seed}/person/{number}")
        username = _username(number)
        name = f"{chance.choice(_GIVEN)} {chance.choice(_FAMILY)}"
        world.people[username] = Person(username, name, f"{username}@example.com", admin=number == 1)


def _add_data_sources(world: World, now: datetime) -> None:
    made = now - timedelta(days=1600)
    for number, vendor in enumerate(_VENDORS):
        token = token_for(world.seed, "data source", number)
        world.data_sources[token] = DataSource(token, 34_000 + number, f"{vendor} warehouse", vendor, "", made, made)


def _add_collections(world: World, count: int) -> tuple[list[str], list[str]]:
    """Add shared Collections and everyone's personal one; return both kinds' tokens."""
    custom = []
    for number in range(count):
        chance = Random(f"{world.seed}/collection/{number}")
        token = token_for(world.seed, "collection", number)
        name = "Community" if number == 0 else f"{chance.choice(_TEAMS)} {number}"
        kind = "community" if number == 0 else "custom"
        restricted = number > 1 and chance.random() < 0.15
        world.collections[token] = Collection(token, 1_900_000 + number, name, kind, restricted=restricted)
        custom.append(token)
    personal = []
    for number, person in enumerate(world.people.values()):
        token = token_for(world.seed, "personal", number)
        world.collections[token] = Collection(
            token, 1_800_000 + number, "Personal", "private", restricted=True, owner=person.username
        )
        personal.append(token)
    return custom, personal


def _report(world: World, number: int, collection: str, chance: Random, now: datetime) -> Report:
    dead = chance.random() < DEAD_SHARE
    archived = not dead and chance.random() < ARCHIVED_SHARE
    created = now - timedelta(days=chance.uniform(260, 1500) if dead or archived else chance.uniform(1, 1200))
    idle_days = chance.uniform(130, 240) if dead or archived else 0.0
    until = now - timedelta(days=idle_days) if idle_days else None
    views = 0.0 if dead and chance.random() < 0.2 else chance.uniform(0.2, 6.0)
    edited = created + (((until or now) - created) * chance.random())
    owner = world.collections[collection].owner or _username(chance.randrange(len(world.people)))
    return Report(
        token=token_for(world.seed, "report", number),
        id=2_900_000 + number,
        name=_name(chance),
        collection=collection,
        creator=owner,
        created_at=created,
        edited_at=edited,
        description="" if chance.random() < 0.5 else "What the team looks at on Mondays.",
        type="DatasetReport" if chance.random() < 0.02 else "Report",
        archived_at=now - timedelta(days=idle_days - 10) if archived else None,
        habit=Habit(views, chance.uniform(1.0, 20.0), until),
        expected_runtime=round(chance.uniform(0.4, 6.0), 6),
        query_count=chance.randint(1, 6),
        notebook=chance.random() < 0.1,
    )


def _name(chance: Random) -> str | None:
    if chance.random() < 0.01:
        return chance.choice(_ODD)
    return f"{chance.choice(_SUBJECTS)} {chance.choice(_FORMS)}"


def _add_schedule(world: World, report: Report, chance: Random, now: datetime) -> None:
    freq = chance.choices(["daily", "weekly", "monthly", "hourly"], [6, 3, 1, 1])[0]
    cron = {
        "freq": freq,
        "hour": chance.randrange(24) if freq != "hourly" else None,
        "minute": chance.randrange(0, 60, 5),
        "time_zone": chance.choice(_ZONES),
        "day_of_week": str(chance.randrange(7)) if freq == "weekly" else None,
        "day_of_month": chance.randrange(1, 29) if freq == "monthly" else None,
    }
    created = report.created_at + (now - report.created_at) * chance.uniform(0.0, 0.3)
    token = token_for(world.seed, "schedule", report.token)
    params = {"region": chance.choice(_REGIONS)} if chance.random() < 0.2 else {}
    if params:
        report.form = {"region": _REGIONS}
    world.add_schedule(Schedule(token, report.token, cron, created, report.creator, params=params))
    if chance.random() < 0.6:
        options = {f"{option}_enabled": chance.random() < 0.5 for option in _SUBSCRIPTION_OPTIONS}
        emails = [world.people[_username(at)].email for at in chance.sample(range(len(world.people)), k=2)]
        subscription = token_for(world.seed, "subscription", token)
        world.add_subscription(Subscription(subscription, token, options, emails, created))
