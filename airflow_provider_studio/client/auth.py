# SPDX-License-Identifier: Apache-2.0
"""The three kinds of API token, what each may not do, and the credentials that carry one.

What a token may not do is refused here, before a request is spent on finding out.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from airflow_provider_studio.client.errors import StudioCapabilityError, StudioConfigurationError

log = logging.getLogger(__name__)

DEFAULT_HOST = "https://app.mode.com"
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class TokenKind(StrEnum):
    """Who a token stands for."""

    WORKSPACE = "workspace"
    """Made by an admin; acts as an admin in the whole workspace."""
    MEMBER = "member"
    """Made by one member; sees and does what that member may."""
    PERSONAL = "personal"
    """The old kind; its support ended on 2025-02-28."""


class Operation(StrEnum):
    """What some kinds of token may not do, in words that fit an error message."""

    CLONE_REPORT_RUN = "clone a Report run"
    CREATE_INVITE = "create an invite"


_REFUSED = frozenset({TokenKind.WORKSPACE, TokenKind.MEMBER})
_WAY_OUT = {
    Operation.CLONE_REPORT_RUN: "Duplicate the Report in Studio's own interface instead.",
    Operation.CREATE_INVITE: "Invite the person in Studio under Workspace Settings > People instead.",
}


def require(kind: TokenKind, operation: Operation) -> None:
    """Refuse what a token of this kind may not do.

    Source: Studio's API reference on token limitations.

    :raises StudioCapabilityError: names the kind, the operation and the way out.
    """
    if kind in _REFUSED:
        raise StudioCapabilityError(
            f"A {kind.value.capitalize()} token may not {operation.value}. {_WAY_OUT[operation]}"
        )


def check_identifier(field_name: str, value: str) -> str:
    """Return `value` if it can stand in a path as the name or token of a thing in Studio.

    :raises StudioConfigurationError: for anything else, before it reaches a URL.
    """
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise StudioConfigurationError(
            f"{field_name} is {value!r}; it must be a Studio name or token: letters, digits, '-', '_' and '.', "
            "as it stands in the address of its page."
        )
    return value


@dataclass(frozen=True)
class Credentials:
    """What opens a workspace.

    :param workspace: the workspace's user name, as in `https://app.mode.com/<workspace>`.
    :param token: the public half of the credential.
    :param secret: the private half; never shown.
    :param host: scheme and host of Studio; plain http only for a host on this machine.
    :param kind: the token's kind where it is known; discovered with one request otherwise.
    :raises StudioConfigurationError: an empty or malformed field.
    """

    workspace: str
    token: str
    secret: str = field(repr=False)
    host: str = DEFAULT_HOST
    kind: TokenKind | None = None

    def __post_init__(self) -> None:
        for name, mend in (
            ("workspace", "the name in https://app.mode.com/<workspace>"),
            ("token", "the token that Studio shows under API Keys"),
            ("secret", "the secret that Studio showed once when the token was made"),
        ):
            if not getattr(self, name):
                raise StudioConfigurationError(f"{name} is empty; set it to {mend}.")
        check_identifier("workspace", self.workspace)
        object.__setattr__(self, "host", _checked_host(self.host))
        if self.kind is TokenKind.PERSONAL:
            log.warning(
                "This connection uses a personal token, whose support ended on 2025-02-28. "
                "Ask an admin for a Workspace token, or make a Member token."
            )

    @property
    def budget_key(self) -> str:
        """A hash that names the rate limit's budget: same host and token, same budget; nobody can read the token."""
        return hashlib.sha256(f"{self.host}\n{self.token}".encode()).hexdigest()


def _checked_host(host: str) -> str:
    parts = urlsplit(host)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.username:
        shown = host if "@" not in host else "a URL with credentials in it"
        raise StudioConfigurationError(f"host is {shown!r}; it must look like {DEFAULT_HOST}, without a path.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise StudioConfigurationError(
            f"host is {host!r}; plain http would send the secret in the clear. Use https://{parts.netloc}."
        )
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(hostname: str) -> bool:
    """Return whether a host name means this machine."""
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost"


def kind_of(scope: str | None, self_href: str | None) -> TokenKind:
    """Return the token kind that an answer of `/verify` speaks of.

    `api_key_scope` tells a Member key from a Workspace key. Where it is absent, an API key (its own link leads to
    `api_keys`) is taken for the kind that may do less, and anything else is a personal token, whose answer links to the
    account. Source: one real answer for a personal token, client code for the scopes; others than `member` are unseen.
    """
    if scope:
        return TokenKind.MEMBER if "member" in scope.lower() else TokenKind.WORKSPACE
    return TokenKind.MEMBER if "/api_keys/" in (self_href or "") else TokenKind.PERSONAL
