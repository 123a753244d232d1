# SPDX-License-Identifier: Apache-2.0
"""`owners`: print what each person owns and costs, or the text that asks others to take over a person's Reports."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_provider_studio.cli import airflow_process
from airflow_provider_studio.cli.arguments import other_workspace, storage_root, workspace_with_snapshots
from airflow_provider_studio.cli.command import command, say
from airflow_provider_studio.cli.output import Message, Table
from airflow_provider_studio.client.errors import StudioConfigurationError

if TYPE_CHECKING:
    from airflow_provider_studio.governance.planning.workspace_lookups import Members


@command
def run(options: argparse.Namespace) -> Table | Message:
    """Return a row for each owner; with `--person` for each of their Reports; with `--message` the text to send."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.planning.workspace_lookups import Members
    from airflow_provider_studio.governance.snapshots import owners
    from airflow_provider_studio.governance.snapshots.store import SnapshotStore

    if options.message and options.person is None:
        raise StudioConfigurationError("--message is the text about one person: name the person with --person.")
    storage = settings.storage(storage_root(options.storage))
    client = None if options.conn is None else airflow_process.studio_client(options.conn)
    if client is not None and options.workspace not in {None, client.workspace}:
        raise StudioConfigurationError(other_workspace(options.workspace, options.conn, client.workspace))
    workspace = workspace_with_snapshots(storage, options.workspace if client is None else client.workspace)
    snapshots = SnapshotStore(storage, workspace).all()
    say(f"Snapshot of {snapshots[-1].taken_at:%Y-%m-%d %H:%M} UTC, workspace {workspace!r}")
    if options.message:
        subject, text = owners.handover(options.person, workspace, owners.reports_of(snapshots, options.person))
        return Message(subject, text)
    if options.person is not None:
        return Table.of(owners.reports_of(snapshots, options.person))
    members = Members(client)
    rows = [
        {"owner": row["owner"], "left": _has_left(row["owner"], members), **row} for row in owners.owners(snapshots)
    ]
    if client is None:
        say("Who has left the workspace is unknown without --conn, which reads its members.")
    return Table.of(rows)


def _has_left(owner: str | None, members: Members) -> bool | None:
    """Return whether an owner is no longer a member; None if that is unknown."""
    usernames = members.usernames
    if usernames is None or owner is None:
        return None
    return owner not in usernames and members.username(owner) is None
