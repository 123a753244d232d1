# SPDX-License-Identifier: Apache-2.0
"""The caller, the workspace's account and its members."""

from __future__ import annotations

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Person, token_for
from airflow_provider_studio.emulator.request import ApiError, ApiRequest, not_found, param_missing
from airflow_provider_studio.emulator.routes.endpoint import Result, Routes
from airflow_provider_studio.emulator.serializers.hal import Body, link, pagination
from airflow_provider_studio.emulator.serializers.workspace import (
    serialize_account,
    serialize_membership,
    serialize_membership_lite,
)

routes = Routes()


@routes.on("GET", "/verify", root="/api")
def verify(request: ApiRequest) -> Result:
    name, account = request.workspace.name, request.account
    body: Body = {"workspace": name, "workspace_token": token_for("workspace", name)}
    if account.kind == "personal":
        body["_links"] = {"self": link(f"/api/{name}")}
    else:
        body["api_key_scope"] = account.kind
        body["_links"] = {"self": link(f"/api/{name}/api_keys/{account.token}")}
    return body


@routes.on("GET", "/account", root="/api")
def account(request: ApiRequest) -> Result:
    request.refuse_keys()
    return serialize_account(request.view, request.person, email=True)


@routes.on("GET", "/{username}", root="/api")
def workspace(request: ApiRequest) -> Result:
    username = request.name("username")
    if username == request.workspace.name:
        return serialize_account(request.view, None)
    if username not in request.workspace.people:
        raise not_found("account")
    return serialize_account(request.view, request.workspace.people[username])


@routes.on("GET", "/api_keys/{key}")
def api_key(request: ApiRequest) -> Result:
    account = request.account
    if request.name("key") != account.token:
        raise not_found("api key")
    links = {"self": link(request.path)}
    if account.kind == "member":
        links["member"] = link(f"/api/{account.username}")
    return {"token": account.token, "display_name": account.token, "scope": account.kind, "_links": links}


@routes.on("GET", "/memberships")
def memberships(request: ApiRequest) -> Result:
    shown = {"personal": True, "workspace": request.workspace.quirks.memberships == "listed"}
    if not shown.get(request.account.kind, False):
        raise not_found("account")
    return request.paged(
        "memberships",
        list(request.workspace.people.values()),
        lambda person: serialize_membership(request.view, person),
    )


@routes.on("GET", "/memberships/lite")
def memberships_lite(request: ApiRequest) -> Result:
    _ = request.account
    people = list(request.workspace.people.values())
    if request.workspace.quirks.members_lite == "whole":
        return request.whole("memberships", people, serialize_membership_lite)
    half = -(-len(people) // 2)
    listed = request.whole("memberships", people[:half], serialize_membership_lite)
    return listed | {"pagination": pagination(1, half, half, len(people))}


@routes.on("GET", "/memberships/{membership}")
def membership(request: ApiRequest) -> Result:
    return serialize_membership(request.view, _member(request))


@routes.on("DELETE", "/memberships/{membership}")
def delete_membership(request: ApiRequest) -> Result:
    request.need_admin()
    member = _member(request)
    if len(request.workspace.people) == 1:
        raise ApiError(400, "bad_request", "The last member cannot leave")
    body = serialize_membership(request.view, member)
    request.workspace.people.pop(member.username)
    return body


def _member(request: ApiRequest) -> Person:
    _ = request.account
    for person in request.workspace.people.values():
        if request.name("membership") in {token_for(what, person.username) for what in ("membership", "member")}:
            return person
    raise not_found("membership")


@routes.on("POST", "/invites")
def invite(request: ApiRequest) -> Result:
    request.refuse_keys()
    values = request.values("invite", invitee=dict, message=str)
    email = (values.get("invitee") or {}).get("email")
    if not isinstance(email, str) or "@" not in email:
        raise param_missing("invite.invitee.email")
    now = stamp(request.now)
    never = dict.fromkeys(("resent_at", "clicked_at", "accepted_at", "expires_at"))
    return {
        "email": email,
        "message": values.get("message"),
        "inviter_id": request.account.username,
        "invitee_id": None,
        "organization_id": request.workspace.name,
        "limited": False,
        "sent_at": now,
        **never,
        "created_at": now,
        "_links": {
            "inviter": link(f"/api/{request.account.username}"),
            "web_self_resend": link(f"/organizations/{request.workspace.name}/invites/resend"),
        },
    }
