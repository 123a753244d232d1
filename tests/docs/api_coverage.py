# SPDX-License-Identifier: Apache-2.0
"""Which operations of the API's description the client has a method for, and why not for the others.

`python -m tests.docs.api_coverage` writes docs/api-coverage.md from these tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "api-coverage.md"

REASONS = {
    "key": "no API token may use it: it is for the personal tokens that ended in 2025; `verify` names the workspace",
    "anonymous": "it responds without credentials too, so it proves nothing; `verify` does",
    "irreversible": "nothing restores it, and no task needs it; archive instead, or use `request`",
    "edit": "people edit it in Studio; no task needs it",
    "deprecated": "deprecated by the vendor; groups replace it",
    "undescribed": "its parameters or its response are not described",
    "charts": "no task needs charts; the Discovery API lists those of a whole workspace",
}
"""Why an operation has no method."""

_DESCRIBED = """
GET /account -key
GET /{ws}/reports/{report}/queries/{query}/charts -charts
GET /{ws}/reports/{report}/queries/{query}/charts/{chart} -charts
GET /{ws}/datasets/{dataset}/fields list_dataset_fields
GET /{ws}/datasets/{dataset}/field_descriptions -edit
POST /{ws}/datasets/{dataset}/field_descriptions -edit
PATCH /{ws}/datasets/{dataset}/field_descriptions/{field_description} -edit
DELETE /{ws}/datasets/{dataset}/field_descriptions/{field_description} -edit
GET /{ws}/spaces/{space}/datasets list_collection_datasets collection_pages
GET /{ws}/data_sources/{data_source}/datasets list_data_source_datasets
PATCH /{ws}/datasets/{dataset} -edit
GET /{ws}/datasets/{dataset} get_dataset
DELETE /{ws}/datasets/{dataset} -irreversible
GET /{ws}/datasets/{dataset}/reports list_dataset_reports
POST /{ws}/datasets/{dataset}/runs create_dataset_run
GET /{ws}/datasets/{dataset}/runs list_dataset_runs newest_dataset_runs
POST /{ws}/data_sources/{data_source}/schema_updates create_schema_update
GET /{ws}/data_sources list_data_sources
GET /{ws}/data_sources/{data_source} get_data_source
PATCH /{ws}/data_sources/{data_source} -edit
POST /{ws}/data_sources/{data_source}/purge purge_data_source_results
GET /{ws}/audit_logs list_audit_log
GET /{ws}/definitions list_definitions
POST /{ws}/definitions create_definition
GET /{ws}/definitions/{definition} get_definition
PATCH /{ws}/definitions/{definition} update_definition
DELETE /{ws}/definitions/{definition} delete_definition
POST /{ws}/invites create_invite
GET /{ws}/memberships list_memberships
GET /{ws}/memberships/{membership} get_membership
DELETE /{ws}/memberships/{membership} delete_membership
GET /{ws}/reports/{report}/queries list_queries
POST /{ws}/reports/{report}/queries create_query
GET /{ws}/reports/{report}/queries/{query} get_query
PATCH /{ws}/reports/{report}/queries/{query} update_query
DELETE /{ws}/reports/{report}/queries/{query} -irreversible
GET /{ws}/reports/{report}/runs/{run}/query_runs list_query_runs
GET /{ws}/reports/{report}/runs/{run}/query_runs/{query_run} get_query_run
GET /{ws}/reports/{report}/runs/{run}/query_runs/{query_run}/results/content download_query_run_results
GET /{ws}/reports/{report}/filters list_report_filters
POST /{ws}/reports/{report}/filters -edit
GET /{ws}/reports/{report}/filters/{filter} -edit
PATCH /{ws}/reports/{report}/filters/{filter} -edit
DELETE /{ws}/reports/{report}/filters/{filter} -edit
GET /{ws}/reports/{report}/exports/runs/{run}/pdf/download download_pdf
GET /{ws}/reports/{report}/runs/{run}/duplicates/{duplicate} -undescribed
POST /{ws}/reports/{report}/runs/{run}/duplicates -undescribed
GET /{ws}/spaces/{space}/reports list_collection_reports collection_pages
GET /{ws}/data_sources/{data_source}/reports list_data_source_reports
PATCH /{ws}/reports/{report} update_report
GET /{ws}/reports/{report} get_report
DELETE /{ws}/reports/{report} -irreversible
PATCH /{ws}/reports/{report}/archive archive_report
PATCH /{ws}/reports/{report}/unarchive unarchive_report
POST /{ws}/reports/purge purge_results
GET /{ws}/reports/{report}/schedules list_schedules
POST /{ws}/reports/{report}/schedules create_schedule
GET /{ws}/datasets/{dataset}/schedules list_dataset_schedules
GET /{ws}/reports/{report}/schedules/{schedule} get_schedule
PATCH /{ws}/reports/{report}/schedules/{schedule} update_schedule
DELETE /{ws}/reports/{report}/schedules/{schedule} delete_schedule
DELETE /{ws}/reports/schedules/v1/bulk_delete -undescribed
GET /{ws}/reports/{report}/subscriptions list_report_subscriptions
POST /{ws}/reports/{report}/subscriptions create_subscription
GET /{ws}/reports/{report}/subscriptions/{subscription} get_subscription
PATCH /{ws}/reports/{report}/subscriptions/{subscription} update_subscription
DELETE /{ws}/reports/{report}/subscriptions/{subscription} delete_subscription
GET /{ws}/reports/{report}/schedules/{schedule}/subscriptions list_schedule_subscriptions
GET /verify verify
GET /{ws}/reports/{report}/runs list_report_runs newest_report_runs
POST /{ws}/reports/{report}/runs create_report_run
GET /{ws}/reports/{report}/runs/{run} get_report_run
GET /{ws}/datasets/{dataset}/runs/{run} get_dataset_run
POST /{ws}/reports/{report}/runs/{run}/clone clone_report_run
GET /{ws}/reports/{report}/runs/{run}/options list_form_fields
GET /{ws}/reports/{report}/runs/{run}/results/content download_run_results
POST /{ws}/spaces/{space}/memberships -deprecated
GET /{ws}/spaces/{space}/memberships -deprecated
GET /{ws}/spaces/{space}/memberships/{space_membership} -deprecated
DELETE /{ws}/spaces/{space}/memberships/{space_membership} -deprecated
GET /{ws}/spaces list_collections
POST /{ws}/spaces create_collection
GET /{ws}/spaces/{space} get_collection
DELETE /{ws}/spaces/{space} -irreversible
POST /{ws}/spaces/{space} update_collection
GET /{ws}/groups/{group}/memberships list_group_memberships
POST /{ws}/groups/{group}/memberships create_group_membership
GET /{ws}/groups/{group}/memberships/{group_membership} get_group_membership
DELETE /{ws}/groups/{group}/memberships/{group_membership} delete_group_membership
GET /{ws}/groups list_groups
POST /{ws}/groups create_group
GET /{ws}/groups/{group} get_group
DELETE /{ws}/groups/{group} delete_group
PATCH /{ws}/groups/{group} update_group
"""
_FURTHER = """
GET /{ws} -anonymous
GET /{ws}/memberships/lite list_members
PATCH /{ws}/spaces/{space} update_collection
POST /{ws}/reports -undescribed
PATCH /{ws}/reports/{report}/update_settings -edit
PATCH /{ws}/reports/{report}/sync_to_github sync_report_to_github
PATCH /{ws}/reports/{report}/filters/update_batch -edit
GET /{ws}/reports/{report}/results/content -undescribed
GET /{ws}/reports/{report}/exports/runs/{run}/pdf.pdf request_pdf
GET /{ws}/reports/{report}/exports/runs/{run}/pdf/download.pdf download_pdf
"""
LIVE = {("POST", "/{ws}/spaces/{space}"): ("PATCH", "/{ws}/spaces/{space}")}
"""Operations whose method sends another request, because the described one is not found in the live service."""
_EXTENSION = re.compile(r"(/results/content)\.(csv|json)$")


@dataclass(frozen=True)
class Operation:
    """One operation.

    :param methods: the client's methods that send it.
    :param reason: the key of `REASONS`, if there is none.
    """

    method: str
    path: str
    methods: tuple[str, ...]
    reason: str | None


def _operations(text: str) -> list[Operation]:
    found = []
    for line in text.strip().splitlines():
        method, path, *rest = line.split()
        reason = rest[0].removeprefix("-") if rest[0].startswith("-") else None
        found.append(Operation(method, path, () if reason else tuple(rest), reason))
    return found


DESCRIBED, FURTHER = _operations(_DESCRIBED), _operations(_FURTHER)


def shape(path: str) -> str:
    """Return a path without the names of its parameters, and without the extension of results."""
    return re.sub(r"\{[^}]+\}", "{}", _EXTENSION.sub(r"\1", path))


_HEAD = """\
<!-- Written by `python -m tests.docs.api_coverage`; a test calls each method and compares what it sends. -->
# Coverage of the API

The vendor's API description has {all} operations; the client has a method for {covered} of them. The others can be
sent with [`request`](requests.md). Paths are below `/api`; `{{ws}}` is the workspace.

| operation | method of `StudioClient`, or why there is none |
|---|---|
"""
_FURTHER_HEAD = """
Endpoints that the description lacks, and that real responses link to or other clients use:

| operation | method of `StudioClient`, or why there is none |
|---|---|
"""
_TAIL = """
Files of results exist as `content.csv` and, of a query run, as `content.json`; the run's own JSON has only its first
query. A Collection is changed with PATCH, because the described POST is not found in the live service.

The Discovery API (`DiscoveryClient.batches`) reads all of its listings: `reports`, `report_stats`, `queries`,
`charts`, `spaces`, `members`. Signature tokens for it are created by an admin, not by the provider.
"""


def page() -> str:
    """Return the page."""
    covered = sum(bool(operation.methods) for operation in DESCRIBED)
    head = _HEAD.format(all=len(DESCRIBED), covered=covered)
    return head + _rows(DESCRIBED) + _FURTHER_HEAD + _rows(FURTHER) + _TAIL


def _rows(operations: list[Operation]) -> str:
    def cell(operation: Operation) -> str:
        return ", ".join(f"`{name}`" for name in operation.methods) or REASONS[str(operation.reason)]

    return "".join(f"| {operation.method} `{operation.path}` | {cell(operation)} |\n" for operation in operations)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
