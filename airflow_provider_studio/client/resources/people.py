# SPDX-License-Identifier: Apache-2.0
"""Who has access to the workspace: members, invitations, groups."""

from __future__ import annotations

from typing import Any

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import Operation, require
from airflow_provider_studio.client.base import StudioClientBase
from airflow_provider_studio.client.completeness import is_a_part
from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.pagination import embedded


class People(StudioClientBase):
    """The methods for members and groups."""

    def create_invite(self, email: str, message: str = "") -> dict[str, Any]:
        """Invite a person into the workspace; personal tokens only.

        :raises StudioCapabilityError: before any request, for a Workspace or Member token.
        """
        require(self.token_kind, Operation.CREATE_INVITE)
        body = {"invite": {"invitee": {"email": email}, "message": message}}
        return self._send("POST", f"/api/{self.workspace}/invites", body)

    def list_members(self) -> list[models.Member]:
        """List the workspace's members, with one request: `/memberships/lite`, which is not paged.

        The documented `/memberships` was observed to respond 404 to tokens; live clients read this one.

        :raises StudioResponseError: the response calls itself one page of several: the others are unknown.
        """
        path = f"/api/{self.workspace}/memberships/lite"
        page = self._get(path)
        rows = embedded(page, "memberships", what=f"GET {path}")
        if is_a_part(page.get("pagination"), len(rows)):
            raise StudioResponseError(
                f"GET {path} returned {len(rows):,} members and calls that a part; who else is a member is unknown."
            )
        return [models.Member.parse(row, what=f"GET {path}") for row in rows]
