# SPDX-License-Identifier: Apache-2.0
"""Compare the snapshots of two sources of one workspace."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from airflow_provider_studio.governance.snapshots.schema import IS_REPORT
from airflow_provider_studio.governance.snapshots.store import Snapshot, open_history

COMPARED = (
    "name",
    "collection",
    "created_at",
    "edited_at",
    "last_run_at",
    "last_successfully_run_at",
    "view_count",
    "schedules_count",
    "description",
)
_EXAMPLES = 5


def compare(one: Snapshot, other: Snapshot) -> dict[str, Any]:
    """Return how two snapshots differ, as plain JSON: `reports` in both, `only_in_one`, `only_in_other`, `differences`.

    Each is a count with a few tokens; `differences` are by column, where both have a value. Datasets and unknown
    Reports are left out, since not every source reports them.
    """
    with open_history([one, other]) as connection:
        for name, snapshot in (("one", one), ("other", other)):
            known = f"unknown IS NOT TRUE AND {IS_REPORT}"
            connection.execute(
                f"CREATE TEMP TABLE {name} AS SELECT * FROM reports WHERE taken_at = $1 AND source = $2 AND {known}",
                [snapshot.taken_at.astimezone(UTC).replace(tzinfo=None), snapshot.summary()["source"]],
            )

        def found(sql: str) -> dict[str, Any]:
            tokens = [row[0] for row in connection.execute(f"{sql} ORDER BY token").fetchall()]
            return {"count": len(tokens), "examples": tokens[:_EXAMPLES]}

        both = "FROM one JOIN other USING (token)"
        return {
            "sources": [one.summary()["source"], other.summary()["source"]],
            "reports": found(f"SELECT token {both}")["count"],
            "only_in_one": found("SELECT token FROM one ANTI JOIN other USING (token)"),
            "only_in_other": found("SELECT token FROM other ANTI JOIN one USING (token)"),
            "differences": {
                column: difference
                for column in COMPARED
                if (difference := found(f"SELECT token {both} WHERE one.{column} <> other.{column}"))["count"]
            },
        }
