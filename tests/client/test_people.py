# SPDX-License-Identifier: Apache-2.0
"""Groups and memberships: what an admin does when a person joins or leaves."""

from __future__ import annotations

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.emulator import StudioEmulator


def test_a_person_joins_a_group_and_leaves_it(client: StudioClient, emulator: StudioEmulator) -> None:
    group = client.create_group("Analysts").token
    assert client.update_group(group, name="Finance").name == "Finance"
    person = client.list_members()[0]
    made = client.create_group_membership(group, str(person.member_token))
    assert client.get_group_membership(group, made.token).member_token == person.member_token
    assert [one.token for one in client.list_group_memberships(group)] == [made.token]
    assert client.get_group(group).member_count == 1
    client.delete_group_membership(group, made.token)
    assert list(client.list_group_memberships(group)) == []


def test_groups_are_listed_over_all_pages(client: StudioClient) -> None:
    made = {client.create_group(f"Group {number}").token for number in range(25)}
    assert made < {group.token for group in client.list_groups()}


def test_a_person_who_left_loses_the_workspace(client: StudioClient, emulator: StudioEmulator) -> None:
    leaver, stays = list(client.list_memberships())[:2]
    assert client.get_membership(str(leaver.token)).member_username == leaver.member_username
    with pytest.raises(StudioConfigurationError, match=f"username is '{stays.member_username}', but that of"):
        client.delete_membership(str(leaver.token), username=str(stays.member_username))
    client.delete_membership(str(leaver.token), username=str(leaver.member_username))
    left = {member.username for member in client.list_members()}
    assert leaver.member_username not in left
    assert stays.member_username in left


def test_a_group_is_deleted_only_under_its_name(client: StudioClient) -> None:
    group = client.create_group("Analysts").token
    for name in ("analysts", ""):
        with pytest.raises(StudioConfigurationError, match=r"that of group .* is 'Analysts'; nothing was deleted"):
            client.delete_group(group, name=name)
    client.delete_group(group, name="Analysts")
    assert group not in {one.token for one in client.list_groups()}


def test_unusable_names_and_tokens_are_refused_before_any_request(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    with pytest.raises(StudioConfigurationError, match="name is empty"):
        client.create_group("")
    with pytest.raises(StudioConfigurationError, match="name is empty"):
        client.update_group("0a1b2c3d4e5f", name="")
    with pytest.raises(StudioConfigurationError, match=r"member is 'ada@example\.com'"):
        client.create_group_membership("0a1b2c3d4e5f", "ada@example.com")
    with pytest.raises(StudioConfigurationError, match="membership is ''"):
        client.delete_membership("", username="ada")
    assert emulator.control.requests_sent() == 0
