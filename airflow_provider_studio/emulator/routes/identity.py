# SPDX-License-Identifier: Apache-2.0
"""Who asks, and who else is there."""

from __future__ import annotations

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Person, token_for
from airflow_provider_studio.emulator.request import ApiError, ApiRequest, not_found, param_missing
from airflow_provider_studio.emulator.routes.endpoint import Answer, Routes
from airflow_provider_studio.emulator.serializers import workspace as bodies
from airflow_provider_studio.emulator.serializers.hal import Body, link

routes = Routes()


@routes.on("GET", "/verify", root="/api")
def verify(asked: ApiRequest) -> Answer:
    workspace, account = asked.world.workspace, asked.account
    body: Body = {"workspace": workspace, "workspace_token": token_for("workspace", workspace)}
    if account.kind == "personal":
        body["_links"] = {"self": link(f"/api/{workspace}")}
    else:
        body["api_key_scope"] = account.kind
        body["_links"] = {"self": link(f"/api/{workspace}/api_keys/{account.token}")}
    return body


@routes.on("GET", "/account", root="/api")
def account(asked: ApiRequest) -> Answer:
    asked.refuse_keys()
    return bodies.account(asked.view, asked.person, email=True)


@routes.on("GET", "/{username}", root="/api")
def workspace(asked: ApiRequest) -> Answer:
    username = asked.name("username")
    if username == asked.world.workspace:
        return bodies.account(asked.view, None)
    if username not in asked.world.people:
        raise not_found("account")
    return bodies.account(asked.view, asked.world.people[username])


@routes.on("GET", "/api_keys/{key}")
def api_key(asked: ApiRequest) -> Answer:
    account = asked.account
    if asked.name("key") != account.token:
        raise not_found("api key")
    links = {"self": link(asked.path)}
    if account.kind == "member":
        links["member"] = link(f"/api/{account.username}")
    return {"token": account.token, "display_name": account.token, "scope": account.kind, "_links": links}


@routes.on("GET", "/memberships")
def memberships(asked: ApiRequest) -> Answer:
    if asked.account.kind != "personal":
        raise not_found("account")
    return asked.paged("memberships", list(asked.world.people.values()), lambda one: bodies.membership(asked.view, one))


@routes.on("GET", "/memberships/lite")
def memberships_lite(asked: ApiRequest) -> Answer:
    _ = asked.account
    return asked.whole("memberships", list(asked.world.people.values()), bodies.membership_lite)


@routes.on("GET", "/memberships/{membership}")
def membership(asked: ApiRequest) -> Answer:
    return bodies.membership(asked.view, _member(asked))


@routes.on("DELETE", "/memberships/{membership}")
def delete_membership(asked: ApiRequest) -> Answer:
    asked.need_admin()
    leaving = _member(asked)
    if len(asked.world.people) == 1:
        raise ApiError(400, "bad_request", "The last member cannot leave")
    body = bodies.membership(asked.view, leaving)
    asked.world.people.pop(leaving.username)
    return body


def _member(asked: ApiRequest) -> Person:
    _ = asked.account
    for person in asked.world.people.values():
        if asked.name("membership") in {token_for(what, person.username) for what in ("membership", "member")}:
            return person
    raise not_found("membership")


@routes.on("POST", "/invites")
def invite(asked: ApiRequest) -> Answer:
    asked.refuse_keys()
    values = asked.values("invite", invitee=dict, message=str)
    email = (values.get("invitee") or {}).get("email")
    if not isinstance(email, str) or "@" not in email:
        raise param_missing("invite.invitee.email")
    now = stamp(asked.now)
    never = dict.fromkeys(("resent_at", "clicked_at", "accepted_at", "expires_at"))
    return {
        "email": email,
        "message": values.get("message"),
        "inviter_id": asked.account.username,
        "invitee_id": None,
        "organization_id": asked.world.workspace,
        "limited": False,
        "sent_at": now,
        **never,
        "created_at": now,
        "_links": {
            "inviter": link(f"/api/{asked.account.username}"),
            "web_self_resend": link(f"/organizations/{asked.world.workspace}/invites/resend"),
        },
    }


@routes.on("GET", "/audit_logs")
def audit_logs(asked: ApiRequest) -> Answer:
    if asked.account.kind != "workspace":
        raise ApiError(401, "unauthorized", "Not authorized")
    if "hal+json" in asked.headers.get("accept", ""):
        raise ApiError(406, "not_acceptable", "Ask for application/json")
    for name in ("start_timestamp", "end_timestamp"):
        if not asked.query.get(name):
            raise param_missing(name)
    raise ApiError(501, "not_implemented", "The emulator does not emulate the audit log: its events are not documented")
