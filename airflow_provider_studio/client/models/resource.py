# SPDX-License-Identifier: Apache-2.0
"""The base of all models. A key that is not documented as required may be absent: unknown, never zero.

Unknown keys are preserved (`model_extra`), so a backup of a model is a backup of the whole response.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.field_types import is_text


class Resource(BaseModel):
    """Any resource of Studio. Its links are in `links`, its forms in `forms`, the rest in attributes."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True, protected_namespaces=())

    links: dict[str, Any] = Field(default_factory=dict, alias="_links", repr=False)
    forms: dict[str, Any] = Field(default_factory=dict, alias="_forms", repr=False)

    @field_validator("*", mode="after")
    @classmethod
    def _check_text(cls, value: object) -> object:
        if isinstance(value, str) and not is_text(value):
            raise ValueError("it has half of a character")
        return value

    @classmethod
    def parse(cls, data: object, *, what: str = "") -> Self:
        """Create the model from decoded JSON.

        :raises StudioResponseError: names the resource and the field that is not as the API promises.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the body"
            raise StudioResponseError(
                f"{what or cls.__name__}: {place} is not as the API promises ({first['msg'].lower()})."
            ) from None

    @classmethod
    def parse_known(cls, data: Mapping[str, Any], *, what: str = "") -> Self:
        """Create the model without the optional values that are not as the API promises: they are unknown.

        :raises StudioResponseError: a required value is missing or invalid.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            invalid = {problem["loc"][0] for problem in error.errors(include_input=False, include_url=False)}
            return cls.parse({name: value for name, value in data.items() if name not in invalid}, what=what)

    def link(self, relation: str) -> str | None:
        """Return the URL of a link relation, or None."""
        entry = self.links.get(relation)
        href = entry.get("href") if isinstance(entry, Mapping) else None
        return href if isinstance(href, str) and is_text(href) else None

    def to_json(self) -> dict[str, Any]:
        """Return the original response: every key under its wire name, and no key that was absent."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Show only declared fields: unknown keys may hold presigned URLs or signatures."""
        return [(name, getattr(self, name)) for name in ("token", "name", "state") if name in type(self).model_fields]


def last_part(href: str | None) -> str | None:
    """Return the last segment of a URL's path."""
    return (urlsplit(href).path.rstrip("/").rsplit("/", 1)[-1] or None) if href else None
