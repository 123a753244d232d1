# SPDX-License-Identifier: Apache-2.0
"""How the emulated service behaves where sources disagree, the behaviour is unknown, or workspaces differ.

Code that relies on one behaviour can be tested with the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

PERSONAL_TOKENS_END = datetime(2025, 2, 28, tzinfo=UTC)
_COUNTERS = ("query_count", "max_query_count", "chart_count", "runs_count", "schedules_count", "view_count")
Frequency = Literal["every_15_minutes", "every_30_minutes", "hourly", "daily", "weekly", "monthly"]


@dataclass
class Quirks:
    """Behaviours of the service that are not certain.

    :param ids_as_text: whether numeric ids are decimal strings (new) or JSON numbers (old).
    :param counters_as_text: whether a Report's counters are decimal strings (described) or JSON numbers (seen).
    :param missing_keys: keys that Reports and datasets lack; no key is guaranteed.
    :param alien_key: whether every Report has an unknown key, as a new release of the service might add.
    :param statuses: whether creations, changes and deletions respond 201, 202 and 204 (`seen`) or 200 (`documented`).
    :param results_as_zip: whether `content.csv` is a zip archive.
    :param unfiltered_collections: what a listing of Collections without a filter contains: those that the caller
        belongs to (none, for a Workspace token), or all except other people's personal ones (`but_others`, documented).
    :param listing_filters: whether listings of Reports use `filter`, `order` and `order_by`.
    :param listing_order: their default order; new Reports shift the pages of `newest_first`.
    :param archived_schedules: whether a schedule continues to fire when its Report is archived.
    :param archived_schedules_count: whether an archived Report still counts its schedules.
    :param second_archive: the status of the response to archiving an archived Report.
    :param schedule_body: whether a schedule is written inside `report_schedule`, as seen, or `flat`, as documented.
    :param schedule_forms: whether a schedule has `_forms` (seen), or its machine values only in the row (new).
    :param schedule_params: whether `params` in a schedule's form is `bare` (seen) or `wrapped` in a field.
    :param schedule_unset_days: whether an unset day of the week or month has no `value` in the form (seen), or null.
    :param schedule_minutes: whether the minute is stored as sent, or rounded down to a quarter of an hour.
    :param schedule_time_zones: whether a time zone is stored under the name that was sent, or under the `first` name
        of the same zone.
    :param subscription_token: whether a subscription has a `token`, which was neither described nor seen.
    :param subscription_self_link: whether a subscription has a link to itself, the only place with its token.
    :param subscription_joins: which schedule of its Report a new subscription belongs to: the `newest` or `oldest` by
        creation time, the `first` in the list, or the one `named` in `report_schedule_token`.
    :param subscription_options: whether a subscription's options are stored as sent, or without PDFs, as in a
        workspace that does not allow them.
    :param subscriber_lists: the response to a subscription's links: its subscribers (`shown`), 400 as for endpoints
        that do not support API keys, 403 or 404.
    :param fastest_schedule: an admin's policy: a schedule that fires more often cannot be created or changed.
    :param last_run_link: what a Report links as its last run: the newest, nothing, a URI template, a deleted run
        (`purged`), or the run before the newest (`stale`).
    :param plan: the workspace's plan: `business` has no Discovery API, `free` no API at all.
    :param personal_tokens: whether personal tokens are accepted, or are refused since the end of February 2025.
    """

    ids_as_text: bool = False
    counters_as_text: bool = False
    missing_keys: list[str] = field(default_factory=list)
    alien_key: bool = False
    statuses: Literal["seen", "documented"] = "seen"
    results_as_zip: bool = False
    unfiltered_collections: Literal["own", "but_others"] = "own"
    listing_filters: Literal["ignored", "documented"] = "ignored"
    listing_order: Literal["oldest_first", "newest_first"] = "oldest_first"
    archived_schedules: Literal["keep", "stop"] = "keep"
    archived_schedules_count: Literal["kept", "zero"] = "kept"
    second_archive: Literal[200, 400] = 200
    schedule_body: Literal["wrapped", "flat"] = "wrapped"
    schedule_forms: Literal["present", "absent"] = "present"
    schedule_params: Literal["bare", "wrapped"] = "bare"
    schedule_unset_days: Literal["without_value", "null"] = "without_value"
    schedule_minutes: Literal["exact", "rounded"] = "exact"
    schedule_time_zones: Literal["as_sent", "first"] = "as_sent"
    subscription_token: bool = False
    subscription_self_link: bool = True
    subscription_joins: Literal["newest", "oldest", "first", "named"] = "newest"
    subscription_options: Literal["as_sent", "without_pdf"] = "as_sent"
    subscriber_lists: Literal["shown", "bad_request", "forbidden", "not_found"] = "shown"
    fastest_schedule: Frequency | None = None
    last_run_link: Literal["newest", "absent", "templated", "purged", "stale"] = "newest"
    plan: Literal["enterprise", "business", "free"] = "enterprise"
    personal_tokens: Literal["accepted", "ended"] = "accepted"

    def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Change a Report's or dataset's body as the quirks require, and return it."""
        if self.counters_as_text:
            body |= {name: str(body[name]) for name in _COUNTERS if name in body}
        if self.alien_key:
            body["alien_key"] = {"nobody": "knows"}
        for name in self.missing_keys:
            body.pop(name, None)
        return body
