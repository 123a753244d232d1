# SPDX-License-Identifier: Apache-2.0
"""The quirks of single endpoints whose description is short, contradictory or missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_studio.emulator.quirk_settings import Setting, quirk


@dataclass
class EndpointQuirks:
    """The audit log, purges, imported datasets, and the synchronisation with GitHub."""

    audit_log_accept: Literal["json_only", "any"] = quirk(
        "the response of the audit log to `Accept: application/hal+json`, which all other endpoints take",
        Setting("json_only", "406, before the credentials are checked", "C"),
        Setting("any", "the entries", "G"),
    )
    audit_log_end: Literal["null", "absent", "empty"] = quirk(
        "the `next_token` of the last page of the audit log",
        Setting("null", "null", "G"),
        Setting("absent", "there is no such key", "G"),
        Setting("empty", "an empty text", "G"),
    )
    purge_arguments: Literal["query", "body"] = quirk(
        "where a purge of the workspace's results reads its dates",
        Setting("query", "in the query", "D"),
        Setting("body", "in the body, without a wrapper", "C"),
    )
    purge_time: Literal["older", "newer"] = quirk(
        "which results a purge with `time` covers; `end_time` ends its period",
        Setting("older", "those before `time`, or up to and including `end_time`", "D"),
        Setting("newer", "those since `time`, up to and including `end_time` if that is given", "G"),
    )
    dataset_refresh: Literal["newest", "rerun"] = quirk(
        "what a Report run does with the imported datasets that its start names",
        Setting("newest", "uses their newest run, and runs none of them", "D"),
        Setting("rerun", "runs them", "G"),
    )
    github_sync_body: Literal["report", "empty"] = quirk(
        "the response to a synchronisation of a Report with GitHub",
        Setting("report", "the Report", "G"),
        Setting("empty", "nothing", "G"),
    )
