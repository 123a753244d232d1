# SPDX-License-Identifier: Apache-2.0
"""The workspace profile: what it is made of, what an inventory takes from it, and that a forged one permits nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from airflow_provider_studio.client.completeness import ListingCaution, ListingProgress
from airflow_provider_studio.client.pagination import pages
from airflow_provider_studio.governance.doctor.profile import (
    CHECKED_EVERY,
    Caution,
    Observations,
    WorkspaceProfile,
    checked_profile,
    new_profile,
    read_profile,
)
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from airflow_provider_studio.governance.layout import profile_file
from tests.conftest import client_of
from tests.governance.doctor.surveys import AT, emulated, examined

SCHEDULES_COUNT_IS_ZERO = {"listing_order": "unstable", "last_run_link": "stale", "schedules_count": "zero"}
WEEK = CHECKED_EVERY


def profile(*cautions: Caution, sizes: Mapping[str, int] | None = None) -> WorkspaceProfile:
    return WorkspaceProfile(AT, AT, frozenset(cautions), sizes or {})


def test_a_profile_has_what_differs_and_is_read_as_it_was_written(storage: UPath) -> None:
    examination = examined(**SCHEDULES_COUNT_IS_ZERO)
    made = new_profile(examination.survey, examination.findings, None, AT)
    assert made.cautions == {Caution.SHORT_PAGES, Caution.SCHEDULES_COUNT}
    assert made.facts["reports: order"] == "another in the second request"
    assert "reports: past the end" not in made.facts
    made.write(storage, "acme")
    assert read_profile(storage, "acme") == made


def test_a_caution_that_nothing_showed_now_stays() -> None:
    usual = examined()
    previous = profile(Caution.SCHEDULES_COUNT, Caution.SHORT_PAGES)
    assert new_profile(usual.survey, usual.findings, previous, AT).cautions == frozenset()
    assert new_profile(type(usual.survey)(), [], previous, AT).cautions == previous.cautions


def test_a_check_adds_cautions_and_never_removes_one() -> None:
    found = profile(Caution.COUNTERS, sizes={"reports": 30}).checked(
        Observations({Caution.COUNTERS: False, Caution.SHORT_PAGES: True}, {"reports": 50}), AT + WEEK
    )
    assert found.cautions == {Caution.COUNTERS, Caution.SHORT_PAGES}
    assert found.page_sizes == {"reports": 50}
    assert len(found.changes) == 3
    assert "pages of reports have 50 rows, no longer 30" in found.changes
    assert found.checked(Observations({}, {}), AT + WEEK).changes == ()


def test_a_profile_is_due_after_a_week_and_if_it_is_dated_in_the_future() -> None:
    assert [profile().is_due(AT + age) for age in (timedelta(0), WEEK, -timedelta(1))] == [False, True, True]


FORGED = [
    b"",
    b"[]",
    b"{" * 10_000,
    b'{"format": 2}',
    b'{"format": 1, "observed_at": "2026-06-01"}',
    b'{"format": 1, "observed_at": 5, "checked_at": 5, "cautions": [], "page_sizes": {}, "facts": {}, "changes": []}',
    b" " * 200_000,
    b"\xff\xfe",
]


@pytest.mark.parametrize("content", FORGED, ids=range(len(FORGED)))
def test_a_file_that_is_no_profile_is_like_none(storage: UPath, content: bytes) -> None:
    path = profile_file(storage, "acme")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert read_profile(storage, "acme") is None


def test_a_forged_profile_has_no_odd_values(storage: UPath) -> None:
    profile(Caution.COUNTERS).write(storage, "acme")
    path = profile_file(storage, "acme")
    forged = json.loads(path.read_text())
    forged["cautions"] += ["trust_everything", "short_pages"]
    forged["page_sizes"] = {"reports": -1, "datasets": True, "runs": 10**9, "elsewhere": 30, "spaces": 30}
    forged["facts"] = {"\x1b[2J": "x" * 5000}
    path.write_text(json.dumps(forged))
    found = read_profile(storage, "acme")
    assert found is not None
    assert (found.cautions, found.page_sizes) == ({Caution.COUNTERS, Caution.SHORT_PAGES}, {"spaces": 30})
    assert all(text.isprintable() and len(text) <= 200 for item in found.facts.items() for text in item)


@given(
    st.integers(0, 12),
    st.integers(1, 5),
    st.sampled_from(["none", "right", "too few", "one page"]),
    st.sampled_from(["empty", "last page", "first pages", "always the first"]),
    st.none() | st.integers(0, 12),
    st.booleans(),
    st.builds(ListingCaution, st.booleans(), st.frozensets(st.integers(1, 5))),
)
def test_a_caution_never_ends_a_listing_with_fewer_rows_or_less_doubt(
    rows: int, size: int, counters: str, end: str, counted: int | None, may_ignore: bool, caution: ListingCaution
) -> None:
    last = max(1, -(-rows // size))

    def fetch(page: int) -> dict[str, Any]:
        served = {"last page": min(page, last), "first pages": (page - 1) % last + 1, "always the first": 1}
        start = (served.get(end, page) - 1) * size
        body: dict[str, Any] = {"_embedded": {"rows": [{"token": f"t{n}"} for n in range(rows)[start : start + size]]}}
        total = {"right": (rows, last), "too few": (rows // 2, 1), "one page": (rows, 1)}.get(counters)
        if total is not None:
            body["pagination"] = dict(zip(("total_count", "total_pages"), total, strict=True))
        return body

    def read(chosen: ListingCaution | None) -> tuple[set[str], bool]:
        progress = ListingProgress(counted=counted, may_ignore_page=may_ignore, caution=chosen)
        found = list(pages(fetch, "rows", what="rows", progress=progress))
        return {row["token"] for page in found for row in page.rows}, found[-1].doubt is not None

    usual, careful = read(None), read(caution)
    assert careful[0] >= usual[0]
    assert careful[1] or not usual[1] or careful[0] > usual[0]


def test_the_next_inventory_respects_what_the_doctor_found(storage: UPath) -> None:
    examination = examined(**SCHEDULES_COUNT_IS_ZERO)
    emulator = emulated(**SCHEDULES_COUNT_IS_ZERO)
    scheduled = {schedule["report"] for schedule in emulator.control.state()["schedules"].values()}
    with client_of(emulator) as client:
        options: dict[str, Any] = {"now": lambda: AT, "threads": 1}
        without = take_inventory(client, storage / "without", **options)
        new_profile(examination.survey, examination.findings, None, AT).write(storage, "acme")
        with_profile = take_inventory(client, storage, **options)
        again = take_inventory(client, storage, **options | {"now": lambda: AT + timedelta(hours=1)})
    assert without.schedules == 0, "each Report says that it has none"
    personal = {token for token, report in emulator.control.state()["reports"].items() if report["personal_of"]}
    assert with_profile.scheduled_reports > 0
    assert with_profile.schedules == len(scheduled - personal)
    assert with_profile.cautions == sorted({Caution.SHORT_PAGES, Caution.SCHEDULES_COUNT})
    assert again.schedules == with_profile.schedules
    assert again.schedules_read < with_profile.schedules_read / 2, "most of those without schedules are not read again"


def test_an_inventory_checks_the_profile_weekly_and_says_what_changed(
    storage: UPath, caplog: pytest.LogCaptureFixture
) -> None:
    profile(Caution.COUNTERS, sizes={"reports": 30}).write(storage, "acme")
    emulator = emulated(page_sizes={"reports": 20})
    with client_of(emulator) as client, caplog.at_level(logging.WARNING):
        assert checked_profile(client, storage, AT + timedelta(days=1)) == profile(
            Caution.COUNTERS, sizes={"reports": 30}
        )
        assert client.spending.requests == 0
        checked = checked_profile(client, storage, AT + WEEK)
        assert 0 < client.spending.requests <= 12
    assert checked == read_profile(storage, "acme")
    assert checked is not None
    assert "pages of reports have 20 rows, no longer 30" in checked.changes
    assert "no longer holds: pages of reports have 20 rows, no longer 30. Run `airflow studio doctor`." in caplog.text


def test_a_check_that_fails_leaves_the_profile_as_it_is(storage: UPath) -> None:
    profile().write(storage, "acme")
    emulator = emulated()
    emulator.control.add_fault(kind="html", status=200, times=None)
    try:
        with client_of(emulator) as client:
            assert checked_profile(client, storage, AT + WEEK) is not None
    finally:
        emulator.control.clear_faults()
    assert read_profile(storage, "acme") == profile()
