# SPDX-License-Identifier: Apache-2.0
"""Who has access to the workspace."""

from __future__ import annotations

from airflow_provider_studio.client.models.resource import Resource


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
