# SPDX-License-Identifier: Apache-2.0
"""How endpoints are registered: each is a function from an `ApiRequest` to a body or a response."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_studio.emulator.encoding import encoded, media_type
from airflow_provider_studio.emulator.quirks import Quirks
from airflow_provider_studio.emulator.request import ApiError, ApiRequest
from airflow_provider_studio.emulator.serializers.hal import Body, json_response

Result = Body | Response
Endpoint = Callable[[ApiRequest], Result]
API_ROOT = "/api/{workspace}"


class Routes(list[Route]):
    """Endpoints in the order in which their paths are tried."""

    def on(self, method: str, path: str, status: int = 200, root: str = API_ROOT) -> Callable[[Endpoint], Endpoint]:
        """Register an endpoint; a body that it returns is sent with this status."""

        def register(endpoint: Endpoint) -> Endpoint:
            async def handle(http_request: Request) -> Response:
                try:
                    request = _api_request(http_request, await http_request.body())
                    result = endpoint(request)
                except ApiError as error:
                    return _refusal(error, http_request.scope["emulator"].workspace.quirks)
                documented = request.workspace.quirks.statuses == "documented"
                if not isinstance(result, Response):
                    return _encoded(request, result, _documented_status(path) if documented else status)
                return Response() if documented and result.status_code == 204 else result

            self.append(Route(root + path, handle, methods=[method]))
            return endpoint

        return register


def _api_request(http_request: Request, body: bytes) -> ApiRequest:
    request = ApiRequest(http_request, body)
    name, plan = request.workspace.name, request.workspace.quirks.plan
    if plan == "free" or (plan == "business" and http_request.scope["path"].startswith("/batch/")):
        raise ApiError(403, "forbidden", "The workspace's plan does not include this")
    if http_request.path_params.get("workspace", name) != name:
        raise ApiError(404, "not_found", "account not found")
    return request


def _refusal(error: ApiError, quirks: Quirks) -> Response:
    """Return an error's response; the quirk `not_found_status` gives an entity that is not found another status."""
    response = error.response()
    if error.error_id == "not_found":
        response.status_code = quirks.not_found_status
    return response


def _encoded(request: ApiRequest, body: Body, status: int) -> Response:
    quirks = request.workspace.quirks
    response = json_response(body, status, media_type(quirks))
    text = encoded(bytes(response.body), quirks, request.origin)
    return response if text == response.body else Response(text, status, media_type=media_type(quirks))


def _documented_status(path: str) -> int:
    return 202 if path.endswith(("/runs", "/purge")) else 200


def no_content() -> Response:
    """Return the response to a deletion."""
    return Response(status_code=204)
