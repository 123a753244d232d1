# SPDX-License-Identifier: Apache-2.0
"""Everything that one emulator holds: world, clock, limits, faults, request log; and who its credentials stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_studio.emulator.clock import EmulatorClock
from airflow_provider_studio.emulator.faults import Faults
from airflow_provider_studio.emulator.limits import Limits
from airflow_provider_studio.emulator.seeding import seeded_world

SECRET = "emulator-secret"  # noqa: S105  public on purpose: it opens an emulator and nothing else
MEMBER = "member1"


@dataclass(frozen=True)
class Account:
    """Whom a token stands for.

    :param kind: workspace, member or personal.
    :param username: the person, for a member or personal token.
    """

    token: str
    kind: str
    username: str | None = None


ACCOUNTS = {
    account.token: account
    for account in (
        Account("emulator-workspace", "workspace"),
        Account("emulator-member", "member", MEMBER),
        Account("emulator-personal", "personal", MEMBER),
    )
}


@dataclass
class LoggedRequest:
    """One request as the log keeps it: no header, no query, no body."""

    n: int
    at: str
    method: str
    path: str
    status: int
    token: str | None


@dataclass
class RequestLog:
    """What was asked, in order."""

    requests: list[LoggedRequest] = field(default_factory=list)

    def summary(self, after: int = 0) -> dict[str, Any]:
        """Counts by status, and the requests after a number."""
        by_status: dict[str, int] = {}
        for request in self.requests:
            by_status[str(request.status)] = by_status.get(str(request.status), 0) + 1
        shown = [vars(request) for request in self.requests if request.n > after]
        return {"total": len(self.requests), "by_status": by_status, "requests": shown}


class EmulatorState:
    """One emulator's everything.

    :param workspace: the workspace's name.
    :param reports: how many Reports it begins with.
    :param seed: what makes it the same again.
    :param start: its time at the beginning; the real one by default.
    """

    def __init__(self, workspace: str, reports: int, seed: int, start: datetime | None = None) -> None:
        self.clock = EmulatorClock(start)
        self.world = seeded_world(workspace, reports, seed, self.clock.now())
        self.limits = Limits()
        self.faults = Faults(seed)
        self.log = RequestLog()
