# SPDX-License-Identifier: Apache-2.0
"""The keys and types of bodies that the real service sent, or that its documentation or clients contain.

The bodies themselves may not be published; if they are available, `tests/emulator/test_real_bodies.py` compares them.
"""

from __future__ import annotations

from typing import Any

REAL_KEYS = {
    "datahub/reports_list_page.json": """
        account_id:n account_username:s archived:b chart_count:n color_mappings:o created_at:s description:s
        drilldowns_enabled:b edited_at:s expected_runtime:n flamingo_signature:s full_width:b id:n
        is_embedded:b is_signed:b last_run_at:s last_saved_at:s last_successful_run_token:s
        last_successful_sync_at:z last_successfully_run_at:s manual_run_disabled:b max_query_count:n name:s
        public:b published_at:z query_count:n query_preview:s run_privately:b runs_count:n schedules_count:n
        shared:b space_token:s theme_id:n token:s type:s updated_at:s view_count:n web_preview_image:s
        >account >creator >last_run >last_successful_run >perspective_email_subscription_memberships
        >python_notebook >python_visualizations >queries >report_index_web >report_pins >report_run
        >report_runs >report_schedules >report_theme >self >share >space >validate_email_subscriber >web
        >web_edit >web_report_runs *archive *batch_edit_filters *clone *destroy *edit *unarchive
        *update_settings""",
    "datahub/reports_list_empty_page.json": "_embedded.reports:a >self",
    "datahub/datasets_list_2024.json": """
        account_id:n account_username:s collection_name:s collection_token:s created_at:s description:s
        drilldowns_enabled:b edited_at:s id:n is_sample:b last_run_at:s last_saved_at:s
        last_successful_run_token:s last_successful_sync_at:z last_successfully_run_at:s manual_run_disabled:b
        max_query_count:n name:s public:b query_count:n query_preview:s run_privately:b runs_count:n
        schedules_count:n space_token:s switch_view_token:s thoughtspot_published_at:z token:s type:s
        updated_at:s view_count:n""",
    "datahub/spaces_list.json": """
        default_access_level:s description:z free_default:b id:n name:s restricted:b space_type:s state:s
        token:s viewable?:b viewed?:b >creator >detail >preview_space_memberships >reports
        >search_space_permissions >self >space_memberships >user_space_membership >viewed >web
        *destroy_entitlements""",
    "datahub/queries_list.json": """
        created_at:s data_source_id:n explorations_count:n id:n last_run_id:n name:s raw_query:s token:s
        updated_at:s >charts >creator >new_chart >new_query_table >query_runs >query_tables >report
        >report_runs >self *destroy *edit""",
    "datahub/account_user_redacted.json": """
        avatar:o created_at:s data_source_count:n dataset_size_limit_mb:n email:s email_verified:b id:n name:s
        organizations_count:n query_run_size_limit_mb:n token:s user:b username:s""",
    "datahub/verify.json": "workspace:s workspace_token:s >self",
    "odd_collector/data_sources_list_2023.json": """
        account_id:n account_username:s adapter:s adapter_version:s asleep:b bridged:b created_at:s
        custom_attributes:o database:s default_access_level:s description:s display_name:s
        has_expensive_schema_updates:b host:s id:n ldap:b name:s organization_plan_code:s organization_token:s
        port:n provider:s public:b queryable:b soft_deleted:b ssl:b token:s updated_at:s username:s vendor:s
        warehouse:z""",
    "mode_docs/report_schedule.json": """
        created_at:s frequency:s hour:s last_run_at:s last_scheduled_run:s last_succeeded_at:s minute:s name:s
        next_scheduled_run:s parameters:o retry_count:n retry_delay:n retry_state:s subscribed:b time_zone:s
        timeout:n token:s updated_at:s >account >creator >report >report_runs >report_subscriptions >self""",
    "mode_docs/signature_token.json": """
        access_key:s access_secret:s authentication_for:s authorization_type:s created_at:s creator_id:n
        expires_at:s name:s organization_id:n token:s updated_at:s""",
    "mode_docs/discovery_reports_page.json": """
        created_at:s creator_email:s description:z edited_at:s id:n last_run_state:s last_run_token:s
        last_successfully_run_at:s name:z report_url:s space_id:n space_token:s token:s updated_at:s""",
    "mode_docs/discovery_report_stats_page.json": """
        active_schedules_count:n editors_emails:a explorations_count:n recent_manual_run_creators_emails:a
        report_id:n report_token:s scheduled_run_creators_emails:a total_views_count:n""",
    "mode_sdk_synthetic/report.json": """
        account_id:s account_username:s archived:b chart_count:n created_at:s edited_at:s expected_runtime:n
        github_link:s id:s last_run_at:s last_saved_at:s last_successful_run_token:s
        last_successfully_run_at:s max_query_count:n name:s public:b query_count:n runs_count:n
        schedules_count:n space_token:s token:s type:s updated_at:s view_count:n""",
    "mode_sdk_synthetic/report_run.json": """
        completed_at:z created_at:s form_fields:a has_more_recent_successful_run_available:b
        is_latest_report_run:b is_latest_successful_report_run:b parameters:o purge_completed_at:z
        purge_started_at:z python_state:s state:s token:s updated_at:s""",
    "mode_sdk_synthetic/report_schedule.json": """
        cron_hour:n cron_minute:n day_of_week:s frequency:s hour:s minute:s name:s parameters:o subscribed:b
        time_zone:s token:s""",
    "mode_sdk_synthetic/query_run_failed.json": """
        completed_at:s created_at:s data_source_id:s data_source_token:s error_code:s error_message:s
        error_type:s help_url:s id:s limit:b max_result_bytes:n query_name:s query_token:s state:s token:s""",
    "mode_sdk_synthetic/space.json": """
        default_access_level:s description:z free_default:b id:s name:s restricted:b schema_name:s
        space_type:s state:s token:s viewable?:b""",
    "mode_sdk_synthetic/spaces_page_envelope.json": """
        _embedded.spaces:a pagination.count:n pagination.page:n pagination.per_page:n pagination.total_count:n
        pagination.total_pages:n >next_page >self""",
    "issues/openmetadata_14578_400_body.json": "id:s message:s >help",
}
"""`key:types`, each type by its letter: string, number, boolean, object, array, z for null. A key of a listing around
the rows has a dot; `>relation` is a link and `*name` a form, where all links and forms of the body are known."""

TYPES = {"s": "string", "n": "number", "b": "boolean", "o": "object", "a": "array", "z": "null"}
_VALUES: dict[str, Any] = {"s": "x", "n": 1, "b": True, "o": {}, "a": [], "z": None}


def keys_of_real(file: str) -> dict[str, set[str]]:
    """Return the types of each key, counter, link and form of a body."""
    keys: dict[str, set[str]] = {}
    for word in REAL_KEYS[file].split():
        if word[0] in ">*":
            keys[f"{'_links' if word[0] == '>' else '_forms'}.{word[1:]}"] = {"object"}
        else:
            name, letters = word.rsplit(":", 1)
            keys[name] = {TYPES[letter] for letter in letters}
    return keys


def row_like_real(file: str) -> dict[str, Any]:
    """Return a row with the keys of a real one and values of their types."""
    row: dict[str, Any] = {"_links": {}, "_forms": {}}
    for name, types in keys_of_real(file).items():
        letter = next(letter for letter, known in TYPES.items() if known in types)
        outer, _, inner = name.partition(".")
        if inner:
            row.get(outer, {})[inner] = {"href": f"/{inner}"}
        else:
            is_time = letter == "s" and name.endswith(("_at", "_scheduled_run"))
            row[name] = "2026-01-31T08:15:00.123Z" if is_time else _VALUES[letter]
    return row
