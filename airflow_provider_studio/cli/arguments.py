# SPDX-License-Identifier: Apache-2.0
"""Arguments that several commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upath import UPath

DEFAULT_CONN_ID = "studio_default"


def storage_root(text: str | None) -> str | None:
    """Return a storage root from an argument: a URL, or a folder, which may be relative to the current one."""
    return text if text is None or "://" in text else str(Path(text).expanduser().absolute())


def workspace_with_snapshots(storage: UPath, name: str | None) -> str:
    """Return the named workspace, or the only one with snapshots in storage.

    :raises GovernanceError: there is none, or there are several and none is named.
    """
    from airflow_provider_studio.governance.errors import GovernanceError
    from airflow_provider_studio.governance.snapshots.store import workspaces

    known = workspaces(storage)
    if name is None and len(known) > 1:
        raise GovernanceError(
            f"{storage} has snapshots of several workspaces: {', '.join(known)}. Name one with --workspace."
        )
    if not known or name not in {None, *known}:
        missing = "no snapshot" if name is None else f"no snapshot of the workspace {name!r}"
        raise GovernanceError(
            f"{storage} has {missing}; it has snapshots of {', '.join(known) or 'none'}. Take one with `airflow studio "
            "inventory --take`, or name another --storage."
        )
    return name or known[0]


def other_workspace(named: str, conn_id: str, workspace: str) -> str:
    """Return the message for a connection that is for another workspace than the named one."""
    return (
        f"--workspace is {named!r}, but the connection {conn_id!r} is for {workspace!r}. "
        "Name the connection of that workspace with --conn."
    )
