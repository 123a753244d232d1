# SPDX-License-Identifier: Apache-2.0
"""Definitions: pieces of SQL that queries of the whole workspace refer to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.client.base import StudioClientBase
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.resources.named import check_named


class Definitions(StudioClientBase):
    """The methods for Definitions."""

    def list_definitions(self, tokens: Sequence[str] | None = None) -> Iterator[models.Definition]:
        """List the workspace's Definitions.

        :param tokens: only these; others in the response are left out, because an unknown filter is ignored silently.
        """
        path, query = f"/api/{self.workspace}/definitions", {}
        if tokens is not None:
            if not tokens:
                return iter(())
            checked = [check_identifier("definition", token) for token in tokens]
            query = {"filter": "by_tokens", "tokens": ",".join(checked)}
        rows = self._rows(path, "definitions", query, tokens=True)
        return (
            models.Definition.parse(row, what=f"GET {path}, {row['token']}")
            for row in rows
            if tokens is None or row["token"] in tokens
        )

    def get_definition(self, definition: str) -> models.Definition:
        """Read one Definition."""
        path, what = self._definition(definition), f"Definition {definition}"
        return self._read(models.Definition, path, what=what, token=definition)

    def create_definition(
        self, name: str, source: str, *, description: str | None = None, data_source_id: int | str | None = None
    ) -> models.Definition:
        """Create a Definition.

        :param source: its SQL.
        :param data_source_id: the `id` of the data source that it is for, not its token.
        """
        for parameter, value in (("name", name), ("source", source)):
            if not value:
                raise StudioConfigurationError(f"{parameter} is empty; a Definition needs one.")
        values = {"name": name, "source": source, "description": description, "data_source_id": data_source_id}
        response = self._send("POST", f"/api/{self.workspace}/definitions", {"definition": _given(values)})
        return models.Definition.parse(response, what="the new Definition")

    def update_definition(
        self,
        definition: str,
        *,
        name: str | None = None,
        source: str | None = None,
        description: str | None = None,
        data_source_id: int | str | None = None,
    ) -> models.Definition:
        """Change a Definition, and with it each query that refers to it; parameters as in `create_definition`."""
        values = {"name": name, "source": source, "description": description, "data_source_id": data_source_id}
        body = {"definition": _given(values)}
        if not body["definition"]:
            raise StudioConfigurationError("Nothing to update: give name, source, description or data_source_id.")
        path, what = self._definition(definition), f"Definition {definition}"
        return self._change(models.Definition, path, body, what=what, token=definition)

    def delete_definition(self, definition: str, *, name: str) -> None:
        """Delete a Definition; queries that refer to it then fail.

        :param name: the Definition's name. If it has another one, nothing is deleted.
        :raises StudioConfigurationError: it has another name.
        """
        check_named(f"Definition {definition}", "name", name, self.get_definition(definition).name)
        self._send("DELETE", self._definition(definition))

    def _definition(self, token: str) -> str:
        return f"/api/{self.workspace}/definitions/{check_identifier('definition', token)}"


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
