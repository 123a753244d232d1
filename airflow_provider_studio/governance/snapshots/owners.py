# SPDX-License-Identifier: Apache-2.0
"""What each person owns, from the newest snapshot, and the text that asks others to take over a person's Reports.

Studio's API cannot change the owner of a Report, so people have to act, and the text says how.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches

from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.snapshots.csv_export import open_inventory
from airflow_provider_studio.governance.snapshots.frequency import with_runs_a_week
from airflow_provider_studio.governance.snapshots.schema import DATASET, IS_REPORT, Row, fetched
from airflow_provider_studio.governance.snapshots.store import Snapshot
from airflow_provider_studio.governance.text import counted, plain

_OWNER = "coalesce(creator, creator_email)"
_COSTS = """
CREATE TEMP TABLE costs AS
SELECT report AS token, count(*) AS schedules, sum(runs_a_week) AS runs_a_week
FROM {schedules} GROUP BY report
"""
_OWNERS = f"""
SELECT {_OWNER} AS owner,
       count(*) FILTER ({IS_REPORT} AND NOT coalesce(archived, false)) AS reports,
       count(*) FILTER ({IS_REPORT} AND archived) AS archived,
       count(*) FILTER (type = '{DATASET}') AS datasets,
       count(*) FILTER (costs.schedules > 0) AS scheduled,
       coalesce(sum(costs.schedules), 0)::BIGINT AS schedules,
       round(coalesce(sum(runs_a_week), 0), 1) AS runs_a_week,
       round(coalesce(sum(runs_a_week * expected_runtime_seconds), 0) / 3600, 2) AS query_hours_a_week,
       CASE WHEN bool_and(views_90d IS NOT NULL) THEN sum(views_90d)::BIGINT END AS views_90d,
       CASE WHEN bool_and(coalesce(last_viewed_at, views_unchanged_since) IS NOT NULL)
            THEN max(coalesce(last_viewed_at, views_unchanged_since)) END AS not_viewed_since
FROM inventory LEFT JOIN costs USING (token)
GROUP BY ALL ORDER BY query_hours_a_week DESC, reports DESC, owner
"""
_REPORTS = f"""
SELECT token, name, collection_name, type, archived, schedule, scheduled_by,
       CASE WHEN costs.token IS NULL THEN 0 ELSE runs_a_week END AS runs_a_week, subscribers, view_count, views_90d,
       coalesce(last_viewed_at, views_unchanged_since) AS not_viewed_since, last_run_at, web_url
FROM inventory LEFT JOIN costs USING (token)
WHERE lower({_OWNER}) = lower($1) ORDER BY archived, collection_name, name, token
"""


def owners(snapshots: Sequence[Snapshot]) -> list[Row]:
    """Return a row for each owner of the newest snapshot, the most expensive first; the owner may be unknown.

    The owner is a user name, or the e-mail address where only Discovery reports one. `schedules`, `runs_a_week` and
    `query_hours_a_week` (of Reports whose runtime is known) include archived Reports and datasets. `views_90d` and
    `not_viewed_since` are None if they are unknown for one of the owner's Reports.
    """
    with open_inventory(snapshots) as connection:
        connection.execute(_COSTS.format(schedules=with_runs_a_week(connection)))
        return fetched(connection.execute(_OWNERS))


def reports_of(snapshots: Sequence[Snapshot], person: str) -> list[Row]:
    """Return a row for each Report and dataset of a person, by user name or e-mail address.

    :raises PlanError: the person owns nothing. Lists similar names.
    """
    with open_inventory(snapshots) as connection:
        connection.execute(_COSTS.format(schedules=with_runs_a_week(connection)))
        rows = fetched(connection.execute(_REPORTS, [person]))
        if rows:
            return rows
        sql = f"SELECT DISTINCT {_OWNER} FROM inventory WHERE {_OWNER} IS NOT NULL"
        known = [owner for (owner,) in connection.execute(sql).fetchall()]
    similar = get_close_matches(person, known, n=5, cutoff=0.4)
    raise PlanError(
        f"{person!r} owns nothing in the snapshot of {snapshots[-1].taken_at:%Y-%m-%d %H:%M UTC}. "
        f"{'Similar names: ' + ', '.join(similar) if similar else 'No owner has a similar name'}."
    )


def handover(person: str, workspace: str, rows: Iterable[Row]) -> tuple[str, str]:
    """Return the subject and the text that asks others to take over a person's Reports.

    :param rows: from `reports_of`; archived ones are not mentioned.
    """
    live = [row for row in rows if not row["archived"]]
    reports = sum(row["type"] != DATASET for row in live)
    owned = " and ".join(
        counted(number, thing) for number, thing in ((reports, "Report"), (len(live) - reports, "dataset")) if number
    )
    subject = f"{owned or 'Nothing'} of {plain(person)} in Analyst Studio: who takes over?"
    if not live:
        return subject, f"{plain(person)} owns no Report of the workspace {workspace} that is not archived.\n"
    lines = [
        f"{plain(person)} owns {owned} in the Analyst Studio workspace {workspace}.",
        "Studio's API cannot change an owner, so please do this in Studio for each one that you need:",
        "",
        "1. Open it and duplicate it. The copy is yours.",
        "2. Move the copy into the Collection of the original.",
        "3. Create its schedules again, and add their recipients.",
        "4. Reply to this message, so that the original can be archived.",
        "",
        *(line for row in live for line in _lines(row)),
    ]
    return subject, "\n".join(lines).rstrip() + "\n"


def _lines(row: Row) -> list[str]:
    place = f"Collection {plain(row['collection_name'])}" if row["collection_name"] else "no Collection"
    kind = "dataset, " if row["type"] == DATASET else ""
    facts = [
        f"schedule: {plain(row['schedule'])}" if row["schedule"] else "no schedule",
        f"recipients by e-mail: {_number(row['subscribers'])}",
        f"views in 90 days: {_number(row['views_90d'])}",
        f"last run: {_day(row['last_run_at'])}",
    ]
    return [
        f"- {plain(row['name'] or 'untitled')} ({kind}{place})",
        f"  {row['web_url'] or row['token']}",
        f"  {'; '.join(facts)}",
        "",
    ]


def _number(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _day(time: datetime | None) -> str:
    return "never or unknown" if time is None else f"{time.astimezone(UTC):%Y-%m-%d}"
