# SPDX-License-Identifier: Apache-2.0
"""What a plan asks Studio beside the snapshot, once and only where it needs to: members, and what a dataset feeds.

What cannot be read is unknown, and no proof of anything.
"""

from __future__ import annotations

import logging
from functools import cached_property

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioForbiddenError, StudioNotFoundError, StudioResponseError

log = logging.getLogger(__name__)

_UNREADABLE = (StudioForbiddenError, StudioNotFoundError, StudioResponseError)


class Members:
    """The workspace's members, read with one request at the first question."""

    def __init__(self, client: StudioClient | None) -> None:
        self._client = client

    @cached_property
    def _emails(self) -> dict[str, str | None] | None:
        """E-mail addresses by user name. Whoever is listed is a member: a suspended person may come back."""
        if self._client is None:
            return None
        try:
            members = self._client.list_members()
        except _UNREADABLE as error:
            log.warning("The workspace's members cannot be read, so nobody counts as having left: %s", error)
            return None
        return {one.username: one.email for one in members if one.username} or None

    @property
    def usernames(self) -> frozenset[str] | None:
        """Their user names; None where nobody could tell."""
        return None if self._emails is None else frozenset(self._emails)

    def email(self, username: str | None) -> str | None:
        """Return a member's address, where it is known."""
        return (self._emails or {}).get(username or "")


class FedBy:
    """Asks which live Report a dataset feeds."""

    def __init__(self, client: StudioClient | None) -> None:
        self._client = client

    def __call__(self, dataset: str) -> str | None:
        """Return the name of one, or None."""
        if self._client is None:
            return None
        try:
            fed = (one for one in self._client.list_dataset_reports(dataset) if not one.archived)
            return next((one.name or one.token for one in fed), None)
        except _UNREADABLE as error:
            log.warning("What dataset %s feeds cannot be read: %s", dataset, error)
            return None
