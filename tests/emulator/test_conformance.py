# SPDX-License-Identifier: Apache-2.0
"""Every endpoint answers with its shape; and our tables of endpoints and shapes are the originals', where those are."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.routes import NOT_EMULATED, api_routes
from airflow_provider_studio.emulator.time_zones import ZONES
from tests.conftest import FIXTURES, needs_real_bodies
from tests.emulator.sample import BODIES, Sample
from tests.emulator.tables import ENDPOINTS, PAGE, SHAPES, Key, Row, differences, keys_of, links_of, page

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[Sample, bytes]]:
    with StudioEmulator("acme", reports=60, seed=5, now=NOW, speed=0) as emulator:
        sample = Sample(emulator)
        yield sample, emulator.control.save()


@pytest.fixture
def sample(filled: tuple[Sample, bytes]) -> Sample:
    """One of everything, as it was before any test."""
    made, saved = filled
    made.emulator.control.restore(saved)
    return made


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_an_endpoint_answers_with_its_shape(sample: Sample, row: Row) -> None:
    answer = sample.answer(Row(row.method, _of_dataset(row.path), row.status, row.shape, row.listed))
    assert answer.status_code == row.status, answer.text
    if row.status == 501:
        assert "does not emulate" in answer.json()["message"]
    if not row.shape:
        return
    rows = answer.json()["_embedded"][row.listed] if row.listed else [answer.json()]
    assert rows, "nothing to look at"
    found = {difference for body in rows for difference in differences(row.shape, body)}
    assert not found


def _of_dataset(path: str) -> str:
    return path.replace("{run}", "{dataset_run}") if "{dataset}" in path else path


def test_every_endpoint_of_the_emulator_is_in_the_table_and_the_page_is_the_table() -> None:
    listed = {(row.method, _bare(row.path)) for row in ENDPOINTS} | {
        (method, _bare("/{ws}" + path)) for method, path in NOT_EMULATED
    }
    extra = {
        ("GET", "/{}/api_keys/{}"),
        ("GET", "/{}/reports/{}/exports/runs/{}/pdf"),
        ("GET", "/{}/reports/{}/subscriptions/{}/email_report_subscription_memberships"),
        ("GET", "/{}/reports/{}/subscriptions/{}/slack_report_subscription_memberships"),
    }
    ours = {
        (method, _bare(route.path.removeprefix("/api")))
        for route in api_routes()
        if route.path.startswith("/api")
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert ours - listed == extra
    assert {row for row in listed - ours if row != ("POST", "/{}/spaces/{}")} == set()
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.emulator.tables"


def _bare(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_discovery_answers_with_its_shapes(sample: Sample) -> None:
    root = f"{sample.emulator.url}/batch/acme"
    minted = (
        sample.session("workspace")
        .post(
            f"{root}/signature_tokens",
            json={
                "signature_token": {
                    "name": "nightly",
                    "expires_at": "2026-12-01T00:00:00Z",
                    "auth_scope": {"authentication_for": "batch-api", "authorization_type": "read-only"},
                }
            },
            timeout=10,
        )
        .json()
    )
    assert not differences("SignatureToken", minted)
    headers = {"Authorization": f"Bearer {_encoded(minted)}"}
    for name, shape in (("reports", "DiscoveryReport"), ("report_stats", "DiscoveryReportStats")):
        body = requests.get(f"{root}/{name}?per_page=25", headers=headers, timeout=10).json()
        assert body["pagination"]["total_pages"] >= 2
        assert {difference for row in body[name] for difference in differences(shape, row)} == set()
    for name in ("queries", "charts", "spaces", "members"):
        assert requests.get(f"{root}/{name}", headers=headers, timeout=10).json()[name]
    assert requests.get(f"{root}/reports", headers={"Authorization": "Bearer eDp5Ono="}, timeout=10).status_code == 401


def _encoded(minted: dict[str, Any]) -> str:
    text = f"{minted['token']}:{minted['access_key']}:{minted['access_secret']}"
    return base64.b64encode(text.encode()).decode()


# Driven by generated requests, from a description that our own tables make.

_LETTERS = {"s": "string", "i": "integer", "n": "number", "b": "boolean", "o": "object", "a": "array"}
_REFUSALS = ("400", "401", "403", "404", "406")


def _schema(shape: str) -> dict[str, Any]:
    """A shape as JSON schema."""
    keys = keys_of(shape)
    required = [name for name, key in keys.items() if not key.optional]
    return {"type": "object", "required": required, "properties": {name: _typed(key) for name, key in keys.items()}}


def _typed(key: Key) -> dict[str, Any]:
    return {"type": [*(_LETTERS[letter] for letter in key.types), *(["null"] if key.nullable else [])]}


def _description(sample: Sample, row: Row) -> dict[str, Any]:
    """One endpoint as OpenAPI: its path takes the sample's tokens, or one that is nobody's."""
    path = _of_dataset(row.path)
    parameters = [_parameter(sample, name) for name in re.findall(r"\{(\w+)\}", path)]
    parameters.append({"name": "page", "in": "query", "schema": {"type": "string"}})
    operation: dict[str, Any] = {"parameters": parameters, "responses": _responses(row)}
    body = BODIES.get(f"{row.method} {row.path}")
    if body is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": _like(body)}}}
    paths = {path: {row.method.lower(): operation}}
    return {"openapi": "3.1.0", "info": {"title": "Studio", "version": "1"}, "paths": paths}


def _parameter(sample: Sample, name: str) -> dict[str, Any]:
    tokens = [sample.names[name], "0123456789ab"]
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": tokens}}


def _responses(row: Row) -> dict[str, Any]:
    refusal = {"description": "", "content": {"application/hal+json": {"schema": _schema("Error")}}}
    good: dict[str, Any] = {"description": ""}
    if row.shape and row.status < 300:
        schema = _schema(row.shape)
        if row.listed:
            rows = {"type": "object", "properties": {row.listed: {"type": "array", "items": schema}}}
            schema = {"type": "object", "required": ["_embedded"], "properties": {"_embedded": rows}}
        good["content"] = {"application/hal+json": {"schema": schema}}
    return {**dict.fromkeys(_REFUSALS, refusal), str(row.status): good}


def _like(value: Any) -> dict[str, Any]:
    """A schema of bodies like this one: its keys, all of them optional, with any text, number or nothing at all."""
    if isinstance(value, dict):
        return {"type": ["object", "null"], "properties": {name: _like(one) for name, one in value.items()}}
    if isinstance(value, list):
        return {"type": ["array", "string"], "items": _like(value[0])}
    return {"type": ["string", "integer", "null", "boolean", "array"]}


def drive(description: dict[str, Any], sample: Sample, examples: int) -> int:
    """Send generated requests to every endpoint of a description; return to how many."""
    driven = 0
    for operation in schemathesis.openapi.from_dict(description).get_all_operations():

        @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.ok().as_strategy())
        def send(case: schemathesis.Case) -> None:
            answer = case.call(base_url=f"{sample.emulator.url}/api", auth=sample.emulator.credentials())
            checks = [response_schema_conformance, status_code_conformance]
            case.validate_response(
                answer, checks=checks if answer.status_code == 501 else [not_a_server_error, *checks]
            )

        send()
        driven += 1
    return driven


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_no_generated_request_breaks_an_endpoint(sample: Sample, row: Row) -> None:
    assert drive(_description(sample, row), sample, examples=15) == 1


# Held against the originals, where they are.

NOT_TOLD = {
    "_embedded": "comes only with embed[…]=1, which is not documented",
    "_links": "links are held apart",
}
UNDEFINED = {
    "Datasets",
    "DatasetFields",
    "DatasetFieldDescriptions",
    "DatasetFieldDescription",
    "DatasetSchedules",
    "ReportRunDuplicate",
}
"""Shapes that the original description names and does not have."""
OTHER_TYPES = {
    "string": "counters, ids and flags are told as text in the description, as numbers and booleans in real answers",
    "object": "a Report's imported_datasets are a list in real answers",
}
OTHERWISE = {
    "Pagination": "first_page and last_page in the description; page, per_page and count in what clients read",
    "FormField": "one in the description, where clients read a list of them",
}
SINCE = {
    "Report": {"flamingo_signature", "has_schedules_with_invalid_intervals", "has_imported_datasets"},
    "ReportRun": {"has_more_recent_successful_run_available"},
    "ReportSchedule": {
        "cron_hour", "cron_minute", "day_of_month", "day_of_week", "frequency", "hour", "minute", "time_zone",
    },
    "ReportSubscription": {"token"},
    "Space": {"schema_name"},
    "FormField": {"type", "value"},
}  # fmt: skip
"""Keys that real answers have and the description has not."""
LINKS_NOT_TOLD = {
    "Account": "links to pages of the web application",
    "Definition": "last_run and last_successful_github_sync: a definition here was never run or synchronised",
    "Report": "last_run, last_successful_run: only where there is one; last_successful_github_sync: never",
}


@pytest.fixture(scope="module")
def original() -> dict[str, Any]:
    text = (FIXTURES / "mode-openapi-original.yml").read_text(encoding="utf-8")
    read: dict[str, Any] = yaml.safe_load(text)
    return read


@needs_real_bodies
def test_every_endpoint_of_the_original_description_is_in_the_table(original: dict[str, Any]) -> None:
    ours = {(row.method, _bare(row.path)) for row in ENDPOINTS}
    theirs = set()
    for path, operations in original["paths"].items():
        ends = [".csv", ".json"] if "(.csv, .json)" in path else [""]
        for end in ends:
            bare = _bare(path.replace("(.csv, .json)", end).removeprefix("/api"))
            theirs |= {(method.upper(), bare) for method in operations if method in {"get", "post", "patch", "delete"}}
    assert theirs - ours == set()


@needs_real_bodies
def test_every_shape_of_the_original_description_is_in_the_table(original: dict[str, Any]) -> None:
    found = []
    for shape in SHAPES.keys() & original["definitions"].keys():
        theirs, ours = original["definitions"][shape]["properties"], keys_of(shape)
        found += [f"{shape}: missing {name}" for name in theirs.keys() - ours.keys() - NOT_TOLD.keys()]
        found += [f"{shape}: extra {name}" for name in ours.keys() - theirs.keys() - SINCE.get(shape, set())]
        found += [
            f"{shape}.{name}: {told['type']} and {ours[name].types}"
            for name, told in theirs.items()
            if name in ours and "type" in told and not _same_type(told["type"], ours[name])
        ]
        required = set(original["definitions"].get(f"{shape}Links", {}).get("required", []))
        if shape not in LINKS_NOT_TOLD:
            found += [f"{shape}: link {name} not promised" for name in required - links_of(shape)]
    assert found == []


def _same_type(told: str, key: Key) -> bool:
    letters = {name: letter for letter, name in _LETTERS.items()}
    return told in OTHER_TYPES or letters[told] in key.types


def _corrected(original: dict[str, Any], sample: Sample) -> dict[str, Any]:
    """The original description less what the live service is known to do otherwise, for the sample's tokens."""
    text = json.dumps(original)
    for shape in UNDEFINED:
        text = text.replace(f'{{"$ref": "#/definitions/{shape}"}}', "{}")
    for unknown in ("date", "file"):  # no types of that version of OpenAPI
        text = text.replace(f'"type": "{unknown}"', '"type": "string"')
    described: dict[str, Any] = json.loads(text)
    for name, definition in described["definitions"].items():
        _correct_shape(name, definition)
    rows = {(row.method, _bare(row.path)): row for row in ENDPOINTS}
    paths: dict[str, Any] = {}
    for told_path, operations in described["paths"].items():
        path = told_path.replace("(.csv, .json)", ".csv").removeprefix("/api")
        for method in operations.keys() & {"get", "post", "patch", "delete"}:
            row = rows[method.upper(), _bare(path)]
            paths.setdefault(path, {})[method] = _corrected_operation(operations[method], path, row, sample)
    return described | {"paths": paths}


def _correct_shape(name: str, definition: dict[str, Any]) -> None:
    """Types are held elsewhere; of the links, those stay that are promised."""
    if not name.endswith("Body"):
        for told in definition.get("properties", {}).values():
            told.pop("type", None)
            told.pop("enum", None)
    if name in OTHERWISE:
        definition.pop("required", None)
    shape = name.removesuffix("Links")
    if shape != name and "required" in definition:
        promised = links_of(shape) if shape in SHAPES else set()
        definition["required"] = sorted(promised & set(definition["required"])) or ["self"]


def _corrected_operation(operation: dict[str, Any], path: str, row: Row, sample: Sample) -> dict[str, Any]:
    """Statuses as they are seen; the description calls a dataset a Report, but real ones have fewer keys and links."""
    told = operation["responses"]
    good = next((answer for status, answer in told.items() if status[0] == "2"), {"description": ""})
    if row.shape == "Dataset" or row.status in {204, 501}:
        good = {"description": ""}
    aliases = {"account": "ws", "workspace": "ws", "group_token": "group", "membership_token": "group_membership"}
    parameters = [one for one in operation.get("parameters", []) if one["in"] != "path"]
    if path.endswith("/reports/{report}/runs"):  # a filter there breaks the live service
        parameters = [one for one in parameters if one["name"] != "filter"]
    for name in re.findall(r"\{(\w+)\}", path):
        tokens = [sample.names[_token_name(aliases.get(name, name), path)], "x"]
        parameters.append({"name": name, "in": "path", "required": True, "type": "string", "enum": tokens})
    refusals = {status: {"description": ""} for status in _REFUSALS}
    answers = refusals | told if 400 <= row.status < 500 else refusals | told | {str(row.status): good}
    return operation | {"parameters": parameters, "responses": answers}


def _token_name(name: str, path: str) -> str:
    if name == "run" and "{dataset}" in path:
        return "dataset_run"
    return "name" if name == "field_description" else name


@needs_real_bodies
def test_no_request_that_the_original_description_allows_breaks_an_endpoint(
    original: dict[str, Any], sample: Sample
) -> None:
    assert drive(_corrected(original, sample), sample, examples=6) >= 90


@needs_real_bodies
def test_the_time_zones_are_those_of_the_original_description(original: dict[str, Any]) -> None:
    cron = original["definitions"]["ReportScheduleRequestBodyCronProperty"]["properties"]
    assert set(cron["time_zone"]["enum"]) == set(ZONES)


REAL = [
    ("datahub/reports_list_page.json", "reports", "Report"),
    ("datahub/datasets_list_2024.json", "reports", "Dataset"),
    ("datahub/spaces_list.json", "spaces", "Space"),
    ("datahub/queries_list.json", "queries", "Query"),
    ("datahub/account_user_redacted.json", "", "Account"),
    ("datahub/verify.json", "", "Verify"),
    ("odd_collector/data_sources_list_2023.json", "data_sources", "DataSource"),
    ("mode_docs/report_schedule.json", "", "ReportSchedule"),
    ("mode_docs/signature_token.json", "", "SignatureToken"),
    ("mode_docs/discovery_reports_page.json", "reports", "DiscoveryReport"),
    ("mode_docs/discovery_report_stats_page.json", "report_stats", "DiscoveryReportStats"),
    ("mode_sdk_synthetic/report.json", "", "Report"),
    ("mode_sdk_synthetic/report_run.json", "", "ReportRun"),
    ("mode_sdk_synthetic/report_schedule.json", "", "ReportSchedule"),
    ("mode_sdk_synthetic/query_run_failed.json", "", "QueryRun"),
    ("mode_sdk_synthetic/space.json", "", "Space"),
    ("issues/openmetadata_14578_400_body.json", "", "Error"),
]
REASONED = {
    "total_views_count": "the documentation's sample; clients read view_count from live answers",
}


@needs_real_bodies
@pytest.mark.parametrize(("name", "key", "shape"), REAL, ids=[name for name, *_ in REAL])
def test_a_real_bodys_keys_and_types_are_in_the_table(name: str, key: str, shape: str) -> None:
    body = json.loads((FIXTURES / name).read_text(encoding="utf-8"))
    rows = body.get("_embedded", body)[key] if key else [body]
    ours = keys_of(shape)
    found = []
    for row in rows:
        told = {name: value for name, value in row.items() if name not in {"_links", "_forms", *REASONED}}
        found += [f"missing {name}" for name in told.keys() - ours.keys()]
        found += [
            f"{name} is {value!r}"
            for name, value in told.items()
            if name in ours and value is not None and not ours[name].fits(value)
        ]
    assert found == []
