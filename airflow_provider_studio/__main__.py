# SPDX-License-Identifier: Apache-2.0
"""`python -m airflow_provider_studio`: the commands of `airflow studio`, for Airflow versions before 3.2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from airflow_provider_studio.cli.airflow_process import airflow_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    with airflow_command():
        from airflow_provider_studio.cli.definition import COMMANDS
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_studio", description=__doc__)
    subparsers = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name, help=command.help, description=command.description, epilog=command.epilog
        )
        for argument in command.args:
            argument.add_to_parser(subparser)
        subparser.set_defaults(run=command.func)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
