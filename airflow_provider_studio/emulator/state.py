# SPDX-License-Identifier: Apache-2.0
"""The state of one emulator: workspace, clock, limits, faults, request log, and the accounts of its credentials."""

from __future__ import annotations

import secrets
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from airflow_provider_studio.emulator.clock import EmulatorClock
from airflow_provider_studio.emulator.entities import token_for
from airflow_provider_studio.emulator.faults import Faults
from airflow_provider_studio.emulator.limits import Limits
from airflow_provider_studio.emulator.quirks import PERSONAL_TOKENS_END, Quirks
from airflow_provider_studio.emulator.replica import Replica
from airflow_provider_studio.emulator.seeding import seeded_workspace
from airflow_provider_studio.emulator.workspace import Workspace

SECRET = "emulator-secret"  # noqa: S105  public on purpose: it opens an emulator and nothing else
MEMBER = "member1"
Standing = Literal["active", "expired", "revoked"]


@dataclass(frozen=True)
class Account:
    """The account of a token.

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
    """One request in the log, without headers, query and body."""

    n: int
    at: str
    method: str
    path: str
    status: int
    token: str | None


@dataclass
class RequestLog:
    """The requests, in order."""

    requests: list[LoggedRequest] = field(default_factory=list)

    def summary(self, after: int = 0) -> dict[str, Any]:
        """Return counts by status, and the requests after a number."""
        by_status: dict[str, int] = {}
        for request in self.requests:
            by_status[str(request.status)] = by_status.get(str(request.status), 0) + 1
        shown = [vars(request) for request in self.requests if request.n > after]
        return {"total": len(self.requests), "by_status": by_status, "requests": shown}


@dataclass
class Saved:
    """A workspace and its time, as they are saved and restored. It has no secrets.

    Aliases are the keys in saved files.
    """

    now: datetime
    workspace: Annotated[Workspace, Field(alias="world")]
    format: Literal[1] = 1


class EmulatorState:
    """The state of one emulator.

    :param workspace: the workspace's name.
    :param reports: how many Reports it has initially.
    :param seed: determines the initial workspace.
    :param start: its initial time; the real time by default.
    :param speed: emulated seconds per real second.
    :param quirks: how it behaves initially where the behaviour of the service is not certain.
    """

    def __init__(
        self,
        workspace: str,
        reports: int,
        seed: int,
        start: datetime | None = None,
        speed: float = 1.0,
        *,
        quirks: Quirks | None = None,
    ) -> None:
        self._seeding = workspace, reports, seed
        self._quirks = quirks or Quirks()
        self.clock = EmulatorClock(start, speed)
        self._start = self.clock.now()
        self.limits = Limits()
        self.log = RequestLog()
        self.speaks_tls = False
        self.secret = SECRET
        """The secret of every account."""
        self._seed()

    def _seed(self) -> None:
        name, reports, seed = self._seeding
        self.workspace = seeded_workspace(name, reports, seed, self._start)
        self.workspace.quirks = deepcopy(self._quirks)
        self._replica = Replica()
        self.faults = Faults(seed)
        self.standings: dict[str, Standing] = {}
        self.signatures: dict[str, Signature] = {}
        self.served_pages: set[tuple[str, int]] = set()

    def reset(self) -> None:
        """Restore the initial workspace and time, clear faults, log and counted requests, and activate all tokens."""
        self.clock.set(self._start)
        self.log.requests.clear()
        self.limits.restart()
        self._seed()

    def workspace_for(self, method: str) -> Workspace:
        """Return the workspace as a request of this method reads it, which may lag, or changes it."""
        now = self.clock.now()
        if method == "GET":
            return self._replica.read(self.workspace, now)
        self._replica.save(self.workspace, now)
        return self.workspace

    def save(self) -> bytes:
        """Return the workspace and its time as JSON."""
        return _SAVED.dump_json(Saved(self.clock.now(), self.workspace), by_alias=True)

    def restore(self, saved: bytes) -> None:
        """Replace the workspace with a saved one.

        :raises ValueError: it was not saved by an emulator.
        """
        try:
            restored = _SAVED.validate_json(saved)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"this is not a saved emulator: {where}: {first['msg']}") from None
        self.workspace = restored.workspace
        self.served_pages.clear()
        self._replica = Replica()
        self.clock.set(restored.now)

    def set_standing(self, token: str, standing: str) -> None:
        """Make a token `active`, `expired` or `revoked`.

        :raises ValueError: the token or the standing is unknown.
        """
        if token not in ACCOUNTS:
            raise ValueError(f"unknown token {token!r}; known: {', '.join(ACCOUNTS)}")
        if standing not in get_args(Standing):
            raise ValueError(f"unknown standing {standing!r}; known: {', '.join(get_args(Standing))}")
        self.standings[token] = standing  # type: ignore[assignment]  # checked above

    def mint(self, name: str, expires_at: datetime) -> Signature:
        """Create a signature token for the Discovery API."""
        token = token_for("signature", name, len(self.signatures))
        signature = Signature(token, secrets.token_hex(8), secrets.token_hex(16), expires_at)
        self.signatures[token] = signature
        return signature

    def account_of(self, token: str, secret: str) -> Account | None:
        """Return the account of basic credentials, or None if they are not valid."""
        account = ACCOUNTS.get(token) if secrets.compare_digest(secret.encode(), self.secret.encode()) else None
        return account if account is not None and self.standing_of(account) == "active" else None

    def standing_of(self, account: Account) -> Standing:
        """Return whether a token is active, expired or revoked."""
        ended = account.kind == "personal" and self.workspace.quirks.personal_tokens == "ended"
        if ended and self.clock.now() >= PERSONAL_TOKENS_END:
            return "expired"
        return self.standings.get(account.token, "active")

    def signer_of(self, credentials: str) -> Account | None:
        """Return the account of a signature token's `token:access_key:access_secret`, or None if it is not valid."""
        signature = self.signatures.get(credentials.split(":", 1)[0])
        if signature is None or signature.expires_at <= self.clock.now():
            return None
        expected = f"{signature.token}:{signature.access_key}:{signature.access_secret}"
        same = secrets.compare_digest(credentials.encode(), expected.encode())
        return Account(signature.token, "batch") if same else None


_SAVED = TypeAdapter(Saved)
