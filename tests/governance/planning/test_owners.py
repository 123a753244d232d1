# SPDX-License-Identifier: Apache-2.0
"""The owner of a Report whose response has no link to its creator."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.governance.conftest import Governed
from tests.governance.nights import NOW, ago, write_night


@pytest.fixture
def owner(governed: Governed) -> str:
    """The creator of each Report of the workspace, whose responses do not show it."""
    governed.control.set_quirks(creator_links="absent")
    return next(iter(governed.emulator._state.workspace.people))


def planned(governed: Governed, **policy: Any) -> Plan:
    governed.nights(100, 0)
    governed.control.clear_requests()
    return governed.plan(**policy)


def test_it_is_the_creator_of_the_reports_queries(governed: Governed, owner: str) -> None:
    governed.report(query_count=2)
    (action,) = planned(governed).actions
    assert action.owner == owner


def test_a_protected_owner_is_found(governed: Governed, owner: str) -> None:
    governed.report(query_count=2)
    plan = planned(governed, protected_owners=[owner])
    assert (plan.actions, [spared.reason for spared in plan.spared]) == ((), ["protected_owner"])


@pytest.mark.parametrize("status", [None, 403, 404])
def test_an_unknown_owner_may_be_a_protected_one(governed: Governed, owner: str, status: int | None) -> None:
    governed.report(query_count=0 if status is None else 2)
    if status is not None:
        governed.control.add_fault("status", path="/queries$", status=status, times=None)
    plan = planned(governed, protected_owners=["somebody"])
    (spared,) = plan.spared
    assert (plan.actions, spared.reason) == ((), "protected_owner")
    assert spared.detail == "its owner is unknown, and may be a protected one"


def test_an_unknown_owner_has_not_left(governed: Governed, owner: str) -> None:
    governed.report(query_count=0)
    plan = planned(governed, owner_left_days=30)
    (action,) = plan.actions
    assert action.owner is None
    assert "creator" not in {evidence.field for evidence in action.evidence}


def test_only_reports_that_would_be_planned_are_looked_up_and_each_once(governed: Governed, owner: str) -> None:
    governed.report(query_count=1, schedules=2)
    governed.report(query_count=1, edited_at=ago(1).isoformat())
    planned(governed)
    paths = [request["path"] for request in governed.control.requests_summary()["requests"]]
    assert sum(path.endswith("/queries") for path in paths) == 2, "one listing, which ends with the repeated page"


def test_the_address_that_discovery_returned_names_the_member(governed: Governed, owner: str) -> None:
    address = f"{owner}@example.com"
    (member,) = (member for member in governed.client.list_members() if member.username == owner)
    row = {"view_count": 5, "archived": False, "edited_at": ago(365), "created_at": ago(730), "query_count": 0}
    row |= {"creator_email": member.email or address, "schedules_count": 0, "collection": governed.collection}
    for days in (100, 0):
        write_night(governed.storage, days, {"aaaaaaaaaaaa": row})
    plan = make_plan(governed.storage, "acme", StalenessPolicy(), client=governed.client, now=lambda: NOW)
    assert [action.owner for action in plan.actions] == [owner]
