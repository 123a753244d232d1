# SPDX-License-Identifier: Apache-2.0
"""The assets `studio://<workspace>/reports/<token>` and `studio://<workspace>/inventory`, for schedules of DAGs."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult

from airflow.providers.common.compat.sdk import Asset

__all__ = ["create_asset"]


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the canonical form of an asset's URI.

    :raises ValueError: the URI names no workspace, or neither a Report nor the inventory.
    """
    parts = [part for part in uri.path.split("/") if part]
    names_report = len(parts) == 2 and parts[0] == "reports"
    if not uri.netloc or not (names_report or parts == ["inventory"]):
        raise ValueError("a Studio asset is studio://<workspace>/reports/<token> or studio://<workspace>/inventory")
    return uri._replace(path="/" + "/".join(parts))


def create_asset(*, workspace: str, report: str | None = None, extra: dict[str, Any] | None = None) -> Asset:
    """Return the asset of a Report, or of the workspace's inventory.

    :param workspace: the workspace's name.
    :param report: the Report's token; without it, the asset is the inventory.
    :param extra: the asset's own extra.
    """
    path = "inventory" if report is None else f"reports/{report}"
    return Asset(uri=f"studio://{workspace}/{path}", extra=extra)
