# SPDX-License-Identifier: Apache-2.0
"""Ingest a workspace with DataHub's `mode` source and print what it found as JSON. Runs in an environment with DataHub.

Arguments: the URL, the workspace, the token, the secret, and a file for the metadata.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datahub.ingestion.run.pipeline import Pipeline


def recipe(url: str, workspace: str, token: str, secret: str, path: str) -> dict[str, Any]:
    """Return a recipe that reads the shared Collections, with no limit of requests, and writes a file."""
    source = {
        "connect_uri": url,
        "workspace": workspace,
        "token": token,
        "password": secret,
        "api_options": {"requests_per_minute": 1_000_000},
    }
    return {"source": {"type": "mode", "config": source}, "sink": {"type": "file", "config": {"filename": path}}}


def aspects(records: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the name of each entity with the name and the value of one of its aspects."""
    for record in records:
        if "proposedSnapshot" in record:
            (snapshot,) = record["proposedSnapshot"].values()
            for aspect in snapshot["aspects"]:
                for name, value in aspect.items():
                    yield snapshot["urn"], name.rsplit(".", 1)[-1], value
        else:
            yield record["entityUrn"], record["aspectName"], record["aspect"]["json"]


def main() -> None:
    """Ingest, and print the warnings, the failures, and the aspects of each entity."""
    path = Path(sys.argv[5])
    pipeline = Pipeline.create(recipe(*sys.argv[1:5], str(path)), report_to=None)
    pipeline.run()
    report = pipeline.source.get_report()
    entities: dict[str, dict[str, Any]] = {}
    for urn, name, value in aspects(json.loads(path.read_text(encoding="utf-8"))):
        entities.setdefault(urn, {})[name] = value
    problems = [problem.message for problem in [*report.warnings, *report.failures]]
    path.write_text(json.dumps({"problems": problems, "entities": entities}), encoding="utf-8")


if __name__ == "__main__":
    main()
