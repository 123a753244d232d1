# SPDX-License-Identifier: Apache-2.0
"""Write the results of a Report run to files, in constant memory and atomically."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_studio import settings
from airflow_provider_studio.client.auth import TokenKind
from airflow_provider_studio.client.errors import (
    StudioCapabilityError,
    StudioConfigurationError,
    StudioConnectionError,
    StudioResponseError,
    StudioRunTimeoutError,
)
from airflow_provider_studio.governance.file_names import bounded_name
from airflow_provider_studio.governance.storage import write_stream

if TYPE_CHECKING:
    from upath import UPath

    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.client.models import PdfExport, Report
    from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits

log = logging.getLogger(__name__)

FORMATS = ("csv", "json", "pdf")
_EXTENSIONS = {"application/zip": ".zip", "text/csv": ".csv", "application/json": ".json", "application/pdf": ".pdf"}
_PDF_SECONDS = 600.0
_PDF_FIRST_INTERVAL_SECONDS = 2.0
_PDF_LONGEST_INTERVAL_SECONDS = 15.0
_DOWNLOADS = 3
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")

File = dict[str, Any]
Open = Callable[[], AbstractContextManager[tuple[str, Iterator[bytes]]]]


def checked_exports(export: str | Mapping[str, str] | None) -> dict[str, str]:
    """Return `{format: path}` from a user's value: a path alone is that of the CSV.

    :raises StudioConfigurationError: an unknown format, an empty path, or one that no file can have.
    """
    exports = {"csv": export} if isinstance(export, str) else dict(export or {})
    for name, path in exports.items():
        if name not in FORMATS:
            raise StudioConfigurationError(f"export has no format {name!r}; it has {', '.join(FORMATS)}.")
        if not isinstance(path, str) or not path.strip():
            raise StudioConfigurationError(f"export: the path for {name} is {path!r}; give one.")
        settings.in_storage(path)  # before a run is started whose results could not be written
    return exports


def check_may_export(client: StudioClient, report: Report, limits: DeploymentLimits) -> None:
    """Refuse to export a Report of a private Collection with a Workspace token, unless the deployment allows it.

    A Workspace token can read everything, so its exports would show anyone who may name a Report in a run what only
    the members of its Collection may see. A Member token can read what its member may see.

    :raises StudioCapabilityError: the Report is in a private Collection, or it is unknown whether it is.
    """
    if limits.export_private_collections or client.token_kind is not TokenKind.WORKSPACE:
        return
    collection = None if report.space_token is None else client.get_collection(report.space_token)
    if collection is None or collection.space_type == "private" or collection.restricted is not False:
        where = "no known Collection" if collection is None else f"the private Collection {collection.token}"
        raise StudioCapabilityError(
            f"Report {report.token} is in {where}, and this is a Workspace token, which can read what only the members "
            "of that Collection may see. Nothing was exported. Use a Member token of somebody who may see it, or set "
            "[studio] export_private_collections = True."
        )


def export_run(
    client: StudioClient,
    report: str,
    run: str,
    exports: Mapping[str, str],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> list[File]:
    """Write a run's results; return `{"path", "bytes", "sha256", "content_type"}` for each file.

    :param exports: `csv` and `pdf` name a file; `json` names a folder, which gets one file for each query, because
        the run's own JSON holds only its first query.
    :raises StudioResponseError: the response is a web page, not results.
    :raises StudioConnectionError: every download was interrupted.
    """
    files: list[File] = []
    if "csv" in exports:
        files.append(_write(exports["csv"], partial(client.download_run_results, report, run)))
    if "json" in exports:
        for query in client.list_query_runs(report, run):
            name = _NOT_IN_NAMES.sub("_", query.query_name or query.token).strip("._") or query.token
            path = f"{exports['json'].rstrip('/')}/{bounded_name(name, f'-{query.token}.json')}"
            download = partial(client.download_query_run_results, report, run, query.token, "json")
            files.append({**_write(path, download), "query": query.query_name})
    if "pdf" in exports:
        export = _finished_pdf(client, report, run, sleep)
        files.append(_write(exports["pdf"], partial(client.download_pdf, report, run, export)))
    return files


def _finished_pdf(client: StudioClient, report: str, run: str, sleep: Callable[[float], None]) -> PdfExport:
    waited, interval = 0.0, _PDF_FIRST_INTERVAL_SECONDS
    while not (export := client.request_pdf(report, run)).is_finished:
        if waited >= _PDF_SECONDS:
            raise StudioRunTimeoutError(
                f"The PDF of Report run {run} of Report {report} was not made within {_PDF_SECONDS:.0f} s. "
                "Retry later, because Studio continues to make it, or export less."
            )
        sleep(interval)
        waited += interval
        interval = min(interval * 1.5, _PDF_LONGEST_INTERVAL_SECONDS)
    return export


def _write(target: str, download: Open) -> File:
    """Download into a file; restart a download that is interrupted."""
    for attempt in range(1, _DOWNLOADS):
        try:
            return _write_once(target, download)
        except StudioConnectionError as error:
            log.warning("Download %d of %d was interrupted: %s", attempt, _DOWNLOADS, error)
    return _write_once(target, download)


def _write_once(target: str, download: Open) -> File:
    digest, size = hashlib.sha256(), 0

    def measured(chunks: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal size
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            yield chunk

    with download() as (content_type, chunks):
        if content_type == "text/html":
            raise StudioResponseError(
                f"The response for {target} is a web page, not results; check for a proxy that asks for a login."
            )
        path = _with_extension(settings.in_storage(target), _EXTENSIONS.get(content_type, ""))
        write_stream(path, measured(chunks))
    return {"path": str(path), "bytes": size, "sha256": digest.hexdigest(), "content_type": content_type}


def _with_extension(path: UPath, extension: str) -> UPath:
    """Return a path with the extension of Studio's response: a zip must not be named like a CSV."""
    if extension in {"", path.suffix}:
        return path
    if path.suffix in _EXTENSIONS.values():
        return path.with_suffix(extension)
    return path.with_name(f"{path.name}{extension}")
