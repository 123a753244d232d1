# SPDX-License-Identifier: Apache-2.0
"""The table of the API's operations is true: each named method sends the operation, and none is left out."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, date, datetime
from typing import Any

import pytest

from airflow_provider_studio.client import models
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.client.permissions import Permissions
from airflow_provider_studio.emulator import StudioEmulator
from tests.client.test_documented_keys import LISTS, SINGLES, A
from tests.conftest import FIXTURES, client_of, needs_real_bodies
from tests.docs.api_coverage import DESCRIBED, FURTHER, LIVE, PAGE, Operation, page, shape
from tests.emulator.tables import ENDPOINTS


def opened(download: AbstractContextManager[Any]) -> None:
    """Open a download, and close it."""
    with download:
        pass


CALLS: dict[str, Callable[[StudioClient], Any]] = {
    **{name: single.call for name, single in SINGLES.items()},
    **{name: lambda client, read=read: list(read(client)) for name, (_, _, read) in LISTS.items()},
    "create_invite": lambda client: client.create_invite("ada@example.com"),
    "delete_definition": lambda client: client.delete_definition(A, name="x"),
    "delete_group": lambda client: client.delete_group(A, name="x"),
    "delete_group_membership": lambda client: client.delete_group_membership(A, A),
    "delete_membership": lambda client: client.delete_membership(A, username="x"),
    "delete_schedule": lambda client: client.delete_schedule(A, A),
    "delete_subscription": lambda client: client.delete_subscription(A, A),
    "download_pdf": lambda client: opened(client.download_pdf(A, A, models.PdfExport())),
    "download_query_run_results": lambda client: opened(client.download_query_run_results(A, A, A, "json")),
    "download_run_results": lambda client: opened(client.download_run_results(A, A)),
    "list_audit_log": lambda client: list(client.list_audit_log(datetime(2026, 1, 1, tzinfo=UTC), datetime.now(UTC))),
    "purge_data_source_results": lambda client: client.purge_data_source_results(A, name="x"),
    "purge_results": lambda client: client.purge_results(date(2026, 1, 1), workspace="acme"),
    "sync_report_to_github": lambda client: client.sync_report_to_github(A, "Nightly"),
}
PERSONAL = {"clone_report_run", "create_invite"}
"""Methods for personal tokens."""
OTHERS = {"clock_offset", "close", "declared_kind", "exchange", "iterate", "last_status", "list_subscribers", "proxy"}
OTHERS |= {"list_dataset_query_runs"}  # it follows a link
OTHERS |= {"request", "spending", "token_kind", "with_caution", "with_priority"}
"""Members of the client that belong to no single operation."""


@pytest.fixture(scope="module")
def sent() -> Iterator[Callable[[str], set[tuple[str, str]]]]:
    """Return a function that calls a method, and returns the shapes of the requests that it sent."""
    with StudioEmulator("acme", reports=0) as emulator:
        body = {"token": A, "name": "x", "member_username": "x"}
        emulator.control.add_fault("status", status=200, body=body, times=None)
        clients = {
            kind: client_of(emulator, kind, permissions=lambda: Permissions(purges=True))
            for kind in ("workspace", "personal")
        }

        def requests_of(name: str) -> set[tuple[str, str]]:
            emulator.control.clear_requests()
            with suppress(StudioError):  # the body is not that of most resources; only the request matters
                CALLS[name](clients["personal" if name in PERSONAL else "workspace"])
            requests = emulator.control.requests_summary()["requests"]
            return {(request["method"], _path(request["path"])) for request in requests}

        yield requests_of


def _path(path: str) -> str:
    """Return a requested path like those of the tables."""
    return shape(re.sub(r"^/acme(?=/|$)", "/{ws}", path.removeprefix("/api")).replace(A, "{token}"))


def test_the_page_is_written_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.docs.api_coverage"


def test_each_method_sends_the_operation_that_names_it(sent: Callable[[str], set[tuple[str, str]]]) -> None:
    wrong = []
    for operation in (*DESCRIBED, *FURTHER):
        method, path = LIVE.get((operation.method, operation.path), (operation.method, operation.path))
        for name in operation.methods:
            if name == "collection_pages" and path.endswith("/datasets"):
                continue  # it takes the kind of listing as an argument
            if name == "download_pdf" and path.endswith(".pdf"):
                continue  # it follows the job's link
            if (method, shape(path)) not in sent(name):
                wrong.append(f"{name} does not send {method} {path}: {sent(name)}")
    assert wrong == []


def test_no_method_of_the_client_is_left_out() -> None:
    named = {name for operation in (*DESCRIBED, *FURTHER) for name in operation.methods}
    public = {name for name, _ in inspect.getmembers(StudioClient) if not name.startswith("_")}
    assert named == public - OTHERS
    assert public >= OTHERS


def test_each_endpoint_of_the_emulator_is_an_operation_of_the_table() -> None:
    table = _shapes([*DESCRIBED, *FURTHER])
    assert {(row.method, shape(row.path)) for row in ENDPOINTS} - table == set()
    assert len(table) == len(DESCRIBED) + len(FURTHER)


def _shapes(operations: list[Operation]) -> set[tuple[str, str]]:
    return {(operation.method, shape(operation.path)) for operation in operations}


@needs_real_bodies
def test_the_table_has_the_operations_of_the_original_description() -> None:
    import yaml

    original = yaml.safe_load((FIXTURES / "mode-openapi-original.yml").read_text(encoding="utf-8"))
    methods = {"get", "post", "put", "patch", "delete"}
    operations = [
        (method.upper(), shape(path.removeprefix("/api").replace("(.csv, .json)", "")))
        for path, described in original["paths"].items()
        for method in methods & set(described)
    ]
    assert sorted(operations) == sorted(_shapes(DESCRIBED))
