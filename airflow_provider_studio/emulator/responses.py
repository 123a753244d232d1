# SPDX-License-Identifier: Apache-2.0
"""Answers as the service sends them."""

from __future__ import annotations

from typing import Any

from msgspec.json import encode
from starlette.responses import Response

HAL = "application/hal+json"


def json_response(body: Any, status: int = 200, media_type: str = HAL) -> Response:
    """A JSON answer."""
    return Response(encode(body), status, media_type=media_type)
