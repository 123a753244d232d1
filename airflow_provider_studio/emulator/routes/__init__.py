# SPDX-License-Identifier: Apache-2.0
"""The API's endpoints, thin: find the thing, check who asks, change the world, render it."""

from airflow_provider_studio.emulator.routes.router import NOT_EMULATED, Api, api_routes

__all__ = ["NOT_EMULATED", "Api", "api_routes"]
