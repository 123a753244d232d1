# SPDX-License-Identifier: Apache-2.0
"""A Report that the doctor creates itself, changes, and removes: the only one that it ever changes.

The response to a creation proves nothing: a cache or a proxy may have confused it with that of another Report. So the
Report is read first, and nothing is sent to it unless it began to exist between two responses of this process, has no
name and has never run. Before every later change it is read again, and must still have that beginning and our name.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_studio.client.auth import check_identifier, is_identifier
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioConnectionError, StudioError
from airflow_provider_studio.client.exchange import Exchange
from airflow_provider_studio.client.visibility import read_until
from airflow_provider_studio.governance.doctor.survey import Survey
from airflow_provider_studio.governance.errors import GovernanceError

_NAME = "airflow-provider-studio doctor"
_NOT_FOUND = 404
_DATE_STEP = timedelta(seconds=1)
"""The header `Date` has whole seconds."""


@dataclass
class TrialReport:
    """A Report that this process created.

    :param created_at: when it began to exist, as its response says; it never changes.
    :param name: its name, which no other Report has.
    """

    client: StudioClient
    token: str
    created_at: str
    name: str = field(default_factory=lambda: f"{_NAME} {secrets.token_hex(4)}")
    possible_names: frozenset[str | None] = frozenset({None})
    """The names that it may have now: none at first, either while it is being named, then ours only."""

    @property
    def path(self) -> str:
        """Its path in the API."""
        return f"/api/{self.client.workspace}/reports/{self.token}"

    @property
    def page(self) -> str:
        """The URL of its page."""
        return f"{self.client.host}/{self.client.workspace}/reports/{self.token}"

    def read(self, below: str = "") -> Exchange:
        """Read it, or something below it."""
        return self.client.exchange("GET", f"{self.path}{below}")

    def rows(self, below: str, key: str) -> list[dict[str, Any]]:
        """Read the first page of a listing below it; no rows if the response has none."""
        return Survey({"page": self.read(below)}).rows("page", key) or []

    def change(self, method: str, below: str = "", body: Mapping[str, Any] | None = None) -> Exchange:
        """Send a change of it, after it was read and is still the Report that this process created.

        :raises GovernanceError: it is not; nothing was sent.
        """
        self.check()
        return self.client.exchange(method, f"{self.path}{below}", body=body)

    def check(self) -> None:
        """Check that it is still the Report that this process created.

        :raises GovernanceError: its token, beginning or name differ, or are missing.
        """
        body = self.read().body or {}
        is_same = (body.get("token"), body.get("created_at")) == (self.token, self.created_at)
        name = body.get("name", "missing") or None
        if not is_same or not isinstance(name, str | None) or name not in self.possible_names:
            raise GovernanceError(
                f"The Report {self.token} is not, or no longer, as this command made it, so it is not touched. "
                f"If it is named {self.name!r}, delete it by hand: {self.page}"
            )

    def name_it(self, collection: str) -> None:
        """Give it its name, and move it into a Collection.

        :raises GovernanceError: the name did not become visible; a later change is refused.
        """
        self.check()
        self.possible_names |= {self.name}
        response = self.change("PATCH", body={"report": {"name": self.name, "space_token": collection}})
        if not response.is_success:
            raise GovernanceError(
                f"The new Report {self.token} could not be named: the response was {response.status}."
            )
        read = read_until(
            lambda: self.read().body or {}, lambda body: body.get("name") == self.name, sleep=self.client.sleep
        )
        if read.get("name") != self.name or read.get("space_token") != collection:
            raise GovernanceError(f"The new Report {self.token} did not get its name or its Collection.")
        self.possible_names = frozenset({self.name})

    def remove(self) -> None:
        """Delete it.

        :raises GovernanceError: it may still exist; the message has its address.
        """
        by_hand = f"Delete the Report {self.token} ({self.name!r}) by hand: {self.page}"
        try:
            if self.read().status == _NOT_FOUND:
                return
            self.change("DELETE")
            left = read_until(self.read, lambda read: read.status == _NOT_FOUND, sleep=self.client.sleep)
        except GovernanceError:
            raise
        except StudioError as error:
            raise GovernanceError(f"{error} {by_hand}") from None
        if left.status != _NOT_FOUND and (left.body or {}).get("id") != "not_found":
            raise GovernanceError(f"The Report was not removed: a read of it got {left.status}. {by_hand}")


@contextmanager
def trial_report(client: StudioClient, collection: str) -> Iterator[TrialReport]:
    """Create a Report in a Collection, and delete it at the end, also after an error or Ctrl-C.

    :param collection: the token of the Collection.
    :raises GovernanceError: the new Report cannot be distinguished from an older one, and nothing was sent to it; or it
        could not be removed.
    """
    trial = _created(client, check_identifier("collection", collection))
    try:
        trial.name_it(collection)
        yield trial
    finally:
        trial.remove()


def _created(client: StudioClient, collection: str) -> TrialReport:
    before = client.exchange("GET", f"/api/{client.workspace}/spaces/{collection}")
    if not before.is_success or (before.body or {}).get("token") != collection:
        raise GovernanceError(f"The Collection {collection} cannot be read: the response was {before.status}.")
    if before.date is None:
        raise GovernanceError(
            "Responses have no Date, so a new Report cannot be distinguished from an older one. Nothing was changed."
        )
    try:
        response = client.exchange("POST", f"/api/{client.workspace}/reports", body={})
    except (StudioConnectionError, KeyboardInterrupt) as error:
        raise GovernanceError(
            f"{str(error) or 'Interrupted.'} Studio may have created an empty Report without a name in your personal "
            "Collection."
        ) from None
    token = (response.body or {}).get("token")
    if not response.is_success or not is_identifier(token):
        raise GovernanceError(f"No Report was created: the response was {response.status}. Nothing else was sent.")
    times = before.date, response.date or before.date
    try:
        return _verified(client, str(token), *times)
    except KeyboardInterrupt:
        _verified(client, str(token), *times).remove()
        raise


def _verified(client: StudioClient, token: str, earliest: datetime, latest: datetime) -> TrialReport:
    """Return the Report if it is new, without a name, and never ran.

    :param earliest: the `Date` of a response before the creation.
    :param latest: the `Date` of the response to the creation.
    """
    trial = TrialReport(client, token, "")
    body = read_until(trial.read, lambda read: read.is_success, sleep=client.sleep).body or {}
    created = body.get("created_at")
    is_new = _is_between(created, earliest, latest + _DATE_STEP)
    is_empty = body.get("token") == token and "name" in body and not body["name"] and not body.get("last_run_at")
    lists = {"/schedules": "report_schedules", "/runs": "report_runs"}
    is_unused = all(Survey({"page": trial.read(below)}).rows("page", key) == [] for below, key in lists.items())
    if not (is_new and is_empty and is_unused):
        raise GovernanceError(
            f"The response to the creation named the Report {token}, which is not provably new and empty, so it was "
            "not touched. A cache or a proxy may have confused two requests. An empty Report without a name may be in "
            "your personal Collection."
        )
    trial.created_at = str(created)
    return trial


def _is_between(text: object, earliest: datetime, latest: datetime) -> bool:
    try:
        return isinstance(text, str) and earliest <= datetime.fromisoformat(text) <= latest
    except (ValueError, TypeError):  # no time, or one without a zone
        return False
