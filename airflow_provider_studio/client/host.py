# SPDX-License-Identifier: Apache-2.0
"""The URL of a Studio host in its only spelling: two spellings of one host would be two budgets of one token."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from airflow_provider_studio.client.errors import StudioConfigurationError

DEFAULT_HOST = "https://app.mode.com"
_PORTS = {"https": 443, "http": 80}
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


def base_url(host: str | None, port: int | None = None) -> str:
    """Return scheme, host and port of Studio; by default https, or http for this machine.

    :param host: a name or a URL; `https://app.mode.com` if it is empty.
    :param port: the port, if it is not in the URL.
    :raises StudioConfigurationError: it is no host, or the two ports differ.
    """
    text = (host or "").strip() or DEFAULT_HOST
    if "://" not in text:
        text = _with_scheme(text)
    parts = _split(text)
    name = _name_in(parts)
    in_url = _port_in(parts)
    if port is not None and in_url is not None and port != in_url:
        raise StudioConfigurationError(f"port is {port}, and host is {text!r}, which has port {in_url}; give one port.")
    chosen = in_url if port is None else port
    if parts.scheme == "http" and not is_loopback(name):
        raise StudioConfigurationError(
            f"host is {text!r}; plain http would send the secret in the clear. Use https://{parts.netloc}."
        )
    shown = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{shown}{'' if chosen in (None, _PORTS[parts.scheme]) else f':{chosen}'}"


def is_loopback(name: str) -> bool:
    """Return whether a host name means this machine."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _with_scheme(text: str) -> str:
    try:
        name = f"[{ipaddress.IPv6Address(text)}]"
    except ValueError:
        name = text
    local = is_loopback(urlsplit(f"//{name}").hostname or "")
    return f"{'http' if local else 'https'}://{name}"


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        usable = bool(
            parts.scheme in _PORTS
            and parts.hostname
            and not parts.netloc.endswith(":")
            and not (parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password)
        )
    except ValueError:
        usable = False
    if not usable:
        raise _no_host(text)
    return parts


def _name_in(parts: SplitResult) -> str:
    """Return the host in lower case, without the dot of the root, in the form that DNS uses."""
    name = (parts.hostname or "").removesuffix(".")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        name = name.encode("idna").decode()
    except UnicodeError:
        raise _no_host(parts.geturl()) from None
    if not _NAME.fullmatch(name):
        raise _no_host(parts.geturl())
    return name


def _port_in(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise _no_host(parts.geturl()) from None


def _no_host(text: str) -> StudioConfigurationError:
    shown = "a URL with credentials in it" if "@" in text else repr(text)
    return StudioConfigurationError(f"host is {shown}; it must look like {DEFAULT_HOST}, without a path.")
