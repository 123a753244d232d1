# SPDX-License-Identifier: Apache-2.0
"""Arguments that several commands take."""

from __future__ import annotations

from pathlib import Path


def storage_address(text: str) -> str:
    """Return a storage root as typed: a URL, or a folder, which may be relative to where the command is typed."""
    return text if "://" in text else str(Path(text).expanduser().absolute())
