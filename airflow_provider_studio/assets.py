# SPDX-License-Identifier: Apache-2.0
"""`studio://<workspace>/reports/<token>` and `studio://<workspace>/inventory`: what a DAG can be scheduled by."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult

from airflow.providers.common.compat.sdk import Asset


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the one spelling of an asset's URI.

    :raises ValueError: it names no workspace, or neither a Report nor the inventory.
    """
    parts = [part for part in uri.path.split("/") if part]
    names_report = len(parts) == 2 and parts[0] == "reports"
    if not uri.netloc or not (names_report or parts == ["inventory"]):
        raise ValueError("a Studio asset is studio://<workspace>/reports/<token> or studio://<workspace>/inventory")
    return uri._replace(path="/" + "/".join(parts))


def create_asset(*, workspace: str, report: str | None = None, extra: dict[str, Any] | None = None) -> Asset:
    """Return the asset of a Report, or of the workspace's inventory."""
    path = "inventory" if report is None else f"reports/{report}"
    return Asset(uri=f"studio://{workspace}/{path}", extra=extra)
