# SPDX-License-Identifier: Apache-2.0
"""`reports`: print which Reports read a table, or the queries whose tables are unknown."""

from __future__ import annotations

import argparse

from airflow_provider_studio.cli.arguments import storage_root, workspace_with_snapshots
from airflow_provider_studio.cli.command import command, say
from airflow_provider_studio.cli.output import Table
from airflow_provider_studio.client.errors import StudioConfigurationError

_COLUMNS = ["report", "name", "collection_name", "table", "confidence", "queries", "web_url"]
_UNRESOLVED = ["report", "query", "query_name", "data_source_name", "reason"]


@command
def run(options: argparse.Namespace) -> Table:
    """Return a row for each Report and table; with `--unresolved` for each query whose tables are unknown."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.lineage import readers
    from airflow_provider_studio.governance.snapshots.store import SnapshotStore
    from airflow_provider_studio.governance.text import counted

    if (options.reading is None) != options.unresolved:
        raise StudioConfigurationError("Give a table with --reading, or --unresolved.")
    storage = settings.storage(storage_root(options.storage))
    snapshots = SnapshotStore(storage, workspace_with_snapshots(storage, options.workspace)).all()
    unknown = readers.unresolved_queries(snapshots)
    if options.unresolved:
        return Table(_UNRESOLVED, [tuple(row.get(name) for name in _UNRESOLVED) for row in unknown])
    try:
        table = readers.table_of(options.reading)
    except ValueError as error:
        raise StudioConfigurationError(f"--reading: {error}") from None
    found = readers.readers_of(snapshots, [table])
    number = len({reader.report for reader in found})
    say(f"{counted(number, 'Report')}; snapshot of {snapshots[-1].taken_at:%Y-%m-%d %H:%M} UTC")
    if unknown:
        say(f"The tables of {len(unknown):,} queries are unknown: --unresolved prints them.")
    return Table(
        _COLUMNS,
        [
            (
                reader.report,
                reader.name,
                reader.collection_name,
                reader.table,
                reader.confidence.value,
                "; ".join(reader.queries),
                reader.web_url,
            )
            for reader in found
        ],
    )
