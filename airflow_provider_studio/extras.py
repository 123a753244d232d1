# SPDX-License-Identifier: Apache-2.0
"""Name the extra that installs a missing package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtraError(ImportError):
    """A package of an extra is missing. The message names the package, the extra and the command that installs it."""


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Import packages of an extra within this context.

    :param extra: the extra, such as `emulator`.
    :param what: what needs it, as the beginning of the message.
    :raises MissingExtraError: a package of the extra is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.partition(".")[0] == __package__:
            raise
        message = f"{what} needs {missing}, which is not installed: pip install 'airflow-provider-studio[{extra}]'"
        raise MissingExtraError(message, name=error.name) from None
