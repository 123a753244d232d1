# SPDX-License-Identifier: Apache-2.0
"""The API's endpoints: each finds its entity, checks permissions, changes the workspace and serializes the result."""

from airflow_provider_studio.emulator.routes.router import NOT_EMULATED, Api, api_routes

__all__ = ["NOT_EMULATED", "Api", "api_routes"]
