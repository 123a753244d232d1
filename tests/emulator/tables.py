# SPDX-License-Identifier: Apache-2.0
"""The known API: every endpoint with its response, and every body with its keys and types.

`python -m tests.emulator.tables` writes docs/emulator-endpoints.md from these tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airflow_provider_studio.emulator.routes import NOT_EMULATED

PAGE = Path(__file__).parents[2] / "docs" / "emulator-endpoints.md"

SHAPES = {
    "Verify": "workspace:s workspace_token:s api_key_scope:s",
    "Account": """username:s name:s id:is token:s email:s? dataset_size_limit_mb:i query_run_size_limit_mb:i
        email_verified:b avatar:o user:b space_count:i data_source_count:i organizations_count:i trial_state:s
        membership_type:s plan_code:s default_data_source_token:s? organization_restricted:b payment_method_confirmed:b
        private_definition_count:i private_definition_limit:i authorized_domains:a seat_limit_reached:b
        org_seat_limit_reached:b python_performance_first_tier:b admin_data_source_connections_only:b
        admin_collection_creation_only:b scim_enabled:b thoughtspot_integrated:b settings:o created_at:s""",
    "MembershipLite": "email:s name:s username:s admin:b state:s member_token:s",
    "Membership": """admin:b invited:b state:s member_username:s member_token:s activated_at:s managed_by_scim:b
        >self >web_self >organization >groups""",
    "Invite": """email:s message:s? inviter_id:s invitee_id:s? organization_id:s limited:b sent_at:s resent_at:s?
        clicked_at:s? accepted_at:s? expires_at:s? created_at:s >inviter >web_self_resend""",
    "Space": """token:s id:is space_type:s name:s description:s? state:s schema_name:s? restricted:b free_default:b
        viewable?:b viewed?:b default_access_level:s >self >detail >reports >search_space_permissions""",
    "Report": """token:s id:is name:s? description:s? created_at:s updated_at:s published_at:s? edited_at:s theme_id:i
        color_mappings:o type:s last_successful_sync_at:s? last_saved_at:s archived:b space_token:s account_id:is
        account_username:s public:b full_width:b manual_run_disabled:b drill_anywhere_enabled:b run_privately:b
        drilldowns_enabled:b layout:s? is_embedded:b is_signed:b shared:b expected_runtime:n
        last_successfully_run_at:s? last_run_at:s? web_preview_image:s last_successful_run_token:s?
        flamingo_signature:s github_link:s? query_count:i max_query_count:i chart_count:i runs_count:i
        schedules_count:i has_schedules_with_invalid_intervals:b query_preview:s view_count:i
        thoughtspot_published_at:s? imported_datasets:a~ has_imported_datasets:b~
        >self >web >account >report_run >queries >report_runs >report_pins >report_schedules
        >perspective_email_subscription_memberships""",
    "Dataset": """account_id:is account_username:s collection_name:s collection_token:s created_at:s description:s
        drilldowns_enabled:b edited_at:s id:is is_sample:b last_run_at:s? last_saved_at:s last_successful_run_token:s?
        last_successful_sync_at:s? last_successfully_run_at:s? manual_run_disabled:b max_query_count:i name:s? public:b
        query_count:i query_preview:s run_privately:b runs_count:i schedules_count:i space_token:s switch_view_token:s
        token:s type:s updated_at:s view_count:i thoughtspot_published_at:s?
        >self >report_schedules >dataset_dependencies >creator""",
    "ReportRun": """token:s state:s python_state:s parameters:o created_at:s updated_at:s completed_at:s?
        purge_started_at:s? purge_completed_at:s? form_fields:a is_latest_report_run:b
        is_latest_successful_report_run:b report_has_failures_since_last_success:b
        has_more_recent_successful_run_available:b pusher_channel_name:s? >self >account >report >query_runs""",
    "DatasetRun": """token:s state:s python_state:s parameters:o form_fields:a created_at:s updated_at:s
        completed_at:s? purge_started_at:s? purge_completed_at:s? is_latest_dataset_run:b
        is_latest_successful_dataset_run:b dataset_has_failures_since_last_success:b
        pusher_channel_name:s? >self >account >dataset >query_runs""",
    "ReportOfDataset": "token:s name:s? creator:s >self",
    "DatasetField": "name:s type:s",
    "DatasetFieldDescription": "token:s name:s desc:s created_at:s updated_at:s >self",
    "ReportRunDuplicate": "token:s state:s >self",
    "FormField": "name:s type:s options:a options_error:s? source_size:i value:s?",
    "Query": """id:is token:s raw_query:s created_at:s updated_at:s name:s last_run_id:is? data_source_id:is
        explorations_count:i report_imports_count:i dbt_metric_id:i? dbt_metric_token:s? mapping_id:i?
        >self >report >report_runs >query_runs""",
    "QueryRun": """id:is token:s raw_source:s statement_annotation:s? state:s created_at:s completed_at:s?
        data_source_id:is data_source_token:s limit:b query_token:s query_name:s query_created_at:s dbt_metric_id:i?
        dbt_metric_token:s? parameters:o rendered_source:s max_result_bytes:i help_url:s? error_code:s? error_type:s?
        error_message:s? >self >query >result >result_web >query_web >report_run >report_run_web""",
    "Chart": """view:o view_version:i view_vegas:o token:s created_at:s updated_at:s color_palette_token:s
        switch_view_token:s >self >report_viz_web >preview >report_run_viz_web""",
    "ReportFilter": """id:is report_id:is token:s name:s row_order:i formula:s data_type:s? formula_type:s?
        hide_select_all:b show_relevant_values_only:b filter_type:s? control_type:s? variable_type:s? options:o?
        created_at:s updated_at:s >self >report""",
    "ReportSchedule": """name:s token:s parameters:o created_at:s updated_at:s retry_state:s retry_count:i
        retry_delay:i timeout:i last_run_at:s? last_succeeded_at:s? last_scheduled_run:s? next_scheduled_run:s?
        report_name:s? delivery:s? report_token:s report_type:s subscribed:b subscriber_count:i frequency:s time_zone:s?
        hour:s? minute:s cron_hour:i? cron_minute:i day_of_month:i? day_of_week:s~
        >account >self >report >report_web >report_runs >report_subscriptions""",
    "ReportSubscription": """data_previews_enabled:b data_tables_enabled:b csv_attachments_enabled:b
        pdf_attachments_enabled:b report_links_enabled:b email_subscriber_count:i
        >self >report_schedule >email_subscription_memberships >slack_subscription_memberships""",
    "DataSource": """id:is name:s description:s token:s adapter:s created_at:s updated_at:s
        has_expensive_schema_updates:b public:b asleep:b queryable:b soft_deleted:b display_name:s account_id:is
        account_username:s organization_token:s organization_plan_code:s database:s host:s port:i ssl:b username:s
        provider:s vendor:s ldap:b warehouse:s? bridged:b adapter_version:s custom_attributes:o ssl_trusted_cert:s?
        default_access_level:s >self >creator >account >web >web_home""",
    "DataSourceSchemaUpdate": """id:is token:s state:s content_length:i number_of_schemas:i number_of_tables:i
        last_succesful_refresh_at:s webapp_uri:s >self""",
    "Definition": """id:is token:s name:s description:s? source:s data_source_id:is? created_at:s updated_at:s
        last_successful_sync_at:s? github_link:s? last_saved_at:s >self >web_edit >creator""",
    "UserGroup": """token:s group_type:s name:s description:s? state:s member_count:i spaces_count:i
        data_sources_count:i managed:b >self >web >group_memberships >membership_by_id >memberships_preview""",
    "UserGroupMembership": "token:s member_token:s >self >member >user_group",
    "SpaceMembership": "token:s member_token:s member_type:s? member_id:i? email:s? >self >member",
    "DiscoveryReport": """id:i token:s name:s? description:s? created_at:s edited_at:s updated_at:s
        last_successfully_run_at:s? last_viewed_at:s? last_run_at:s? last_run_token:s? last_run_state:s?
        creator_email:s space_id:i space_token:s report_url:s""",
    "DiscoveryReportStats": """report_id:i report_token:s active_schedules_count:i explorations_count:i view_count:i
        recent_manual_run_creators_emails:a scheduled_run_creators_emails:a editors_emails:a""",
    "DiscoveryQuery": """id:i token:s name:s raw_query:s creator_email:s data_source_token:s report_id:i report_token:s
        space_id:i space_token:s""",
    "DiscoveryChart": """id:i token:s chart_type:s chart_title:s query_id:i query_token:s report_id:i report_token:s
        space_id:i space_token:s report_creator_email:s""",
    "DiscoverySpace": "id:i token:s name:s description:s? space_type:s space_url:s",
    "DiscoveryMember": """id:i token:s state:s member_email:s member_token:s member_username:s banned_at:s?
        activated_at:s last_report_created_at:s? last_report_edited_at:s? last_report_viewed_at:s?
        last_report_run_at:s? last_exploration_created_at:s? last_exploration_updated_at:s? last_day_engaged:s?
        last_day_api_engaged:s? last_day_in_app_engaged:s? total_days_engaged:i""",
    "AuditLog": """id:s action:s description:s context:o actor:o entity:o timestamp:s workspace_username:s""",
    "SignatureToken": """token:s name:s creator_id:i organization_id:i access_key:s access_secret:s created_at:s
        updated_at:s expires_at:s authentication_for:s authorization_type:s""",
    "PdfExport": "state:s filename:s~ created_at:s~ stale:b~ >self",
    "Error": "id:s message:s >help",
}
"""`key:types`, each type by its letter: string, integer, number, boolean, object, array; `?` may be null, `~` may be
missing, `is` is an integer or a decimal string. `>relation` is a link that is always there."""


REQUIRED = {
    "PdfExport": "",
    "Verify": "workspace",
    "Membership": "admin state member_username member_token activated_at",
    "MembershipLite": "",
    "Space": "token id space_type name description state restricted free_default viewable?",
    "Report": """token id name created_at updated_at published_at edited_at type last_successful_sync_at last_saved_at
        archived account_id account_username public manual_run_disabled drill_anywhere_enabled run_privately
        drilldowns_enabled expected_runtime last_successfully_run_at last_run_at last_successful_run_token query_count
        max_query_count runs_count schedules_count query_preview view_count thoughtspot_published_at""",
    "DatasetReport": "token name",
    "ReportRun": """token state created_at updated_at completed_at purge_started_at purge_completed_at
        is_latest_report_run is_latest_successful_report_run report_has_failures_since_last_success""",
    "QueryRun": """id token state created_at completed_at data_source_id data_source_token limit query_token query_name
        query_created_at dbt_metric_id parameters max_result_bytes""",
    "Query": """id token created_at updated_at name last_run_id data_source_id explorations_count report_imports_count
        dbt_metric_id""",
    "ReportFilter": """id report_id token name row_order formula data_type formula_type hide_select_all
        show_relevant_values_only filter_type control_type variable_type options created_at updated_at""",
    "ReportSchedule": """name token parameters created_at updated_at retry_state retry_count retry_delay timeout
        last_run_at last_succeeded_at last_scheduled_run next_scheduled_run report_name delivery report_token
        report_type subscribed subscriber_count""",
    "ReportSubscription": """data_previews_enabled data_tables_enabled csv_attachments_enabled pdf_attachments_enabled
        report_links_enabled email_subscriber_count""",
    "DataSource": """id name description token adapter created_at updated_at has_expensive_schema_updates public asleep
        queryable soft_deleted display_name database host port ssl username provider vendor ldap warehouse bridged
        adapter_version custom_attributes""",
    "DataSourceSchemaUpdate": "id token state content_length number_of_schemas number_of_tables",
    "UserGroup": "token group_type name description state member_count spaces_count data_sources_count managed",
    "UserGroupMembership": "token member_token",
    "Definition": """id token name description source data_source_id created_at updated_at last_successful_sync_at
        last_saved_at""",
    "FormField": "name options options_error source_size",
    "DatasetField": "",
    "AuditLog": "",
}
"""The keys that the API's description guarantees, of the shapes that the client reads: it must not need other keys.

`Verify`, `MembershipLite`, `PdfExport` and `DatasetField` are not described; `AuditLog` guarantees no key.
`DatasetReport` is a Report in the list of a dataset, with few keys. `_links` is guaranteed everywhere.
"""


@dataclass(frozen=True)
class Row:
    """One endpoint.

    :param shape: the name of the body's shape; empty if it is not JSON or its shape is unknown.
    :param listed: the key of the rows in a listing.
    """

    method: str
    path: str
    status: int
    shape: str = ""
    listed: str = ""

    @property
    def missing(self) -> str | None:
        """The reason in the emulator's response 501."""
        return NOT_EMULATED.get((self.method, self.path.replace("{ws}", "{workspace}").removeprefix("/{workspace}")))


_TEXT = """
GET /verify 200 Verify
GET /account 200 Account
GET /{ws} 200 Account
GET /{ws}/memberships 200 Membership[memberships]
GET /{ws}/memberships/lite 200 MembershipLite[memberships]
GET /{ws}/memberships/{membership} 200 Membership
DELETE /{ws}/memberships/{membership} 200 Membership
POST /{ws}/invites 200 Invite
GET /{ws}/groups 200 UserGroup[groups]
POST /{ws}/groups 201 UserGroup
GET /{ws}/groups/{group} 200 UserGroup
PATCH /{ws}/groups/{group} 202 UserGroup
DELETE /{ws}/groups/{group} 200 UserGroup
GET /{ws}/groups/{group}/memberships 200 UserGroupMembership[group_memberships]
POST /{ws}/groups/{group}/memberships 201 UserGroupMembership
GET /{ws}/groups/{group}/memberships/{group_membership} 200 UserGroupMembership
DELETE /{ws}/groups/{group}/memberships/{group_membership} 200 UserGroupMembership
GET /{ws}/audit_logs 200
GET /{ws}/spaces 200 Space[spaces]
POST /{ws}/spaces 201 Space
GET /{ws}/spaces/{space} 200 Space
PATCH /{ws}/spaces/{space} 202 Space
POST /{ws}/spaces/{space} 404 Error
DELETE /{ws}/spaces/{space} 204
GET /{ws}/spaces/{space}/memberships 200 SpaceMembership[space_memberships]
POST /{ws}/spaces/{space}/memberships 201 SpaceMembership
GET /{ws}/spaces/{space}/memberships/{space_membership} 200 SpaceMembership
DELETE /{ws}/spaces/{space}/memberships/{space_membership} 200 SpaceMembership
GET /{ws}/spaces/{space}/reports 200 Report[reports]
GET /{ws}/spaces/{space}/datasets 200 Dataset[reports]
POST /{ws}/reports 201 Report
POST /{ws}/reports/purge 202
GET /{ws}/reports/{report} 200 Report
PATCH /{ws}/reports/{report} 202 Report
DELETE /{ws}/reports/{report} 204
PATCH /{ws}/reports/{report}/archive 200 Report
PATCH /{ws}/reports/{report}/unarchive 200 Report
PATCH /{ws}/reports/{report}/update_settings 202 Report
PATCH /{ws}/reports/{report}/sync_to_github 202 Report
GET /{ws}/reports/{report}/filters 200 ReportFilter[report_filters]
POST /{ws}/reports/{report}/filters 201 ReportFilter
PATCH /{ws}/reports/{report}/filters/update_batch 202 ReportFilter[report_filters]
GET /{ws}/reports/{report}/filters/{filter} 200 ReportFilter
PATCH /{ws}/reports/{report}/filters/{filter} 202 ReportFilter
DELETE /{ws}/reports/{report}/filters/{filter} 200 ReportFilter
GET /{ws}/reports/{report}/queries 200 Query[queries]
POST /{ws}/reports/{report}/queries 201 Query
GET /{ws}/reports/{report}/queries/{query} 200 Query
PATCH /{ws}/reports/{report}/queries/{query} 202 Query
DELETE /{ws}/reports/{report}/queries/{query} 200 Query
GET /{ws}/reports/{report}/queries/{query}/charts 200 Chart[charts]
GET /{ws}/reports/{report}/queries/{query}/charts/{chart} 200 Chart
GET /{ws}/reports/{report}/runs 200 ReportRun[report_runs]
POST /{ws}/reports/{report}/runs 202 ReportRun
GET /{ws}/reports/{report}/runs/{run} 200 ReportRun
POST /{ws}/reports/{report}/runs/{run}/clone 202 Report
GET /{ws}/reports/{report}/runs/{run}/options 200 FormField[form_fields]
POST /{ws}/reports/{report}/runs/{run}/duplicates 200 ReportRunDuplicate
GET /{ws}/reports/{report}/runs/{run}/duplicates/{duplicate} 200 ReportRunDuplicate
GET /{ws}/reports/{report}/runs/{run}/query_runs 200 QueryRun[query_runs]
GET /{ws}/reports/{report}/runs/{run}/query_runs/{query_run} 200 QueryRun
GET /{ws}/reports/{report}/runs/{run}/query_runs/{query_run}/results/content.csv 200
GET /{ws}/reports/{report}/runs/{run}/query_runs/{query_run}/results/content.json 200
GET /{ws}/reports/{report}/runs/{run}/results/content.csv 200
GET /{ws}/reports/{report}/runs/{run}/results/content.json 200
GET /{ws}/reports/{report}/results/content.csv 200
GET /{ws}/reports/{report}/exports/runs/{run}/pdf.pdf 200 PdfExport
GET /{ws}/reports/{report}/exports/runs/{run}/pdf/download 404 Error
GET /{ws}/reports/{report}/exports/runs/{run}/pdf/download.pdf 404 Error
GET /{ws}/reports/{report}/schedules 200 ReportSchedule[report_schedules]
POST /{ws}/reports/{report}/schedules 201 ReportSchedule
GET /{ws}/reports/{report}/schedules/{schedule} 200 ReportSchedule
PATCH /{ws}/reports/{report}/schedules/{schedule} 202 ReportSchedule
DELETE /{ws}/reports/{report}/schedules/{schedule} 204
DELETE /{ws}/reports/schedules/v1/bulk_delete 501
GET /{ws}/reports/{report}/schedules/{schedule}/subscriptions 200 ReportSubscription[report_subscriptions]
GET /{ws}/reports/{report}/subscriptions 200 ReportSubscription[report_subscriptions]
POST /{ws}/reports/{report}/subscriptions 201 ReportSubscription
GET /{ws}/reports/{report}/subscriptions/{subscription} 200 ReportSubscription
PATCH /{ws}/reports/{report}/subscriptions/{subscription} 202 ReportSubscription
DELETE /{ws}/reports/{report}/subscriptions/{subscription} 204
GET /{ws}/datasets/{dataset} 200 Dataset
PATCH /{ws}/datasets/{dataset} 202 Dataset
DELETE /{ws}/datasets/{dataset} 204
GET /{ws}/datasets/{dataset}/reports 200 ReportOfDataset[reports]
GET /{ws}/datasets/{dataset}/runs 200 ReportRun[report_runs]
POST /{ws}/datasets/{dataset}/runs 202 DatasetRun
GET /{ws}/datasets/{dataset}/runs/{run} 200 ReportRun
GET /{ws}/datasets/{dataset}/schedules 200 ReportSchedule[report_schedules]
GET /{ws}/datasets/{dataset}/fields 200 DatasetField[fields]
GET /{ws}/datasets/{dataset}/field_descriptions 200 DatasetFieldDescription[field_descriptions]
POST /{ws}/datasets/{dataset}/field_descriptions 201 DatasetFieldDescription
PATCH /{ws}/datasets/{dataset}/field_descriptions/{field_description} 202 DatasetFieldDescription
DELETE /{ws}/datasets/{dataset}/field_descriptions/{field_description} 200 DatasetFieldDescription
GET /{ws}/data_sources 200 DataSource[data_sources]
GET /{ws}/data_sources/{data_source} 200 DataSource
PATCH /{ws}/data_sources/{data_source} 202 DataSource
GET /{ws}/data_sources/{data_source}/reports 200 Report[reports]
GET /{ws}/data_sources/{data_source}/datasets 200 Dataset[reports]
POST /{ws}/data_sources/{data_source}/schema_updates 200 DataSourceSchemaUpdate
POST /{ws}/data_sources/{data_source}/purge 202
GET /{ws}/definitions 200 Definition[definitions]
POST /{ws}/definitions 201 Definition
GET /{ws}/definitions/{definition} 200 Definition
PATCH /{ws}/definitions/{definition} 202 Definition
DELETE /{ws}/definitions/{definition} 200 Definition
"""


def _row(line: str) -> Row:
    method, path, status, *rest = line.split()
    shape, _, listed = (rest[0] if rest else "").partition("[")
    return Row(method, path, int(status), shape, listed.rstrip("]"))


ENDPOINTS = [_row(line) for line in _TEXT.strip().splitlines()]
_NAMES = {"s": str, "i": int, "n": (int, float), "b": bool, "o": dict, "a": list}


@dataclass(frozen=True)
class Key:
    """One key of a body: its types by letter, whether it may be null, whether it may be missing."""

    types: str
    nullable: bool
    optional: bool

    def fits(self, value: object) -> bool:
        """Return whether a value has one of the types."""
        if value is None:
            return self.nullable
        if isinstance(value, bool):
            return "b" in self.types
        return any(isinstance(value, _NAMES[letter]) for letter in self.types)


def keys_of(shape: str) -> dict[str, Key]:
    """Return the keys of a shape."""
    keys = {}
    for word in SHAPES[shape].split():
        if not word.startswith(">"):
            name, _, types = word.rpartition(":")
            keys[name] = Key(types.rstrip("?~"), "?" in types, "~" in types)
    return keys


def links_of(shape: str) -> set[str]:
    """Return the required links of a shape."""
    return {word[1:] for word in SHAPES[shape].split() if word.startswith(">")}


def differences(shape: str, body: dict[str, object]) -> list[str]:
    """Return the missing keys of a body, its extra keys, and those with another type."""
    keys, links = keys_of(shape), body.get("_links")
    values = {name: value for name, value in body.items() if name not in {"_links", "_forms"}}
    found = [f"missing {name}" for name, key in keys.items() if name not in values and not key.optional]
    found += [f"extra {name}" for name in values if name not in keys]
    found += [
        f"{name} is {type(value).__name__}"
        for name, value in values.items()
        if name in keys and not keys[name].fits(value)
    ]
    return found + [f"missing link {name}" for name in links_of(shape) - set(links if isinstance(links, dict) else ())]


def page() -> str:
    """Return the page of the documentation that lists all endpoints."""
    lines = [
        "<!-- Written by `python -m tests.emulator.tables`; a test compares it with the emulator. -->",
        "# Endpoints of the emulator",
        "",
        "Paths are below `/api`; `{ws}` is the workspace, and `spaces` may be written as `collections`. *Status* is",
        "that of a valid request. Endpoints of the API's description without public documentation respond 501, with",
        "the reason below.",
        "",
        "| method | path | status | response |",
        "|---|---|---|---|",
    ]
    for row in ENDPOINTS:
        response = f"{row.shape}, listed under `{row.listed}`" if row.listed else row.shape
        if row.status == 501:
            response = f"not emulated: {row.missing}"
        elif row.status == 404:
            response = {"POST": "as the live service: updates are PATCH"}.get(row.method, "until the PDF was requested")
        lines.append(f"| {row.method} | `{row.path}` | {row.status} | {response} |")
    lines += [
        "",
        "The Discovery API is below `/batch/{ws}`: `POST signature_tokens`, and `GET` of `reports`, `report_stats`,",
        "`queries`, `charts`, `spaces` and `members`.",
        "",
        "Further links of real responses for which the emulator responds 501:",
        "",
    ]
    listed = {(row.method, row.path.removeprefix("/{ws}")) for row in ENDPOINTS}
    lines += [
        f"* `{method} {path}`: {what}" for (method, path), what in NOT_EMULATED.items() if (method, path) not in listed
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
