# SPDX-License-Identifier: Apache-2.0
"""Who has access to the workspace."""

from __future__ import annotations

from typing import Any

from airflow_provider_studio.client.field_types import Count, Identifier, Time
from airflow_provider_studio.client.models.resource import Resource, last_part


class Verification(Resource):
    """The response of `/verify`: the workspace that the credentials open."""

    workspace: str
    workspace_token: str | None = None
    api_key_scope: str | None = None


class Member(Resource):
    """A member of the workspace, from `/memberships/lite`."""

    username: str | None = None
    name: str | None = None
    email: str | None = None
    state: str | None = None
    admin: bool | None = None
    member_token: str | None = None


class Membership(Resource):
    """A person's membership of the workspace. The API describes no token of it: its link to itself names it."""

    member_username: str | None = None
    member_token: str | None = None
    admin: bool | None = None
    invited: bool | None = None
    state: str | None = None
    activated_at: Time | None = None

    @property
    def token(self) -> str | None:
        """Its token in paths: the end of its link to itself; None if the response has none."""
        return last_part(self.link("self"))


class Group(Resource):
    """A group of members, which gives access to Collections and data sources."""

    token: str
    name: str | None = None
    description: str | None = None
    group_type: str | None = None
    state: str | None = None
    member_count: Count | None = None
    managed: bool | None = None


class GroupMembership(Resource):
    """A member of a group; `member_token` is that of a `Member`."""

    token: str
    member_token: str | None = None


class AuditEntry(Resource):
    """An entry of the audit log: who did what to which entity."""

    id: Identifier | None = None
    action: str | None = None
    description: str | None = None
    timestamp: Time | None = None
    workspace_username: str | None = None
    actor: dict[str, Any] | None = None
    entity: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
