# SPDX-License-Identifier: Apache-2.0
"""The ways to name a Report: its token, the URL of its page, or a `studio://` asset."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.client.errors import StudioConfigurationError

_IN_URL = re.compile(r"/reports/([A-Za-z0-9_-]+)")


def report_token(name: str, workspace: str | None = None) -> str:
    """Return the token of the Report that a name refers to.

    :param workspace: the workspace that an asset must name.
    :raises StudioConfigurationError: the name refers to no Report, or to one of another workspace.
    """
    if "/" not in name:
        return check_identifier("report", name)
    found = _IN_URL.search(name)
    if found is None:
        raise StudioConfigurationError(
            f"report is {name!r}; give a Report's token, the URL of its page (https://…/reports/<token>), "
            "or an asset (studio://<workspace>/reports/<token>)."
        )
    asset = urlsplit(name)
    if asset.scheme == "studio" and workspace is not None and asset.netloc != workspace:
        raise StudioConfigurationError(
            f"report is {name!r}, of the workspace {asset.netloc!r}, but the connection opens {workspace!r}."
        )
    return found.group(1)
