# SPDX-License-Identifier: Apache-2.0
"""People, groups and Collections, and their permissions."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.emulator import StudioEmulator
from tests.emulator.conftest import Caller


@pytest.fixture
def member(emulator: StudioEmulator) -> Caller:
    """A person who is not an admin."""
    return Caller(emulator, "member")


def _made(ask: Caller, **fields: Any) -> str:
    response = ask("POST", "/spaces", json={"space": {"name": "Secrets", **fields}})
    assert response.status_code == 201
    return str(response.json()["token"])


def test_a_collection_is_made_as_described_and_then_there(emulator: StudioEmulator, ask: Caller) -> None:
    token = _made(ask, description="Quiet", default_access_level="restricted")
    body = ask("GET", f"/spaces/{token}").json()
    assert (body["name"], body["description"], body["restricted"], body["space_type"]) == (
        "Secrets",
        "Quiet",
        True,
        "custom",
    )
    listed = [
        collection for page in (1, 2, 3) for collection in ask.rows(f"/spaces?filter=custom&page={page}", "spaces")
    ]
    assert token in {collection["token"] for collection in listed}
    assert emulator.control.state()["collections"][token]["name"] == "Secrets"
    assert ask("DELETE", f"/spaces/{token}").status_code == 204
    assert ask("GET", f"/spaces/{token}").json()["message"] == "space not found"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "space"),
        ({"space": {}}, "space.name"),
        ({"space": {"name": 3}}, "space.name"),
        ({"space": {"name": "x", "space_type": "private"}}, "space.space_type"),
    ],
)
def test_a_collection_that_makes_no_sense_is_not_made(
    emulator: StudioEmulator, ask: Caller, body: dict[str, Any], said: str
) -> None:
    before = len(emulator.control.state()["collections"])
    response = ask("POST", "/spaces", json=body)
    assert (response.status_code, said in response.json()["message"]) == (400, True)
    assert len(emulator.control.state()["collections"]) == before


def test_the_creator_of_a_restricted_collection_sees_it(member: Caller) -> None:
    token = _made(member, default_access_level="restricted")
    assert member("GET", f"/spaces/{token}").json()["_links"]["creator"]["href"] == "/api/member1"
    assert token in {collection["token"] for collection in member.rows("/spaces", "spaces")}


def test_a_member_of_a_restricted_collection_sees_it_until_the_membership_ends(
    emulator: StudioEmulator, ask: Caller, member: Caller
) -> None:
    token = _made(ask, default_access_level="restricted")
    report = emulator.control.add_report(collection=token)
    assert member("GET", f"/reports/{report}").status_code == 404
    joined = ask(
        "POST",
        f"/spaces/{token}/memberships",
        json={"membership": {"member_type": "User", "member_token": _token_of(ask, "member1")}},
    )
    assert joined.status_code == 201
    assert member("GET", f"/reports/{report}").status_code == 200
    assert len(ask.rows(f"/spaces/{token}/memberships", "space_memberships")) == 1
    assert ask("DELETE", f"/spaces/{token}/memberships/{joined.json()['token']}").status_code == 200
    assert member("GET", f"/reports/{report}").status_code == 404


def _token_of(ask: Caller, username: str) -> str:
    (found,) = [member for member in ask.rows("/memberships/lite", "memberships") if member["username"] == username]
    return str(found["member_token"])


def test_nobodys_token_joins_nothing(ask: Caller, busy: str) -> None:
    response = ask("POST", f"/spaces/{busy}/memberships", json={"membership": {"member_token": "0123456789ab"}})
    assert (response.status_code, response.json()["message"]) == (400, "membership.member_token is not a member's")


def test_a_group_counts_its_members(ask: Caller) -> None:
    group = ask("POST", "/groups", json={"user_group": {"name": "Analysts"}}).json()["token"]
    path = f"/groups/{group}/memberships"
    joined = [
        ask("POST", path, json={"membership": {"member_token": _token_of(ask, name)}}).json()["token"]
        for name in ("member1", "member2")
    ]
    assert ask("GET", f"/groups/{group}").json()["member_count"] == 2
    assert ask("DELETE", f"{path}/{joined[0]}").status_code == 200
    assert [membership["token"] for membership in ask.rows(path, "group_memberships")] == joined[1:]
    assert ask("GET", f"{path}/{joined[0]}").json()["message"] == "group membership not found"
    assert ask("PATCH", f"/groups/{group}", json={"user_group": {"name": "Scientists"}}).json()["name"] == "Scientists"


def test_only_admins_manage_groups_and_members(ask: Caller, member: Caller) -> None:
    assert member("POST", "/groups", json={"user_group": {"name": "Mine"}}).json()["id"] == "forbidden"
    other = _token_of(ask, "member3")
    assert member("DELETE", f"/memberships/{other}").status_code == 403
    assert ask("DELETE", f"/memberships/{other}").json()["member_username"] == "member3"
    assert ask("GET", f"/memberships/{other}").status_code == 404
    assert "member3" not in {member["username"] for member in ask.rows("/memberships/lite", "memberships")}


def test_an_invitation_is_a_persons_to_make(emulator: StudioEmulator) -> None:
    person = Caller(emulator, "personal")
    response = person("POST", "/invites", json={"invite": {"invitee": {"email": "new@example.com"}, "message": "Hi"}})
    assert (response.status_code, response.json()["email"], response.json()["inviter_id"]) == (
        200,
        "new@example.com",
        "member1",
    )
    assert person("POST", "/invites", json={"invite": {"invitee": {}}}).json()["id"] == "param_missing"
