# SPDX-License-Identifier: Apache-2.0
"""`python -m airflow_provider_studio.emulator`: a Studio workspace on localhost."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime

from airflow_provider_studio.client.tokens import is_loopback
from airflow_provider_studio.emulator.server import listen, make_server
from airflow_provider_studio.emulator.state import EmulatorState

_EPILOG = """\
Credentials, public because they open nothing but an emulator: the tokens emulator-workspace, emulator-member and
emulator-personal, each with the secret emulator-secret. An Airflow connection as JSON:
  {"conn_type": "studio", "host": "http://127.0.0.1:8181", "schema": "acme",
   "login": "emulator-workspace", "password": "emulator-secret"}
Control endpoints are under /_emulator: clock, requests, faults, rate_limit, state, reports, collections.
"""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_studio.emulator",
        description="A Studio workspace on localhost, deterministic by seed, with the API's quirks and its rate limit.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--workspace", default="acme", help="the workspace's name (default acme)")
    parser.add_argument("--reports", type=int, default=2000, help="how many Reports (default 2000)")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same workspace (default 7)")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8181, help="port (default 8181; 0 takes a free one)")
    parser.add_argument("--now", type=datetime.fromisoformat, default=None, help="its time at the start, ISO 8601")
    parser.add_argument("--no-rate-limit", action="store_true", help="answer as fast as it can")
    parser.add_argument("--allow-remote", action="store_true", help="allow a --host that other machines can reach")
    arguments = parser.parse_args()
    if not is_loopback(arguments.host) and not arguments.allow_remote:
        parser.error(f"--host {arguments.host} can be reached from other machines; add --allow-remote if you mean it")
    if arguments.now is not None and arguments.now.tzinfo is None:
        parser.error(f"--now {arguments.now.isoformat()} has no time zone; add one, such as Z")
    if arguments.reports < 0:
        parser.error(f"--reports {arguments.reports} is negative")
    return arguments


def main() -> int:
    """Serve until Ctrl-C."""
    arguments = _arguments()
    try:
        bound = listen(arguments.host, arguments.port)
    except (OSError, OverflowError) as error:
        print(f"Port {arguments.port} of {arguments.host} cannot be used: {error}. Try --port 0.", file=sys.stderr)
        return 1
    state = EmulatorState(arguments.workspace, arguments.reports, arguments.seed, arguments.now)
    state.limits.configure(enabled=not arguments.no_rate_limit)
    host, port = bound.getsockname()[:2]
    print(f"Workspace {arguments.workspace!r}, {arguments.reports:,} Reports: http://{host}:{port}/api", flush=True)
    make_server(state).run(sockets=[bound])
    return 0


if __name__ == "__main__":
    sys.exit(main())
