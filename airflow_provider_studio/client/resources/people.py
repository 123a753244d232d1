# SPDX-License-Identifier: Apache-2.0
"""Who has access to the workspace: members, invitations, groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import Operation, check_identifier, require
from airflow_provider_studio.client.base import StudioClientBase
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.resources.named import check_named


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
        return self._whole_list(f"/api/{self.workspace}/memberships/lite", "memberships", models.Member)

    def list_memberships(self) -> Iterator[models.Membership]:
        """List who belongs to the workspace, with the memberships' own tokens.

        Live tokens got 404 from it, as one client reports; `list_members` reads the list that they can read.
        """
        return self._list(f"/api/{self.workspace}/memberships", "memberships", models.Membership)

    def get_membership(self, membership: str) -> models.Membership:
        """Read one membership of the workspace."""
        path, what = self._membership(membership), f"membership {membership}"
        return self._read(models.Membership, path, what=what, token=membership)

    def delete_membership(self, membership: str, *, username: str) -> None:
        """Remove a person from the workspace; an API token cannot invite them again.

        What happens to the person's Reports is not documented; see `airflow studio owners` first.

        :param username: the person's user name. If the membership is another person's, nothing is deleted.
        :raises StudioConfigurationError: the membership is another person's.
        """
        found = self.get_membership(membership)
        check_named(f"membership {membership}", "username", username, found.member_username)
        self._send("DELETE", self._membership(membership))

    def _membership(self, token: str) -> str:
        return f"/api/{self.workspace}/memberships/{check_identifier('membership', token)}"

    # Groups

    def list_groups(self) -> Iterator[models.Group]:
        """List the workspace's groups."""
        return self._list(f"/api/{self.workspace}/groups", "groups", models.Group)

    def get_group(self, group: str) -> models.Group:
        """Read one group."""
        return self._read(models.Group, self._group(group), what=f"group {group}", token=group)

    def create_group(self, name: str) -> models.Group:
        """Create a group; for admins."""
        body = {"user_group": {"name": _group_name(name)}}
        return models.Group.parse(self._send("POST", f"/api/{self.workspace}/groups", body), what="the new group")

    def update_group(self, group: str, *, name: str) -> models.Group:
        """Rename a group; for admins."""
        body = {"user_group": {"name": _group_name(name)}}
        return self._change(models.Group, self._group(group), body, what=f"group {group}", token=group)

    def delete_group(self, group: str, *, name: str) -> None:
        """Delete a group, with the access that it gives its members.

        :param name: the group's name. If the group has another one, nothing is deleted.
        :raises StudioConfigurationError: the group has another name.
        """
        check_named(f"group {group}", "name", name, self.get_group(group).name)
        self._send("DELETE", self._group(group))

    def list_group_memberships(self, group: str) -> Iterator[models.GroupMembership]:
        """List the members of a group."""
        return self._list(f"{self._group(group)}/memberships", "group_memberships", models.GroupMembership)

    def get_group_membership(self, group: str, membership: str) -> models.GroupMembership:
        """Read one member of a group."""
        path, what = self._group_membership(group, membership), f"group membership {membership}"
        return self._read(models.GroupMembership, path, what=what, token=membership)

    def create_group_membership(self, group: str, member: str) -> models.GroupMembership:
        """Add a person to a group; for admins.

        :param member: the person's `member_token`, which `list_members` returns.
        """
        body = {"membership": {"member_token": check_identifier("member", member)}}
        response = self._send("POST", f"{self._group(group)}/memberships", body)
        return models.GroupMembership.parse(response, what=f"the new membership of group {group}")

    def delete_group_membership(self, group: str, membership: str) -> None:
        """Remove a person from a group, which `create_group_membership` reverses."""
        self._send("DELETE", self._group_membership(group, membership))

    def _group(self, token: str) -> str:
        return f"/api/{self.workspace}/groups/{check_identifier('group', token)}"

    def _group_membership(self, group: str, token: str) -> str:
        return f"{self._group(group)}/memberships/{check_identifier('group membership', token)}"


def _group_name(name: str) -> str:
    if not name:
        raise StudioConfigurationError("name is empty; a group needs one.")
    return name
