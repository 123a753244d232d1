# SPDX-License-Identifier: Apache-2.0
"""How an endpoint is written: a function from what was asked to a body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_studio.emulator.request import ApiError, ApiRequest
from airflow_provider_studio.emulator.serializers.hal import json_response

Answer = dict[str, Any] | Response
Endpoint = Callable[[ApiRequest], Answer]
OURS = "/api/{workspace}"


class Routes(list[Route]):
    """Endpoints in the order in which their paths are tried."""

    def on(self, method: str, path: str, status: int = 200, root: str = OURS) -> Callable[[Endpoint], Endpoint]:
        """Register an endpoint; a body that it returns is sent with this status."""

        def register(endpoint: Endpoint) -> Endpoint:
            async def handle(request: Request) -> Response:
                try:
                    asked = _asked(request, await request.body())
                    answer = endpoint(asked)
                except ApiError as refusal:
                    return refusal.response()
                documented = asked.world.quirks.statuses == "documented"
                if not isinstance(answer, Response):
                    return json_response(answer, _documented(path) if documented else status)
                return Response() if documented and answer.status_code == 204 else answer

            self.append(Route(root + path, handle, methods=[method]))
            return endpoint

        return register


def _asked(request: Request, body: bytes) -> ApiRequest:
    asked = ApiRequest(request, body)
    workspace, plan = asked.world.workspace, asked.world.quirks.plan
    if plan == "free" or (plan == "business" and request.scope["path"].startswith("/batch/")):
        raise ApiError(403, "forbidden", "The workspace's plan does not include this")
    if request.path_params.get("workspace", workspace) != workspace:
        raise ApiError(404, "not_found", "account not found")
    return asked


def _documented(path: str) -> int:
    return 202 if path.endswith(("/runs", "/purge")) else 200


def no_content() -> Response:
    """The answer to a deletion."""
    return Response(status_code=204)
