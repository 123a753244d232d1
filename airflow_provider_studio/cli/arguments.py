# SPDX-License-Identifier: Apache-2.0
"""Arguments that several commands have in common."""

from __future__ import annotations

from pathlib import Path


def storage_root(text: str) -> str:
    """Return a storage root from an argument: a URL, or a folder, which may be relative to the current one."""
    return text if "://" in text else str(Path(text).expanduser().absolute())
