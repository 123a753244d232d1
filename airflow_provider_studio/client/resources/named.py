# SPDX-License-Identifier: Apache-2.0
"""A deletion that cannot be undone names what it deletes twice: by its token, and by what a person calls it."""

from __future__ import annotations

from airflow_provider_studio.client.errors import StudioConfigurationError


def check_named(what: str, parameter: str, given: str, found: str | None) -> None:
    """Check that what is to be deleted is what the caller means.

    :param what: what is to be deleted, such as `group 0a1b2c3d4e5f`.
    :param parameter: the parameter with its name.
    :param given: the name that the caller gave.
    :param found: its name in Studio; None if it is unknown.
    :raises StudioConfigurationError: they differ.
    """
    if not given or given != found:
        raise StudioConfigurationError(
            f"{parameter} is {given!r}, but that of {what} is {found!r}; nothing was deleted. Give the right pair."
        )
