# SPDX-License-Identifier: Apache-2.0
"""The rate limiter that all processes with the same token share.

It is a ledger of send slots: a caller reserves the earliest slot at which the log of sends stays legal, sleeps until
then, and stamps the slot again when it sends. The server's responses correct the ledger for all callers.

`budget` is light. Every other name loads its module when it is used, so that an operator can import `Priority`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client.ratelimit.budget import Budget, Priority, RateLimitFeedback

if TYPE_CHECKING:
    from airflow_provider_studio.client.ratelimit.limiter import Permit, RateLimiter
    from airflow_provider_studio.client.ratelimit.stores import SlotStore
    from airflow_provider_studio.client.ratelimit.urls import store_from_url

__all__ = [
    "Budget",
    "Permit",
    "Priority",
    "RateLimitFeedback",
    "RateLimiter",
    "SlotStore",
    "store_from_url",
]

_MODULES = {"Permit": "limiter", "RateLimiter": "limiter", "SlotStore": "stores", "store_from_url": "urls"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
