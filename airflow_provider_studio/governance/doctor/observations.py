# SPDX-License-Identifier: Apache-2.0
"""What the responses of a survey show, as values. None is unknown: nothing showed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_studio.client.pagination import names_of
from airflow_provider_studio.governance.doctor.survey import SAMPLED_COLLECTIONS, Survey, count_of

LISTINGS = {
    "spaces": ("collections", "collections_next", "spaces"),
    "reports": ("reports", "reports_next", "reports"),
    "datasets": ("datasets", None, "reports"),
    "schedules": ("schedules", "schedules_next", "report_schedules"),
    "runs": ("runs", "runs_next", "report_runs"),
}
"""Of each kind of listing: the names of its first and second page in the survey, and the key of its rows."""


def pages_of(survey: Survey, kind: str) -> list[list[dict[str, Any]]]:
    """Return the first pages of a listing that were received, at most two."""
    first, second, key = LISTINGS[kind]
    found = [survey.rows(name, key) for name in (first, second) if name is not None]
    pages: list[list[dict[str, Any]]] = []
    for rows in found:
        if rows is None:
            break
        pages.append(rows)
    return pages


def new_rows(pages: Sequence[Sequence[Mapping[str, Any]]]) -> int:
    """Return how many rows of the second page are not on the first."""
    if len(pages) < 2:
        return 0
    return len(set(names_of(pages[1])) - set(names_of(pages[0])))


def page_size(survey: Survey, kind: str) -> int | None:
    """Return the length of a page that others follow."""
    pages = pages_of(survey, kind)
    return max(map(len, pages)) if new_rows(pages) else None


def is_second_page_the_first(survey: Survey, kind: str) -> bool | None:
    """Whether the second page has the rows of the first again."""
    pages = pages_of(survey, kind)
    if len(pages) < 2 or not pages[0]:
        return None
    return names_of(pages[0]) == names_of(pages[1])


def is_short_page_followed(survey: Survey, kind: str) -> bool | None:
    """Whether a page is shorter than the one that follows it."""
    pages = pages_of(survey, kind)
    return len(pages[0]) < len(pages[1]) if new_rows(pages) else None


def is_order_stable(survey: Survey) -> bool | None:
    """Whether the first page of a listing of Reports was the same twice."""
    first, again = survey.rows("reports", "reports"), survey.rows("reports_again", "reports")
    if first is None or again is None or len(first) < 2:
        return None
    return names_of(first) == names_of(again)


def counters_of(survey: Survey, kind: str) -> bool | None:
    """Whether the counters of a listing agree with its rows; None without counters."""
    pages = pages_of(survey, kind)
    body = survey.body(LISTINGS[kind][0]) or {}
    block = body.get("pagination")
    if not pages or not isinstance(block, Mapping):
        return None
    total, last = count_of(block.get("total_count")), count_of(block.get("total_pages"))
    if total is None or last is None:
        return False
    seen = len(pages[0]) + new_rows(pages)
    return total >= seen and (last >= 2 if new_rows(pages) else last <= 1 or total > seen)


def counted_and_listed(survey: Survey) -> list[tuple[int, int]]:
    """Return of each Report whose schedules were listed to their end how many it counts, and how many there are."""
    found = []
    rows = {f"/{row.get('token')}/schedules": row for row in sampled_reports(survey)}
    names = ["schedules", *(name for name in survey.exchanges if name.startswith("unscheduled_"))]
    for name in names:
        listed, exchange = survey.rows(name, "report_schedules"), survey.exchanges.get(name)
        if listed is None or exchange is None:
            continue
        more = 0
        if name == "schedules":
            pages = pages_of(survey, "schedules")
            more = new_rows(pages)
            if len(pages) < 2:
                continue
        report = next((row for end, row in rows.items() if exchange.path.endswith(end)), {})
        counted = count_of(report.get("schedules_count"))
        if counted is not None:
            found.append((counted, len(listed) + more))
    return found


def is_schedules_count_right(survey: Survey) -> bool | None:
    """Whether the Reports count the schedules that they list; None if no listed Report has or counts any."""
    pairs = counted_and_listed(survey)
    if any(listed > counted or (counted > listed == 0) for counted, listed in pairs):
        return False
    return True if any(listed for _, listed in pairs) else None


def sampled_reports(survey: Survey) -> list[dict[str, Any]]:
    """Return all Reports that were listed, once each."""
    found: dict[str, dict[str, Any]] = {}
    names = [f"reports_{number}" for number in range(SAMPLED_COLLECTIONS)]
    for name in (*names, "reports", "reports_next"):
        for row in survey.rows(name, "reports") or []:
            token = row.get("token")
            if isinstance(token, str):
                found.setdefault(token, row)
    return list(found.values())
