# SPDX-License-Identifier: Apache-2.0
"""The words of Studio's API that a redacted response keeps. Everything else is replaced."""

from __future__ import annotations

import re

from airflow_provider_studio.client.models import RunState
from airflow_provider_studio.client.schedule_values import Frequency
from airflow_provider_studio.client.time_zones import ZONES


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FREQUENCIES = frozenset(map(str, Frequency))
VALUES: dict[str, frozenset[str]] = {
    "state": frozenset({*map(str, RunState), "active", "new", "requested"}),
    "python_state": frozenset({"none", "pending", "failed", "submitted", "succeeded", "skipped"}),
    "space_type": frozenset({"custom", "private", "community"}),
    "type": frozenset({"Report", "DatasetReport", "text", "select", "object", "hidden", "checkbox", "number"}),
    "frequency": _FREQUENCIES,
    "freq": _FREQUENCIES,
    "time_zone": frozenset(ZONES),
    "minute": frozenset({"the top of the hour"}),
    "retry_state": frozenset({"ok"}),
    "api_key_scope": frozenset({"workspace", "member"}),
    "method": frozenset({"get", "post", "patch", "put", "delete"}),
    "default_access_level": frozenset({"view", "edit", "restricted", "none", "Query"}),
    "report_type": frozenset({"Report", "DatasetReport"}),
    "id": _words(
        """bad_request unauthorized forbidden not_found param_missing payload_too_large rate_limited
    internal_server_error service_unavailable not_implemented"""
    ),
}
"""Texts that are kept, by their key: enumerations of the API, and ids of errors."""
PATTERNS = {
    "hour": re.compile(r"\d{1,2}:\d\d [ap]m"),
    "minute": re.compile(r"\d{1,2} minutes past the hour"),
    "day_of_week": re.compile(r"(?:(?:(?:Sun|Mon|Tues|Wednes|Thurs|Fri|Satur)day|[0-7]),?)+"),
}
"""Forms of texts that are kept, by their key."""
COUNTS = re.compile(
    r"\w+_count|count|page|per_page|total_pages|cron_hour|cron_minute|hour|minute|day_of_month|timeout|retry_delay"
    r"|expected_runtime"
)
"""Keys whose numbers are kept, whether they are numbers or text."""
RESOURCE_KEY = re.compile(r"[a-z_][a-z0-9_]{0,60}\??")
"""Keys of a resource, and relations of its links, which are names of the API."""
INNER_KEYS = _words(
    """_embedded _forms _links account_id action color_mappings cron day_of_month day_of_week description
    drill_anywhere_enabled freq full_width hour href input label layout manual_run_disabled method minute name
    options owner_id page params parameters pagination per_page published report report_schedule space_token
    templated theme time_zone timeout token total_count total_pages count type value"""
)
"""Keys that are kept in objects within a resource; others may be names that people chose."""
USER_DATA = frozenset({"params", "parameters", "color_mappings", "custom_attributes", "settings", "layout"})
"""Keys of objects whose content is user data."""
PATH_WORDS = _words(
    """api batch account verify reports report spaces space collections collection runs query_runs queries charts
    schedules subscriptions memberships lite members data_sources datasets definitions groups filters
    report_filters report_views report_stats results content.csv content.json exports pdf pdf.pdf download
    download.pdf archive unarchive clone update_settings email_report_subscription_memberships
    slack_report_subscription_memberships perspective_email_report_subscription_memberships api_keys permissions
    search detail viewed preview report_pins pins layout_cells notebooks space_links dbt_metadata organizations
    home new viewer app star embed share update_batch sync_to_github duplicates options cells python_cell_runs
    python_visualizations themes purge audit_logs invites schema_updates fields field_descriptions v1
    bulk_delete details edit preview_image"""
)
"""Parts of paths that are kept."""
QUERY_NAMES = re.compile(
    r"filter|page|per_page|order|order_by|ids|tokens|include_spaces|embed(?:\[[a-z_]{1,30}\]){1,3}"
)
QUERY_VALUES = _words(
    """custom all mine editable archived drafts viewed by_ids by_tokens asc desc created_at updated_at"""
)
HEADERS = ("content-type", "x-ratelimit-limit", "x-ratelimit-remaining", "retry-after")
"""The headers that are kept, if their values are numbers or one of `MEDIA_TYPES`."""
MEDIA_TYPES = frozenset(
    {"application/hal+json", "application/hal+json; charset=utf-8", "application/json", "text/html", "text/csv"}
)
