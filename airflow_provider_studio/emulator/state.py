# SPDX-License-Identifier: Apache-2.0
"""Everything that one emulator holds: world, clock, limits, faults, request log; and who its credentials stand for."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from airflow_provider_studio.emulator.clock import EmulatorClock
from airflow_provider_studio.emulator.entities import token_for
from airflow_provider_studio.emulator.faults import Faults
from airflow_provider_studio.emulator.limits import Limits
from airflow_provider_studio.emulator.quirks import PERSONAL_TOKENS_END
from airflow_provider_studio.emulator.seeding import seeded_world
from airflow_provider_studio.emulator.workspace import World

SECRET = "emulator-secret"  # noqa: S105  public on purpose: it opens an emulator and nothing else
MEMBER = "member1"
Standing = Literal["active", "expired", "revoked"]


@dataclass(frozen=True)
class Account:
    """Whom a token stands for.

    :param kind: workspace, member, personal; or batch, for a signature token of the Discovery API.
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


@dataclass(frozen=True)
class Signature:
    """A signature token of the Discovery API."""

    token: str
    access_key: str
    access_secret: str = field(repr=False)
    expires_at: datetime


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


@dataclass
class Saved:
    """A world at a time, as it is written down and read back. No secret is in it."""

    now: datetime
    world: World
    format: Literal[1] = 1


class EmulatorState:
    """One emulator's everything.

    :param workspace: the workspace's name.
    :param reports: how many Reports it begins with.
    :param seed: what makes it the same again.
    :param start: its time at the beginning; the real one by default.
    :param speed: emulated seconds in a real one.
    """

    def __init__(
        self, workspace: str, reports: int, seed: int, start: datetime | None = None, speed: float = 1.0
    ) -> None:
        self._beginning = workspace, reports, seed
        self.clock = EmulatorClock(start, speed)
        self._start = self.clock.now()
        self.limits = Limits()
        self.log = RequestLog()
        self.speaks_tls = False
        self._begin()

    def _begin(self) -> None:
        workspace, reports, seed = self._beginning
        self.world = seeded_world(workspace, reports, seed, self._start)
        self.faults = Faults(seed)
        self.standings: dict[str, Standing] = {}
        self.signatures: dict[str, Signature] = {}

    def reset(self) -> None:
        """Begin again: world as seeded, clock where it began; no faults, log or spent budget, tokens active."""
        self.clock.set(self._start)
        self.log.requests.clear()
        self.limits.forget()
        self._begin()

    def save(self) -> bytes:
        """The world and its time as JSON."""
        return _SAVED.dump_json(Saved(self.clock.now(), self.world))

    def restore(self, saved: bytes) -> None:
        """Take a saved world for this one.

        :raises ValueError: it is none of ours.
        """
        try:
            read = _SAVED.validate_json(saved)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"this is no saved emulator: {where}: {first['msg']}") from None
        self.world = read.world
        self.clock.set(read.now)

    def set_standing(self, token: str, standing: str) -> None:
        """Let a token expire, revoke it, or make it good again.

        :raises ValueError: no such token or standing.
        """
        if token not in ACCOUNTS:
            raise ValueError(f"unknown token {token!r}; known: {', '.join(ACCOUNTS)}")
        if standing not in get_args(Standing):
            raise ValueError(f"unknown standing {standing!r}; known: {', '.join(get_args(Standing))}")
        self.standings[token] = standing  # type: ignore[assignment]  # it was just looked up

    def mint(self, name: str, expires_at: datetime) -> Signature:
        """Make a signature token for the Discovery API."""
        token = token_for("signature", name, len(self.signatures))
        made = Signature(token, secrets.token_hex(8), secrets.token_hex(16), expires_at)
        self.signatures[token] = made
        return made

    def account_of(self, token: str, secret: str) -> Account | None:
        """Whom basic credentials stand for; None where they open nothing."""
        account = ACCOUNTS.get(token) if secrets.compare_digest(secret.encode(), SECRET.encode()) else None
        return account if account is not None and self.standing_of(account) == "active" else None

    def standing_of(self, account: Account) -> Standing:
        """Whether a token is good; personal ones may have come to their end."""
        ended = account.kind == "personal" and self.world.quirks.personal_tokens == "ended"
        if ended and self.clock.now() >= PERSONAL_TOKENS_END:
            return "expired"
        return self.standings.get(account.token, "active")

    def signer_of(self, credentials: str) -> Account | None:
        """Whom a signature token's `token:access_key:access_secret` stands for."""
        signature = self.signatures.get(credentials.split(":", 1)[0])
        if signature is None or signature.expires_at <= self.clock.now():
            return None
        right = f"{signature.token}:{signature.access_key}:{signature.access_secret}"
        same = secrets.compare_digest(credentials.encode(), right.encode())
        return Account(signature.token, "batch") if same else None


_SAVED = TypeAdapter(Saved)
