# SPDX-License-Identifier: Apache-2.0
"""How people name a Report: its token, the address of its page, or a `studio://` asset."""

from __future__ import annotations

import re

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.tokens import check_identifier

_IN_ADDRESS = re.compile(r"/reports/([A-Za-z0-9_-]+)")


def report_token(named: str) -> str:
    """Return the token of the Report that a text names.

    :raises StudioConfigurationError: it names none.
    """
    if "/" not in named:
        return check_identifier("report", named)
    found = _IN_ADDRESS.search(named)
    if found is None:
        raise StudioConfigurationError(
            f"report is {named!r}; give a Report's token, or the address of its page: https://…/reports/<token>."
        )
    return found.group(1)
