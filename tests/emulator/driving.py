# SPDX-License-Identifier: Apache-2.0
"""Generated requests to every endpoint of an API description, and a description that is built from our tables."""

from __future__ import annotations

import re
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.emulator.sample import BODIES, Sample
from tests.emulator.tables import Key, Row, keys_of

LETTERS = {"s": "string", "i": "integer", "n": "number", "b": "boolean", "o": "object", "a": "array"}
REFUSALS = ("400", "401", "403", "404", "406")


def bare(path: str) -> str:
    """Return a path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def of_dataset(path: str) -> str:
    """Return a path in which a run of a dataset has its own parameter name."""
    return path.replace("{run}", "{dataset_run}") if "{dataset}" in path else path


def _schema(shape: str) -> dict[str, Any]:
    """Return a shape as JSON schema."""
    keys = keys_of(shape)
    required = [name for name, key in keys.items() if not key.optional]
    return {"type": "object", "required": required, "properties": {name: _typed(key) for name, key in keys.items()}}


def _typed(key: Key) -> dict[str, Any]:
    return {"type": [*(LETTERS[letter] for letter in key.types), *(["null"] if key.nullable else [])]}


def description(sample: Sample, row: Row) -> dict[str, Any]:
    """Return one endpoint as OpenAPI; its path takes the sample's tokens or an unknown one."""
    path = of_dataset(row.path)
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
    return {**dict.fromkeys(REFUSALS, refusal), str(row.status): good}


def _like(value: Any) -> dict[str, Any]:
    """Return a schema of similar bodies: the same keys, all optional, with a text, a number or null."""
    if isinstance(value, dict):
        return {"type": ["object", "null"], "properties": {name: _like(item) for name, item in value.items()}}
    if isinstance(value, list):
        return {"type": ["array", "string"], "items": _like(value[0])}
    return {"type": ["string", "integer", "null", "boolean", "array"]}


def drive(description: dict[str, Any], sample: Sample, examples: int) -> int:
    """Send generated requests to every endpoint of a description; return the number of endpoints."""
    driven = 0
    for operation in schemathesis.openapi.from_dict(description).get_all_operations():

        @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
        @given(case=operation.ok().as_strategy())
        def send(case: schemathesis.Case) -> None:
            response = case.call(base_url=f"{sample.emulator.url}/api", auth=sample.emulator.credentials())
            checks = [response_schema_conformance, status_code_conformance]
            case.validate_response(
                response, checks=checks if response.status_code == 501 else [not_a_server_error, *checks]
            )

        send()
        driven += 1
    return driven
