# SPDX-License-Identifier: Apache-2.0
"""The provider's metadata, which Airflow reads at every start: one dict, in a module that imports nothing."""

from __future__ import annotations

from typing import Any

CONNECTION_TYPE = "studio"
HOOK_NAME = "ThoughtSpot Analyst Studio"

_LIMITS: dict[str, tuple[str, str, str, str]] = {
    "approval_required": (
        "Limits: approval required",
        "Nothing is archived or deleted without an approval in Airflow; a DAG or a run cannot waive it.",
        "boolean",
        "True",
    ),
    "max_actions": ("Limits: actions", "The largest max_actions that a task may have.", "integer", "200"),
    "max_share": ("Limits: share", "The largest max_share that a task may have; 0.1 is 10 %.", "number", "0.1"),
    "max_collection_share": (
        "Limits: share of a Collection",
        "The largest max_collection_share that a task may have; 0.5 is 50 %.",
        "number",
        "0.5",
    ),
    "protected_collections": (
        "Limits: protected Collections",
        "Tokens or names of Collections that no policy may touch, separated by commas, or as a JSON list.",
        "string",
        "Finance, Board",
    ),
    "protected_reports": (
        "Limits: protected Reports",
        "Tokens of Reports that no policy may touch, separated by commas, or as a JSON list.",
        "string",
        "0a1b2c3d4e5f",
    ),
    "protected_owners": (
        "Limits: protected owners",
        "User names whose Reports no policy may touch, separated by commas, or as a JSON list.",
        "string",
        "ceo",
    ),
    "protected_names": (
        "Limits: protected names",
        "Patterns of names that no policy may touch, separated by commas, or as a JSON list.",
        "string",
        "[KEEP]*, *board*",
    ),
    "export_private_collections": (
        "Limits: export private Collections",
        "Whether a Workspace token may export results of Reports in private Collections; false by default.",
        "boolean",
        "True",
    ),
    "read_only_requests": (
        "Limits: read-only requests",
        "Requests that a DAG writes itself (StudioClient.request) may only be GETs, as with approval required.",
        "boolean",
        "True",
    ),
    "allow_purges": (
        "Limits: allow purges",
        "Whether stored results of runs may be deleted (purge_results of the client); false by default.",
        "boolean",
        "True",
    ),
}
"""The limits of a deployment, each an option of `[studio]` and an extra: label, description, type, example.

An extra of a connection can only make an option stricter."""

CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "credential_kind": {
        "label": "Token kind",
        "description": "The kind of the token; read with one request if it is omitted.",
        "schema": {"type": ["string", "null"], "enum": ["workspace", "member", "personal", None], "default": None},
    },
    "timeout_seconds": {
        "label": "Timeout in seconds",
        "description": "How long to wait for a response; 30 by default.",
        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": None},
    },
    "rate_limit_requests": {
        "label": "Rate limit: requests",
        "description": "The number of requests that this token may send in the seconds below; 40 by default.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "default": None},
    },
    "rate_limit_seconds": {
        "label": "Rate limit: seconds",
        "description": "The seconds of the rate limit; 10 by default.",
        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": None},
    },
    "discovery_token": {
        "label": "Discovery API: token",
        "description": "The token of a signature token for the Discovery API (Enterprise plan), if there is one.",
        "schema": {"type": ["string", "null"], "default": None},
    },
    "discovery_access_key": {
        "label": "Discovery API: access key",
        "description": "The access key of the signature token.",
        "schema": {"type": ["string", "null"], "format": "password", "default": None},
    },
    "discovery_access_secret": {
        "label": "Discovery API: access secret",
        "description": "The access secret of the signature token, which Studio showed once.",
        "schema": {"type": ["string", "null"], "format": "password", "default": None},
    },
}
CONNECTION_FIELDS |= {
    name: {"label": label, "description": description, "schema": {"type": [kind, "null"], "default": None}}
    for name, (label, description, kind, _) in _LIMITS.items()
}
FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["port"],
    "relabeling": {"login": "Token", "password": "Secret", "schema": "Workspace", "host": "Host"},
    "placeholders": {"host": "https://app.mode.com", "schema": "the name in https://app.mode.com/<workspace>"},
}


def get_provider_info() -> dict[str, Any]:
    """Return the metadata, in the form of Airflow's provider_info schema."""
    package, integration = "airflow_provider_studio", "ThoughtSpot Analyst Studio"
    return {
        "package-name": "airflow-provider-studio",
        "name": integration,
        "description": "Run Reports of ThoughtSpot Analyst Studio (formerly Mode), and keep its workspaces clean.",
        "integrations": [
            {
                "integration-name": integration,
                "external-doc-url": "https://www.thoughtspot.com/product/analyst-studio",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {
                "integration-name": integration,
                "python-modules": [f"{package}.hooks.discovery", f"{package}.hooks.studio"],
            }
        ],
        "operators": [
            {
                "integration-name": integration,
                "python-modules": [
                    f"{package}.operators.approval",
                    f"{package}.operators.datasets",
                    f"{package}.operators.one_off",
                    f"{package}.operators.plans",
                    f"{package}.operators.inventory",
                    f"{package}.operators.mapped_inventory",
                    f"{package}.operators.housekeeping",
                    f"{package}.operators.reports",
                    f"{package}.operators.summary",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": integration,
                "python-modules": [
                    f"{package}.sensors.datasets",
                    f"{package}.sensors.on_time",
                    f"{package}.sensors.reports",
                ],
            }
        ],
        "triggers": [{"integration-name": integration, "python-modules": [f"{package}.triggers.reports"]}],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": f"{package}.hooks.studio.StudioHook",
                "hook-name": HOOK_NAME,
                "conn-fields": CONNECTION_FIELDS,
                "ui-field-behaviour": FIELD_BEHAVIOUR,
            }
        ],
        "notifications": [
            f"{package}.notifications.StudioOwnersNotifier",
            f"{package}.notifications.StudioPlanNotifier",
        ],
        "extra-links": [f"{package}.links.StudioReportLink", f"{package}.links.StudioReportRunLink"],
        "asset-uris": [
            {
                "schemes": ["studio"],
                "handler": f"{package}.assets.sanitize_uri",
                "factory": f"{package}.assets.create_asset",
            }
        ],
        "cli": [f"{package}.cli.definition.studio_commands"],
        "config": {
            "studio": {
                "description": "Settings of the ThoughtSpot Analyst Studio provider.",
                "options": {
                    "storage_path": {
                        "description": "The root of snapshots, plans and journals: any path that Airflow's object "
                        "storage opens. The default is the folder studio under Airflow's home; several hosts need a "
                        "root that they share.",
                        "type": "string",
                        "version_added": "0.1.0",
                        "example": "s3://bucket/studio",
                        "default": None,
                    },
                    "rate_limit_url": {
                        "description": "The store of the ledger of each token's budget. The default is a SQLite file "
                        "under Airflow's home, which all processes of a host share; several hosts need a Redis.",
                        "type": "string",
                        "version_added": "0.1.0",
                        "sensitive": True,
                        "example": "redis://redis.example.com:6379/3",
                        "default": None,
                    },
                    "max_response_mb": {
                        "description": "The size in MB at which a response of the API is refused, because responses "
                        "are read into memory; 16 by default.",
                        "type": "float",
                        "version_added": "0.1.0",
                        "example": "32",
                        "default": None,
                    },
                    "max_download_mb": {
                        "description": "The size in MB at which the download of an export is refused; downloads are "
                        "streamed into files. The default is 10000.",
                        "type": "float",
                        "version_added": "0.1.0",
                        "example": "50000",
                        "default": None,
                    },
                    "workspace_teams": {
                        "description": "The Airflow teams that may see the pages of a workspace, as a JSON object of "
                        "lists. A workspace that is not in it is shown to people who may read a DAG that takes its "
                        "inventory.",
                        "type": "string",
                        "version_added": "0.1.0",
                        "example": '{"acme": ["analytics"]}',
                        "default": None,
                    },
                    "signing_key": {
                        "description": "The secret from which the key is derived that signs plans and journals; [core] "
                        "fernet_key by default. If there are several, separated by commas, the first one signs. With "
                        "off, nothing is signed.",
                        "type": "string",
                        "version_added": "0.1.0",
                        "sensitive": True,
                        "example": None,
                        "default": None,
                    },
                    "accept_unsigned": {
                        "description": "Whether plans and journals without a signature, such as those of an earlier "
                        "version, are accepted although there is a key.",
                        "type": "boolean",
                        "version_added": "0.1.0",
                        "example": "True",
                        "default": "False",
                    },
                    **{
                        name: {
                            "description": f"{description} Parameters and connections can only be stricter.",
                            "type": "float" if kind == "number" else kind,
                            "version_added": "0.1.0",
                            "example": example,
                            "default": None,
                        }
                        for name, (_, description, kind, example) in _LIMITS.items()
                    },
                },
            }
        },
    }
