# SPDX-License-Identifier: Apache-2.0
"""How bodies are written, where that is not certain: times, links and the envelope of a listing.

The encoded text is changed, so that no serializer has to know these quirks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from airflow_provider_studio.emulator.quirks import Quirks
from airflow_provider_studio.emulator.serializers.hal import HAL

_TIME = re.compile(rb'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})(?:Z|\+00:00)"')
_LOCAL_HREF = b'"href":"/'
_ENVELOPE = b'"_embedded":{'


def _elsewhere(time: re.Match[bytes]) -> bytes:
    """Return the same time in a zone five hours behind UTC."""
    utc = datetime.fromisoformat(f"{time[1].decode()}.{time[2].decode()}+00:00")
    local = utc.astimezone(timezone(timedelta(hours=-5))).isoformat(timespec="milliseconds")
    return f'"{local}"'.encode()


_TIMES: dict[str, bytes | Callable[[re.Match[bytes]], bytes]] = {
    "seconds_z": rb'"\1Z"',
    "offset": rb'"\1.\2+00:00"',
    "seconds_offset": rb'"\1+00:00"',
    "microseconds": rb'"\1.\g<2>000Z"',
    "other_zone": _elsewhere,
}


def encoded(body: bytes, quirks: Quirks, origin: str) -> bytes:
    """Return a JSON body as the quirks write it.

    :param origin: the scheme and host that the request was sent to.
    """
    if quirks.time_format != "milliseconds_z":
        body = _TIME.sub(_TIMES[quirks.time_format], body)
    if quirks.link_hrefs == "absolute":
        body = body.replace(_LOCAL_HREF, f'"href":"{origin}/'.encode())
    if quirks.envelope == "extended":
        body = body.replace(_ENVELOPE, b'"meta":{"page":"other","total":-1},"_embedded":{"others":[],')
    return body


def media_type(quirks: Quirks) -> str:
    """Return the content type of JSON bodies."""
    return {"hal": HAL, "json": "application/json", "charset": "application/hal+json; charset=utf-8"}[
        quirks.content_type
    ]
