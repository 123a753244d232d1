# SPDX-License-Identifier: Apache-2.0
"""Changing one Report and managing a Collection: what Member tokens may do, and what they may not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_studio.client.errors import StudioCapabilityError, StudioConfigurationError, StudioNotFoundError
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.operators.reports import StudioUpdateReportOperator
from airflow_provider_studio.testing import StudioTestWorkspace

member = pytest.mark.studio(token="member")


def update(**changes: Any) -> Any:
    context: Any = {"ti": SimpleNamespace(xcom_push=dict)}
    operator = StudioUpdateReportOperator(task_id="update", **changes)
    return operator.fail_fast(lambda: operator.run_with_studio(context))


def test_a_report_is_renamed_described_and_moved(studio_workspace: StudioTestWorkspace, studio_connection: str) -> None:
    report, place = studio_workspace.report("Old"), studio_workspace.collection("Sales")
    result = update(
        report=f"studio://acme/reports/{report}", name="New", description="of this year", collection=place.token
    )
    assert result == {"report": report.token, "name": "New", "description": "of this year", "collection": place.token}
    assert (report.truth["name"], report.truth["collection"]) == ("New", place.token)


def test_what_is_not_given_stays(studio_workspace: StudioTestWorkspace, studio_connection: str) -> None:
    report = studio_workspace.report("Revenue")
    update(report=report.token, description="of this year")
    assert report.truth["name"] == "Revenue"


@member
def test_a_member_token_changes_what_its_member_may(
    studio_workspace: StudioTestWorkspace, studio_connection: str
) -> None:
    report = studio_workspace.report("Old")
    update(report=report.token, name="New")
    assert report.truth["name"] == "New"


@member
def test_a_member_token_is_refused_in_words_where_its_member_may_not(
    studio_workspace: StudioTestWorkspace, studio_connection: str
) -> None:
    hidden = studio_workspace.report("Old", collection=studio_workspace.collection("Board", restricted=True))
    with pytest.raises(AirflowFailException, match=r"This Member token may not change the Report .* a Workspace token"):
        update(report=hidden.token, name="New")
    assert hidden.truth["name"] == "Old"


def test_a_workspace_token_hears_that_a_report_is_not_there(
    studio_workspace: StudioTestWorkspace, studio_connection: str
) -> None:
    with pytest.raises(StudioNotFoundError):
        update(report="0123456789ab", name="New")


@pytest.mark.parametrize(
    ("changes", "message"), [({}, "Nothing to update"), ({"name": "x" * 65}, "name has 65 characters")]
)
def test_an_update_that_makes_no_sense_is_refused(
    studio_workspace: StudioTestWorkspace, studio_connection: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(AirflowFailException, match=message):
        update(report=studio_workspace.report("Old").token, **changes)
    assert studio_workspace.control.requests_sent() == 0


@member
def test_a_member_token_makes_and_changes_a_collection_through_the_hook(
    studio_workspace: StudioTestWorkspace, studio_connection: str
) -> None:
    client = StudioHook(studio_connection).client
    made = client.create_collection("Sales", description="of the sales team")
    client.update_collection(made.token, name="Sales and marketing")
    assert studio_workspace.control.state()["collections"][made.token]["name"] == "Sales and marketing"
    with pytest.raises(StudioConfigurationError, match="Nothing to update"):
        client.update_collection(made.token)


@member
def test_a_collection_that_a_member_may_not_see_is_refused_in_words(
    studio_workspace: StudioTestWorkspace, studio_connection: str
) -> None:
    board = studio_workspace.collection("Board", restricted=True)
    with pytest.raises(StudioCapabilityError, match=r"may not change the Collection .* Let that member edit it"):
        StudioHook(studio_connection).client.update_collection(board.token, name="Mine")
    studio_workspace.control.add_fault("status", method="POST", path="/spaces", status=403)
    with pytest.raises(StudioCapabilityError, match="may not create a Collection"):
        StudioHook(studio_connection).client.create_collection("Mine")
