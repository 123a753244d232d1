# SPDX-License-Identifier: Apache-2.0
"""The permit that every process sharing a token draws from before it sends.

A ledger of send slots: reserve the earliest slot at which the log of sends stays legal, sleep until it, stamp it anew
at the moment of sending. What the server says corrects the ledger for everyone.
"""

from airflow_provider_studio.client.ratelimit.budget import Budget, Priority, RateLimitFeedback
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
