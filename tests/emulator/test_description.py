# SPDX-License-Identifier: Apache-2.0
"""Our tables of endpoints and shapes match the original description of the API, if it is available."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from airflow_provider_studio.client.time_zones import ZONES
from tests.conftest import FIXTURES, needs_real_bodies
from tests.emulator.driving import LETTERS, REFUSALS, bare, drive
from tests.emulator.sample import Sample
from tests.emulator.tables import ENDPOINTS, REQUIRED, SHAPES, Key, Row, keys_of, links_of

METHODS = {"get", "post", "patch", "delete"}
NOT_TOLD = {
    "_embedded": "comes only with embed[…]=1, which is not documented",
    "_links": "links are compared separately",
}
UNDEFINED = {
    "Datasets",
    "DatasetFields",
    "DatasetFieldDescriptions",
    "DatasetFieldDescription",
    "DatasetSchedules",
    "ReportRunDuplicate",
}
"""Shapes that the original description refers to but does not contain."""
OTHER_TYPES = {
    "string": "the description has counters, ids and flags as text; real responses as numbers and booleans",
    "object": "a Report's imported_datasets are a list in real responses",
}
OTHERWISE = {
    "Pagination": "first_page and last_page in the description; page, per_page and count in what clients read",
    "FormField": "one in the description, where clients read a list of them",
}
SINCE = {
    "Report": {"flamingo_signature", "has_schedules_with_invalid_intervals", "has_imported_datasets"},
    "DatasetRun": {"python_state", "parameters", "form_fields"},
    "ReportRun": {"has_more_recent_successful_run_available"},
    "ReportSchedule": {
        "cron_hour", "cron_minute", "day_of_month", "day_of_week", "frequency", "hour", "minute", "time_zone",
    },
    "Space": {"schema_name"},
    "FormField": {"type", "value"},
}  # fmt: skip
"""Keys of real responses that are not in the description."""
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
    ours = {(row.method, bare(row.path)) for row in ENDPOINTS}
    theirs = set()
    for path, operations in original["paths"].items():
        ends = [".csv", ".json"] if "(.csv, .json)" in path else [""]
        for end in ends:
            spelled = bare(path.replace("(.csv, .json)", end).removeprefix("/api"))
            theirs |= {
                (method.upper(), spelled) for method in operations if method in {"get", "post", "patch", "delete"}
            }
    assert theirs - ours == set()


@needs_real_bodies
def test_every_shape_of_the_original_description_is_in_the_table(original: dict[str, Any]) -> None:
    found = []
    for shape in SHAPES.keys() & original["definitions"].keys():
        theirs, ours = original["definitions"][shape]["properties"], keys_of(shape)
        found += [f"{shape}: missing {name}" for name in theirs.keys() - ours.keys() - NOT_TOLD.keys()]
        found += [f"{shape}: extra {name}" for name in ours.keys() - theirs.keys() - SINCE.get(shape, set())]
        found += [
            f"{shape}.{name}: {types['type']} and {ours[name].types}"
            for name, types in theirs.items()
            if name in ours and "type" in types and not _same_type(types["type"], ours[name])
        ]
        required = set(original["definitions"].get(f"{shape}Links", {}).get("required", []))
        if shape not in LINKS_NOT_TOLD:
            found += [f"{shape}: link {name} not promised" for name in required - links_of(shape)]
    assert found == []


@needs_real_bodies
@pytest.mark.parametrize("shape", sorted(REQUIRED))
def test_the_keys_that_are_promised_are_those_of_the_original_description(original: dict[str, Any], shape: str) -> None:
    if shape in original["definitions"]:
        assert set(REQUIRED[shape].split()) == set(original["definitions"][shape].get("required", [])) - {"_links"}


def _same_type(described: str, key: Key) -> bool:
    letters = {name: letter for letter, name in LETTERS.items()}
    return described in OTHER_TYPES or letters[described] in key.types


def _corrected(original: dict[str, Any], sample: Sample) -> dict[str, Any]:
    """Return the original description, corrected for known behaviour of the live service, with the sample's tokens."""
    text = json.dumps(original)
    for shape in UNDEFINED:
        text = text.replace(f'{{"$ref": "#/definitions/{shape}"}}', "{}")
    for unknown in ("date", "file"):  # not types of this version of OpenAPI
        text = text.replace(f'"type": "{unknown}"', '"type": "string"')
    described: dict[str, Any] = json.loads(text)
    for name, definition in described["definitions"].items():
        _correct_shape(name, definition)
    rows = {(row.method, bare(row.path)): row for row in ENDPOINTS}
    paths: dict[str, Any] = {}
    for told_path, operations in described["paths"].items():
        path = told_path.replace("(.csv, .json)", ".csv").removeprefix("/api")
        for method in operations.keys() & METHODS:
            row = rows[method.upper(), bare(path)]
            paths.setdefault(path, {})[method] = _corrected_operation(operations[method], path, row, sample)
    return described | {"paths": paths}


def _correct_shape(name: str, definition: dict[str, Any]) -> None:
    """Remove types, which another test checks, and keep only the guaranteed links."""
    if not name.endswith("Body"):
        for schema in definition.get("properties", {}).values():
            schema.pop("type", None)
            schema.pop("enum", None)
    if name in OTHERWISE:
        definition.pop("required", None)
    shape = name.removesuffix("Links")
    if shape != name and "required" in definition:
        promised = links_of(shape) if shape in SHAPES else set()
        definition["required"] = sorted(promised & set(definition["required"])) or ["self"]


def _corrected_operation(operation: dict[str, Any], path: str, row: Row, sample: Sample) -> dict[str, Any]:
    """Use the seen statuses, and remove the shape of datasets: real ones have fewer keys and links than Reports."""
    responses = operation["responses"]
    good = next((response for status, response in responses.items() if status[0] == "2"), {"description": ""})
    if row.shape == "Dataset" or row.status in {204, 501}:
        good = {"description": ""}
    aliases = {"account": "ws", "workspace": "ws", "group_token": "group", "membership_token": "group_membership"}
    parameters = [parameter for parameter in operation.get("parameters", []) if parameter["in"] != "path"]
    if path.endswith("/reports/{report}/runs"):  # a filter there breaks the live service
        parameters = [parameter for parameter in parameters if parameter["name"] != "filter"]
    for name in re.findall(r"\{(\w+)\}", path):
        tokens = [sample.names[_token_name(aliases.get(name, name), path)], "x"]
        parameters.append({"name": name, "in": "path", "required": True, "type": "string", "enum": tokens})
    refusals = {status: {"description": ""} for status in REFUSALS}
    responses = refusals | responses if 400 <= row.status < 500 else refusals | responses | {str(row.status): good}
    return operation | {"parameters": parameters, "responses": responses}


def _token_name(name: str, path: str) -> str:
    if name == "run" and "{dataset}" in path:
        return "dataset_run"
    return name


@needs_real_bodies
@pytest.mark.slow
def test_no_request_that_the_original_description_allows_breaks_an_endpoint(
    original: dict[str, Any], sample: Sample
) -> None:
    assert drive(_corrected(original, sample), sample, examples=6) >= 90


@needs_real_bodies
def test_the_time_zones_are_those_of_the_original_description(original: dict[str, Any]) -> None:
    cron = original["definitions"]["ReportScheduleRequestBodyCronProperty"]["properties"]
    assert set(cron["time_zone"]["enum"]) == set(ZONES)
