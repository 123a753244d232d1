# SPDX-License-Identifier: Apache-2.0
"""`python -m airflow_provider_studio`: print the inventory and the audit of a workspace."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from airflow_provider_studio.cli import audit, inventory


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sub-command; return the exit status."""
    from airflow_provider_studio.client.errors import StudioError

    parser = argparse.ArgumentParser(prog="python -m airflow_provider_studio", description=__doc__)
    subparsers = parser.add_subparsers(required=True, metavar="command")
    for command in (inventory, audit):
        command.add_parser(subparsers)
    options = parser.parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
    except StudioError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (such as `head`) closed the pipe. Without this, Python reports the error again at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


if __name__ == "__main__":
    sys.exit(main())
