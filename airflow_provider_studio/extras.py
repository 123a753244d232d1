# SPDX-License-Identifier: Apache-2.0
"""An import that an extra brings says which extra, where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtraError(ImportError):
    """A package is missing that an extra of this one installs. The message names both, and the command."""


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Import, within, what an extra brings.

    :param extra: the extra, such as `emulator`.
    :param what: what it is for, as the message begins.
    :raises MissingExtraError: a package other than ours is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.partition(".")[0] == __package__:
            raise
        message = f"{what} needs {missing}, which is not installed: pip install 'airflow-provider-studio[{extra}]'"
        raise MissingExtraError(message, name=error.name) from None
