# SPDX-License-Identifier: Apache-2.0
"""How people name a Report: its token, the address of its page, or a `studio://` asset."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.client.errors import StudioConfigurationError

_IN_ADDRESS = re.compile(r"/reports/([A-Za-z0-9_-]+)")


def report_token(named: str, workspace: str | None = None) -> str:
    """Return the token of the Report that a text names.

    :param workspace: the workspace that an asset must name.
    :raises StudioConfigurationError: it names none, or one of another workspace.
    """
    if "/" not in named:
        return check_identifier("report", named)
    found = _IN_ADDRESS.search(named)
    if found is None:
        raise StudioConfigurationError(
            f"report is {named!r}; give a Report's token, the address of its page (https://…/reports/<token>), "
            "or an asset (studio://<workspace>/reports/<token>)."
        )
    asset = urlsplit(named)
    if asset.scheme == "studio" and workspace is not None and asset.netloc != workspace:
        raise StudioConfigurationError(
            f"report is {named!r}, of the workspace {asset.netloc!r}, but the connection opens {workspace!r}."
        )
    return found.group(1)
