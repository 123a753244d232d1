# SPDX-License-Identifier: Apache-2.0
"""A cassette: the redacted exchanges of a survey as JSON Lines, which the emulator can replay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_provider_studio.client.exchange import Exchange
from airflow_provider_studio.governance.doctor.redaction import Redactor
from airflow_provider_studio.governance.doctor.survey import Survey
from airflow_provider_studio.governance.storage import make_private_folder

FORMAT = 1


def cassette_lines(survey: Survey, workspace: str, redactor: Redactor, version: str) -> Iterator[str]:
    """Yield the lines of a cassette: a header, then one exchange each.

    :param version: the version of the provider.
    """
    header = {"format": FORMAT, "provider": version, "workspace": redactor.text(workspace)}
    yield json.dumps(header)
    written: list[Exchange] = []
    for name, exchange in survey.exchanges.items():
        if any(exchange is other for other in written):  # one response with two names
            continue
        written.append(exchange)
        yield json.dumps({"name": name, **_redacted(exchange, redactor)}, ensure_ascii=False)


def write_cassette(path: Path, lines: Iterator[str]) -> None:
    """Write a cassette, which replaces an existing file.

    :raises OSError: the file cannot be written.
    """
    make_private_folder(path.parent)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _redacted(exchange: Exchange, redactor: Redactor) -> dict[str, Any]:
    date = exchange.date
    return {
        "method": exchange.method,
        "path": redactor.path(exchange.path),
        "query": redactor.query(exchange.query),
        "status": exchange.status,
        "headers": redactor.headers(exchange.headers),
        "clock_offset_seconds": None if date is None else round((date - exchange.received_at).total_seconds(), 1),
        "body": redactor.body(exchange.body),
    }
