# SPDX-License-Identifier: Apache-2.0
"""A workspace's files in storage belong to one host: a sandbox may have a workspace of the same name."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.host import is_loopback
from airflow_provider_studio.governance.errors import WrongWorkspaceError
from airflow_provider_studio.governance.layout import host_file
from airflow_provider_studio.governance.storage import explained, write_once


def check_host(client: StudioClient, storage: UPath) -> None:
    """Check that a workspace's files in storage are of the client's host; the first use of a workspace records it.

    :raises WrongWorkspaceError: they are of another host.
    :raises StorageError: the storage cannot be read or written.
    """
    path, host = host_file(storage, client.workspace), _name_of(client.host)
    if write_once(path, json.dumps({"host": host}).encode()):
        return
    with explained("read", path):
        text = path.read_text(encoding="utf-8")
    recorded = _recorded(text)
    if recorded != host:
        raise WrongWorkspaceError(
            f"The files of the workspace {client.workspace!r} under {storage} are of the host {recorded}, but the "
            f"connection opens {host}. Two hosts must not share a history: use another storage_path for one of them. "
            f"If the workspace moved to this host, delete {path}. Nothing was touched."
        )


def _name_of(url: str) -> str:
    """Return the name of a host; all ports of this machine are one, because an emulator gets another at each start."""
    parts = urlsplit(url)
    return "localhost" if is_loopback(parts.hostname or "") else parts.netloc.lower()


def _recorded(text: str) -> object:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found.get("host") if isinstance(found, dict) else None
