# SPDX-License-Identifier: Apache-2.0
"""How the emulated service behaves where sources disagree, the behaviour is unknown, or workspaces differ.

Code that relies on one behaviour can be tested with the others. docs/emulator-quirks.md lists them:
`python -m tests.contrary.page` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Literal, get_args

from msgspec import Raw

from airflow_provider_studio.emulator.endpoint_quirks import EndpointQuirks
from airflow_provider_studio.emulator.listing_quirks import EVERY, ListingQuirks, PagingQuirks
from airflow_provider_studio.emulator.quirk_settings import Setting, quirk, quirks_of

PERSONAL_TOKENS_END = datetime(2025, 2, 28, tzinfo=UTC)
_COUNTERS = ("query_count", "max_query_count", "chart_count", "runs_count", "schedules_count", "view_count")
_OPTIONAL_KEYS = (*_COUNTERS, "description", "edited_at", "last_run_at", "space_token", "type", "_links", "_forms")
"""Keys that a contrary service may omit from Reports: each is of use to the provider, and none is required."""
Frequency = Literal["every_15_minutes", "every_30_minutes", "hourly", "daily", "weekly", "monthly"]


def _some_keys(random: Random) -> list[str]:
    return sorted(random.sample(_OPTIONAL_KEYS, random.choice([0, 0, 1, 2, 3])))


@dataclass
class BodyQuirks:
    """What responses look like."""

    ids_as_text: bool = quirk(
        "the type of numeric ids",
        Setting(False, "JSON numbers, as until 2024", "F"),
        Setting(True, "decimal strings, as recently", "C"),
    )
    counters_as_text: bool = quirk(
        "the type of a Report's counters",
        Setting(False, "JSON numbers", "F"),
        Setting(True, "decimal strings", "D"),
    )
    missing_keys: list[str] = quirk(
        "which keys Reports and datasets lack, since none is guaranteed",
        Setting([], "none", "F"),
        Setting(["view_count", "last_run_at"], "the signs of use", "C"),
        Setting(["schedules_count", "_links", "_forms"], "those that lead to other resources", "G"),
        Setting(["type", "space_token", "edited_at"], "those that describe it", "G"),
        draw=_some_keys,
    )
    schedules_count: Literal["right", "zero", "at_most_one"] = quirk(
        "how many schedules a Report counts",
        Setting("right", "those that it has", "G"),
        Setting("zero", "none", "G"),
        Setting("at_most_one", "at most one", "G"),
    )
    odd_fields: dict[str, dict[str, str]] = quirk(
        "values of Reports and datasets that are not as described: JSON text by key, by the token of the Report",
        Setting({}, "none", "F"),
        Setting({EVERY: {"edited_at": '""'}}, "each has a blank time", "G", is_usable=False),
    )
    creator_links: Literal["present", "absent"] = quirk(
        "whether Reports and datasets link to their creator; their queries do",
        Setting("present", "yes", "F"),
        Setting("absent", "no", "C"),
    )
    alien_key: bool = quirk(
        "whether a Report has an unknown key",
        Setting(False, "no", "F"),
        Setting(True, "yes, as after a new release", "G"),
    )
    statuses: Literal["seen", "documented"] = quirk(
        "the statuses of successful creations, changes and deletions",
        Setting("seen", "201, 202 and 204", "C"),
        Setting("documented", "200", "D"),
    )
    results_as_zip: bool = quirk(
        "the content of `content.csv`",
        Setting(False, "CSV", "D"),
        Setting(True, "a zip archive", "C"),
    )
    pdf_download_link: Literal["file", "plain", "absent"] = quirk(
        "the link to the file of a finished PDF",
        Setting("file", "it ends in `download.pdf`", "C"),
        Setting("plain", "it ends in `download`, as the described path", "D"),
        Setting("absent", "there is none", "G"),
    )
    not_found_status: Literal[404, 400] = quirk(
        "the status of a response whose `id` is `not_found`",
        Setting(404, "404", "D"),
        Setting(400, "400", "C"),
    )


@dataclass
class EncodingQuirks:
    """How bodies are written."""

    time_format: Literal["milliseconds_z", "seconds_z", "offset", "seconds_offset", "microseconds", "other_zone"] = (
        quirk(
            "how times are written; a schedule's planned times end in `+00:00` in any case",
            Setting("milliseconds_z", "with milliseconds and `Z`", "F"),
            Setting("seconds_z", "without fractions of a second", "G"),
            Setting("offset", "with milliseconds and `+00:00`", "D"),
            Setting("seconds_offset", "without fractions, with `+00:00`", "D"),
            Setting("microseconds", "with microseconds, as in the audit log", "D"),
            Setting("other_zone", "in a zone five hours behind UTC", "G"),
        )
    )
    link_hrefs: Literal["relative", "absolute"] = quirk(
        "whether links name the host",
        Setting("relative", "no, except those to web pages", "F"),
        Setting("absolute", "yes", "G"),
    )
    envelope: Literal["plain", "extended"] = quirk(
        "what a listing has beside its rows, links and counters",
        Setting("plain", "nothing", "F"),
        Setting("extended", "an unknown key, and an empty list of something else", "G"),
    )
    content_type: Literal["hal", "json", "charset"] = quirk(
        "the content type of responses",
        Setting("hal", "`application/hal+json`", "D"),
        Setting("json", "`application/json`", "G"),
        Setting("charset", "`application/hal+json; charset=utf-8`", "G"),
    )


@dataclass
class ReportQuirks:
    """Archived Reports and Report runs."""

    archived_schedules: Literal["keep", "stop"] = quirk(
        "what schedules do when their Report is archived",
        Setting("keep", "they continue to fire", "G"),
        Setting("stop", "they stop until it is unarchived", "G"),
    )
    archived_schedules_count: Literal["kept", "zero"] = quirk(
        "the `schedules_count` of an archived Report",
        Setting("kept", "that of its schedules", "G"),
        Setting("zero", "0", "G"),
    )
    second_archive: Literal[200, 400] = quirk(
        "the status of the response to archiving an archived Report",
        Setting(200, "200", "G"),
        Setting(400, "400", "G"),
    )
    last_run_link: Literal["newest", "absent", "templated", "purged", "stale"] = quirk(
        "what a Report links as its last run",
        Setting("newest", "its newest run", "F"),
        Setting("absent", "nothing", "G"),
        Setting("templated", "a URI template", "G"),
        Setting("purged", "a run that is gone", "G"),
        Setting("stale", "the run before the newest", "G"),
    )


@dataclass
class ScheduleQuirks:
    """Schedules and subscriptions."""

    schedule_body: Literal["wrapped", "flat"] = quirk(
        "how the body that creates or changes a schedule is built",
        Setting("wrapped", "inside `report_schedule`", "C"),
        Setting("flat", "without a wrapper", "D"),
    )
    schedule_forms: Literal["present", "absent"] = quirk(
        "whether a schedule has `_forms`",
        Setting("present", "yes", "C"),
        Setting("absent", "no: its machine values are only in its row", "C"),
    )
    schedule_params: Literal["bare", "wrapped"] = quirk(
        "how a schedule's form holds its parameters",
        Setting("bare", "as an object", "C"),
        Setting("wrapped", "as the value of a field", "G"),
    )
    schedule_unset_days: Literal["without_value", "null"] = quirk(
        "how a schedule's form holds a day that is not set",
        Setting("without_value", "as a field without a value", "C"),
        Setting("null", "as a field whose value is null", "G"),
    )
    schedule_minutes: Literal["exact", "rounded"] = quirk(
        "how the minute of a schedule is stored",
        Setting("exact", "as sent", "G"),
        Setting("rounded", "rounded down to a quarter of an hour", "G"),
    )
    schedule_time_zones: Literal["as_sent", "first"] = quirk(
        "under which name the time zone of a schedule is stored",
        Setting("as_sent", "that which was sent", "G"),
        Setting("first", "the first of the names that stand for the same zone", "G"),
    )
    fastest_schedule: Frequency | None = quirk(
        "the admins' policy: a schedule that fires more often cannot be created or changed, old ones still run",
        Setting(None, "any frequency is allowed", "D"),
        *(Setting(frequency, f"at most {frequency}", "D") for frequency in get_args(Frequency)),
    )
    subscription_token: bool = quirk(
        "whether a subscription has a `token`",
        Setting(False, "no", "D"),
        Setting(True, "yes", "G"),
    )
    subscription_self_link: bool = quirk(
        "whether a subscription has a link to itself, which identifies it",
        Setting(True, "yes", "D"),
        Setting(False, "no", "G"),
    )
    subscription_joins: Literal["newest", "oldest", "first", "named"] = quirk(
        "which schedule of its Report a new subscription joins",
        Setting("newest", "the newest", "G"),
        Setting("oldest", "the oldest", "G"),
        Setting("first", "the first in the list", "G"),
        Setting("named", "the one that `report_schedule_token` in the request names", "G"),
    )
    subscription_options: Literal["as_sent", "without_pdf"] = quirk(
        "how a subscription's options are stored",
        Setting("as_sent", "as sent", "D"),
        Setting("without_pdf", "without PDFs, as in a workspace that does not allow them", "G"),
    )
    subscriber_count: Literal["people", "zero", "absent"] = quirk(
        "a schedule's `subscriber_count`",
        Setting("people", "the people who get its results by e-mail", "D"),
        Setting("zero", "0, such as where a count is stored and was not updated", "G"),
        Setting("absent", "there is no such key", "G"),
    )
    subscriber_lists: Literal["shown", "bad_request", "forbidden", "not_found"] = quirk(
        "the response to a subscription's links to its subscribers",
        Setting("shown", "the subscribers", "D"),
        Setting("bad_request", "400, as from endpoints that do not support API keys", "G"),
        Setting("forbidden", "403", "G"),
        Setting("not_found", "404", "G"),
    )


@dataclass
class EffectQuirks:
    """When an effect is visible, and which time a response has."""

    read_lag_seconds: float = quirk(
        "for how many seconds of the workspace's time after a change GET requests return the state before it",
        Setting(0.0, "none: it is visible at once", "G"),
        Setting(3.0, "a few, as with a replica or a cache", "G"),
    )
    date_header: Literal["workspace", "real", "absent"] = quirk(
        "the time in the header `Date`",
        Setting("workspace", "that of the workspace, as in bodies", "G"),
        Setting("real", "that of the machine", "G"),
        Setting("absent", "there is no such header", "G"),
    )


@dataclass
class AccessQuirks:
    """What the workspace's plan and tokens permit."""

    denied_status: Literal[403, 404] = quirk(
        "the status of the response to what the caller has no permission for",
        Setting(403, "403", "D"),
        Setting(404, "404, as if it did not exist", "G"),
    )

    plan: Literal["enterprise", "business", "free"] = quirk(
        "the workspace's plan",
        Setting("enterprise", "everything", "D"),
        Setting("business", "no Discovery API: 403", "D"),
        Setting("free", "no API: 403", "D", is_usable=False),
    )
    personal_tokens: Literal["accepted", "ended"] = quirk(
        "whether personal tokens are accepted",
        Setting("accepted", "yes", "F"),
        Setting("ended", "not since 28 February 2025 of the workspace's time", "S", is_usable=False),
    )


@dataclass
class Quirks(
    BodyQuirks,
    EncodingQuirks,
    ListingQuirks,
    PagingQuirks,
    ReportQuirks,
    ScheduleQuirks,
    EndpointQuirks,
    EffectQuirks,
    AccessQuirks,
):
    """All behaviours of the service that are not certain."""

    def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Change a Report's or dataset's body as the quirks require, and return it."""
        if self.counters_as_text:
            body |= {name: str(body[name]) for name in _COUNTERS if name in body}
        if self.alien_key:
            body["alien_key"] = {"nobody": "knows"}
        for name in self.missing_keys:
            body.pop(name, None)
        odd = self.odd_fields.get(EVERY, {}) | self.odd_fields.get(body.get("token", ""), {})
        return body | {name: Raw(text.encode()) for name, text in odd.items()}


QUIRKS = {quirk.name: quirk for quirk in quirks_of(Quirks)}
"""Each quirk by its name, with what is known about it."""
