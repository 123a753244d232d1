# SPDX-License-Identifier: Apache-2.0
"""The ways to name a Report (its token, the URL of its page, or a `studio://` asset) or a Report run.

Names come from templates and from other tasks, so a value may have another type than text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.client.errors import StudioConfigurationError

_IN_URL = re.compile(r"(?:([^/?#]+)/)?reports/([A-Za-z0-9_-]+)")
"""The part of an address that names the workspace, if there is one, and the Report. In an asset it is the host."""
_DATASET_IN_URL = re.compile(r"(?:([^/?#]+)/)?(?:datasets|reports)/([A-Za-z0-9_-]+)")

_WEB_HOST = re.compile(r"^https?://[^/]*", re.IGNORECASE)
_TOKEN = re.compile(r"[0-9a-f]{12}")
"""The form of all tokens that Studio gives to Reports, schedules and runs."""
_ADDRESS = re.compile(r"://|(?:^|/)reports/[0-9a-f]{12}(?![\w-])")


def token_text(parameter: str, value: Any) -> str:
    """Return a token, or another name, as text.

    A template with native types (`render_template_as_native_obj`) turns a token that consists of digits into an
    integer, which still has all digits. A float, which is what `12345e678901` becomes, does not.

    :param parameter: the name of the parameter, for the error.
    :raises StudioConfigurationError: the value is no text and no whole number, or it is blank.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value.strip()
    if value is None or value == "":
        fix = "the task or the template that gives it returned nothing; it may have been skipped"
    elif isinstance(value, float):
        fix = "a template with native types read a token as a number; give the URL of the Report's page instead"
    else:
        fix = "give a text"
    raise StudioConfigurationError(f"{parameter} is {value!r}, of the type {type(value).__name__}: {fix}.")


def has_token_form(text: str) -> bool:
    """Whether a text has the form of a token, so that it is never taken for a name."""
    return _TOKEN.fullmatch(text) is not None


def is_report_address(text: str) -> bool:
    """Whether a text is the URL of a Report's page or its asset, and no name that contains a slash."""
    return _ADDRESS.search(text) is not None


def run_token(value: Any) -> str:
    """Return the token of a Report run.

    :param value: the token, or what `StudioRunReportOperator` returned.
    :raises StudioConfigurationError: it names no run.
    """
    return check_identifier("run", token_text("run", value.get("run") if isinstance(value, Mapping) else value))


def report_token(name: Any, workspace: str | None = None) -> str:
    """Return the token of the Report that a name refers to.

    :param name: a text, or a token that became a whole number.
    :param workspace: the workspace that a URL or an asset must name, if it names one.
    :raises StudioConfigurationError: the name refers to no Report, or to one of another workspace.
    """
    fix = (
        "give a Report's token, the URL of its page (https://…/<workspace>/reports/<token>), or an asset "
        "(studio://<workspace>/reports/<token>)"
    )
    return _token("report", name, workspace, _IN_URL, fix)


def dataset_token(name: Any, workspace: str | None = None) -> str:
    """Return the token of the dataset that a name refers to; parameters and errors as in `report_token`."""
    fix = "give a dataset's token, or the URL of its page (https://…/<workspace>/datasets/<token>)"
    return _token("dataset", name, workspace, _DATASET_IN_URL, fix)


def _token(parameter: str, name: Any, workspace: str | None, in_url: re.Pattern[str], fix: str) -> str:
    name = token_text(parameter, name)
    if "/" not in name:
        return check_identifier(parameter, name)
    found = in_url.search(_WEB_HOST.sub("", name))
    if found is None:
        raise StudioConfigurationError(f"{parameter} is {name!r}; {fix}.")
    named, token = found.groups()
    if named and workspace and named.casefold() != workspace.casefold():
        raise StudioConfigurationError(
            f"{parameter} is {name!r}, of the workspace {named!r}, but the connection opens {workspace!r}."
        )
    return token
