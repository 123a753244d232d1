# SPDX-License-Identifier: Apache-2.0
"""Remove values that grant access by themselves from JSON that is stored: signatures, keys, and presigned URLs.

Which of them Studio returns is not documented, so the names of fields and of parameters in URLs decide, not a list of
known fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

_SECRET_FIELD = re.compile(
    r"signature|signed_?url|pre_?signed|secret|passw(?:or)?d|access_?key|api_?key|private_?key|credential|authorization"
    r"|(?:access|auth|bearer|refresh|session|signature)_?token|web_preview_image",
    re.IGNORECASE,
)
_SECRET_PARAMETER = re.compile(
    r"^(?:x-(?:amz|goog|ms)-.*|sig|.*signature.*|.*secret.*|passw(?:or)?d|.*token|.*access_?key.*|api_?key|key-pair-id"
    r"|policy|googleaccessid|auth|authorization)$",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(?<=[^\s\"'<>?])\?([^\s\"'<>#]+)")


def scrubbed(value: Any) -> Any:
    """Return JSON without fields that grant access, and without the query of URLs that do."""
    if isinstance(value, Mapping):
        return {key: scrubbed(field) for key, field in value.items() if not _SECRET_FIELD.search(str(key))}
    if isinstance(value, list | tuple):
        return [scrubbed(item) for item in value]
    return _QUERY.sub(_without_secrets, value) if isinstance(value, str) else value


def _without_secrets(query: re.Match[str]) -> str:
    names = (name for name, _ in parse_qsl(query.group(1), keep_blank_values=True))
    return "?…" if any(_SECRET_PARAMETER.match(name) for name in names) else query.group()
