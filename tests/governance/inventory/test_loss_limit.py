# SPDX-License-Identifier: Apache-2.0
"""`max_shrink` limits what is lost in a day, however many snapshots are taken in it."""

from __future__ import annotations

import pytest

from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from tests.governance.conftest import Governed


@pytest.fixture
def reports(governed: Governed) -> list[str]:
    """Three hundred Reports in a snapshot of last night."""
    tokens = [governed.report(f"Report {number}") for number in range(300)]
    governed.night(1)
    return tokens


def lose(governed: Governed, tokens: list[str]) -> None:
    for token in tokens:
        governed.control.remove_report(token)


def test_three_snapshots_in_a_night_may_not_lose_more_than_one(governed: Governed, reports: list[str]) -> None:
    lose(governed, reports[:27])  # 9 %
    governed.night(0.02, max_shrink=0.1)
    lose(governed, reports[27:54])
    with pytest.raises(InventoryError, match=r"54 of the 300 Reports .* are gone, more than 10%"):
        governed.night(0.01, max_shrink=0.1)
    assert len(SnapshotStore(governed.storage, "acme").all()) == 2


def test_each_night_may_lose_its_share(governed: Governed, reports: list[str]) -> None:
    for number, days_ago in enumerate((0.05, -0.9, -1.95)):  # an hour earlier or later than on the previous day
        lose(governed, reports[27 * number : 27 * (number + 1)])
        governed.night(days_ago, max_shrink=0.11)


def test_a_loss_that_a_person_accepted_is_not_counted_again(governed: Governed, reports: list[str]) -> None:
    lose(governed, reports[:60])
    with pytest.raises(InventoryError):
        governed.night(0.03, max_shrink=0.1)
    governed.night(0.02, max_shrink=0.3)
    assert governed.night(0.01, max_shrink=0.1).reports == 240
    lose(governed, reports[60:90])
    with pytest.raises(InventoryError, match=r"30 of the 240 Reports"):
        governed.night(0, max_shrink=0.1)


def test_a_report_that_came_and_went_in_between_is_no_loss_of_last_night(
    governed: Governed, reports: list[str]
) -> None:
    guests = [governed.report(f"Guest {number}") for number in range(25)]
    governed.night(0.02, max_shrink=0.1)
    lose(governed, guests)
    assert governed.night(0.01, max_shrink=0.1).disappeared == 25
