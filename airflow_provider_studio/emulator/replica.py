# SPDX-License-Identifier: Apache-2.0
"""Reads that lag behind the changes, as those of a replica or a cache do: the quirk `read_lag_seconds`."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta

from airflow_provider_studio.emulator.workspace import Workspace


class Replica:
    """The states of a workspace before its most recent changes, each while reads may still return it."""

    def __init__(self) -> None:
        self._before: list[tuple[datetime, Workspace]] = []

    def save(self, workspace: Workspace, now: datetime) -> None:
        """Save the state before a change."""
        if workspace.quirks.read_lag_seconds:
            self._before.append((now, deepcopy(workspace)))

    def read(self, workspace: Workspace, now: datetime) -> Workspace:
        """Return the state that a read gets: that before the oldest change which is not visible yet."""
        lag = timedelta(seconds=workspace.quirks.read_lag_seconds)
        self._before = [(at, state) for at, state in self._before if now - at < lag]
        if not self._before:
            return workspace
        _, state = self._before[0]
        state.quirks = workspace.quirks
        return state
