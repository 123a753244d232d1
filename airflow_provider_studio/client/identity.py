# SPDX-License-Identifier: Apache-2.0
"""Check that a response describes what was requested: a cache or a proxy may confuse two requests.

A resource has its token. A listing has a link to itself, whose path contains the tokens of the requested path (real
responses write `collections` for `spaces`, and `reports` for `datasets`); a listing without that link is not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_studio.client.errors import StudioWrongResourceError
from airflow_provider_studio.client.models import Resource

_WORKSPACE_PARTS = 2
"""The first parts of a path, `api` and the workspace."""


def check_resource(resource: Resource, token: str, *, what: str) -> None:
    """Check the identity of one resource; one whose token is a link, which the response lacks, is not checked.

    :raises StudioWrongResourceError: it has another token.
    """
    returned = getattr(resource, "token", None)
    if returned is not None and returned != token:
        raise _wrong(what, str(returned))


def check_parent(resource: Resource, relation: str, token: str, *, what: str) -> None:
    """Check that a new resource, whose token is unknown before the response, belongs to the requested one.

    :param relation: the link that leads to its parent; a resource without this link is not checked.
    :raises StudioWrongResourceError: the link leads to another parent.
    """
    href = resource.link(relation)
    if href is not None and token not in _parts(href):
        raise _wrong(what, href)


def check_listing(page: Mapping[str, Any], path: str, *, what: str) -> None:
    """Check the identity of a page of a listing.

    :param path: the requested path.
    :raises StudioWrongResourceError: its link to itself is that of another resource's listing.
    """
    links = page.get("_links")
    own = links.get("self") if isinstance(links, Mapping) else None
    href = own.get("href") if isinstance(own, Mapping) else None
    if not isinstance(href, str):
        return
    requested, returned = _parts(path)[_WORKSPACE_PARTS:], _parts(href)[_WORKSPACE_PARTS:]
    if len(requested) == len(returned) and not set(requested[1::2]) <= set(returned):
        raise _wrong(what, href)


def _parts(href: str) -> list[str]:
    return [part for part in urlsplit(href).path.split("/") if part]


def _wrong(what: str, returned: str) -> StudioWrongResourceError:
    return StudioWrongResourceError(
        f"{what}: the response is that of {returned!r}. A cache or a proxy may have confused two requests; "
        "try again, and check what stands before the connection's host."
    )
