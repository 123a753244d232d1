# SPDX-License-Identifier: Apache-2.0
"""The commands of `airflow studio`. Airflow imports this module at every start, so it imports nothing else of ours."""

from __future__ import annotations

import argparse
from typing import Any

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

_COMMANDS = "airflow_provider_studio.cli"
_FORMATS = ("table", "json", "yaml", "plain", "csv")


class _JsonOutput(argparse.Action):
    """Selects JSON as the format of the output."""

    def __call__(self, _parser: object, options: argparse.Namespace, *_values: object) -> None:
        options.output = "json"


def _arg(*flags: str, **settings: Any) -> Arg:
    return Arg(flags, **settings)  # type: ignore[no-untyped-call]


_OUTPUT = _arg(
    "-o",
    "--output",
    help=f"the format: {_FORMATS[0]} (the default), {', '.join(_FORMATS[1:])}",
    metavar=f"({', '.join(_FORMATS)})",
    choices=_FORMATS,
    default=_FORMATS[0],
)
_STORAGE = _arg(
    "--storage", metavar="PATH", help="the storage root; the option storage_path of the section studio by default"
)
_WORKSPACE = _arg("--workspace", metavar="NAME", help="optional if the storage has only one")
_YES = _arg("-y", "--yes", action="store_true", help="do not ask")
_CONN = _arg("--conn", metavar="ID", help="the workspace's Airflow connection; studio_default where one is needed")

_INVENTORY = ActionCommand(
    name="inventory",
    help="Print Reports of the newest snapshot",
    description="Reads the newest snapshot, which needs only the storage. With --take, or if there is no snapshot, "
    "takes one first, which needs a connection.",
    epilog="Columns: those of a snapshot's reports, the facts of its history (views_90d, ...), and scheduled, "
    "viewed, schedule, scheduled_by, next_scheduled_run, failures_in_a_row, late_hours.",
    func=lazy_load_command(f"{_COMMANDS}.inventory.run"),
    args=(
        _WORKSPACE,
        _CONN,
        _arg("--where", default="true", metavar="SQL", help="condition, such as: scheduled and views_90d = 0"),
        _arg("--columns", metavar="A,B,...", help="the columns to print; * prints all"),
        _arg("--order-by", default="collection_name, name, token", metavar="SQL", help="the order of the rows"),
        _arg("--limit", type=int, metavar="N", help="the largest number of rows"),
        _arg("--take", action="store_true", help="take a snapshot first"),
        _STORAGE,
        _OUTPUT,
    ),
)
_PLAN = ActionCommand(
    name="plan",
    help="Print what a policy would do tonight; writes and changes nothing",
    description="Evaluates a staleness policy against the newest snapshot: the actions that a plan would have, and "
    "what each protection matches. Nothing is written, and nothing changes in Studio.",
    epilog="Without --policy: the policy of the newest plan, or the default policy if there is no plan.",
    func=lazy_load_command(f"{_COMMANDS}.plan.run"),
    args=(
        _arg(
            "--policy",
            metavar="POLICY",
            help="a JSON file with the policy's fields, or a policy in Python as package.module:NAME",
        ),
        _arg(
            "--compare",
            metavar="A,B,...",
            help="print totals for each of these instead: numbers of unviewed_days, such as 60,90,180, or policies",
        ),
        _WORKSPACE,
        _arg(
            "--conn",
            metavar="ID",
            help="read the members of the workspace, and what datasets feed, with this Airflow connection",
        ),
        _STORAGE,
        _OUTPUT,
    ),
)
_AUDIT = ActionCommand(
    name="audit",
    help="Print what governance did: plans, the state of each action, events",
    description="Without --plan or --events: the plans of the workspace. With --plan: the state of each action.",
    func=lazy_load_command(f"{_COMMANDS}.audit.run"),
    args=(
        _WORKSPACE,
        _arg("--plan", metavar="ID", help="print each action of this plan with its state"),
        _arg("--report", metavar="TOKEN", help="only for the Report with this token"),
        _arg("--state", help="only actions in this state, such as done, failed, skipped"),
        _arg("--events", action="store_true", help="every journaled event: who, when, what, HTTP status"),
        _arg("--since", metavar="TIME", help="only events since then, such as 2026-06-01"),
        _STORAGE,
        _OUTPUT,
    ),
)
_UNDO = ActionCommand(
    name="undo",
    help="Undo a plan from its journal: unarchive Reports, create deleted schedules again",
    description="Prints what will be undone and asks before it changes anything. A second run changes nothing that is "
    "already undone.",
    func=lazy_load_command(f"{_COMMANDS}.undo.run"),
    args=(
        _arg("plan", metavar="PLAN_ID", help="the plan's id, as `audit` prints it"),
        _arg(
            "--only",
            metavar="A,B,...",
            help="only these actions (ids) or Reports (tokens or names), as in the audit",
        ),
        _arg("--where", metavar="SQL", help="only Reports for which this is true in the newest snapshot"),
        _YES,
        _CONN,
        _STORAGE,
        _OUTPUT,
    ),
)
_OWNERS = ActionCommand(
    name="owners",
    help="Print what each person owns, runs and costs; or a text that asks others to take over",
    description="Reads the newest snapshot. Studio's API cannot change the owner of a Report: --message prints a text "
    "that names a person's Reports and says what a new owner has to do in Studio.",
    func=lazy_load_command(f"{_COMMANDS}.owners.run"),
    args=(
        _arg("--person", metavar="NAME", help="print the Reports of this person, by user name or e-mail address"),
        _arg("--message", action="store_true", help="print the text to send instead"),
        _WORKSPACE,
        _arg("--conn", metavar="ID", help="read who is a member with this Airflow connection, to mark owners who left"),
        _STORAGE,
        _OUTPUT,
    ),
)
_READERS = ActionCommand(
    name="reports",
    help="Print which Reports read a table",
    description="Reads tables.parquet, which StudioReportTablesOperator writes beside a snapshot.",
    epilog="Case is ignored. A part that the table or a query does not state matches any: orders finds sales.orders, "
    "and sales.orders finds queries that read just orders, as likely.",
    func=lazy_load_command(f"{_COMMANDS}.reports.run"),
    args=(
        _arg(
            "--reading",
            metavar="TABLE",
            help="table, schema.table or database.schema.table, or the URI of its asset",
        ),
        _arg("--unresolved", action="store_true", help="print the queries whose tables are unknown, and why"),
        _WORKSPACE,
        _STORAGE,
        _OUTPUT,
    ),
)
_REPORTS = _arg("--reports", metavar="A,B,...", help="tokens, URLs or names of Reports")
_WHERE = _arg("--where", metavar="SQL", help="a condition over the newest snapshot, such as: creator = 'ada'")
_MAX_ACTIONS = _arg("--max-actions", type=int, default=100, metavar="N", help="the largest number of actions (100)")
_MAX_SHARE = _arg(
    "--max-share",
    type=float,
    default=0.05,
    metavar="SHARE",
    help="with --where, the largest share of the workspace's Reports (0.05, which is 5 %%)",
)
_ARCHIVE = ActionCommand(
    name="archive",
    help="Archive Reports that are named, or selected by a condition",
    description="Prints what will be done and asks before it changes anything. Schedules are backed up and deleted "
    "first. The limits and protections of the deployment apply.",
    epilog="The columns of a condition are those of `inventory`. A Report that was used, edited or moved since the "
    "snapshot is left alone.",
    func=lazy_load_command(f"{_COMMANDS}.one_off.archive"),
    args=(_REPORTS, _WHERE, _MAX_ACTIONS, _MAX_SHARE, _YES, _CONN, _STORAGE, _OUTPUT),
)
_UNARCHIVE = ActionCommand(
    name="unarchive",
    help="Unarchive Reports that are named, or selected by a condition",
    description="Prints what will be done and asks before it changes anything. Schedules are not restored: see undo.",
    func=lazy_load_command(f"{_COMMANDS}.one_off.unarchive"),
    args=(_REPORTS, _WHERE, _MAX_ACTIONS, _MAX_SHARE, _YES, _CONN, _STORAGE, _OUTPUT),
)
_EXAMPLE_DAGS = ActionCommand(
    name="example-dags",
    help="List the example DAGs, or copy them into a DAG folder",
    description="The nightly jobs, clean-up, refresh and undo as DAG files that are ready to be changed.",
    func=lazy_load_command(f"{_COMMANDS}.example_dags.run"),
    args=(
        _arg("--copy-to", metavar="FOLDER", help="copy them there; a file that exists is kept"),
        _arg("--only", metavar="A,B,...", help="only these DAGs"),
        _OUTPUT,
    ),
)
_DOCTOR = ActionCommand(
    name="doctor",
    help="Check the connection, the deployment and how the service behaves; changes nothing",
    description="Sends about 40 GET requests, within the budget of the token, and prints each fact as assumed and as "
    "observed. The exit status is 0 if all is as assumed or respected, and 3 if something needs a person.",
    func=lazy_load_command(f"{_COMMANDS}.doctor.run"),
    args=(
        _CONN,
        _arg("--record", metavar="FILE", help="write the responses, redacted, to attach to an issue"),
        _arg(
            "--sandbox",
            metavar="COLLECTION",
            help="instead, find out what only a change can show, on a Report that this command creates in this "
            "Collection (token or name) and deletes again; asks first",
        ),
        _arg("--yes-create-and-delete-a-report", action="store_true", help="with --sandbox: do not ask"),
        _arg("--show", action="store_true", help="print the workspace profile that was written last; sends nothing"),
        _STORAGE,
        _OUTPUT,
        _arg("--json", action=_JsonOutput, nargs=0, help="the same as --output json"),
    ),
)
COMMANDS = (_INVENTORY, _READERS, _OWNERS, _PLAN, _AUDIT, _UNDO, _ARCHIVE, _UNARCHIVE, _EXAMPLE_DAGS, _DOCTOR)


def studio_commands() -> list[CLICommand]:
    """Return the commands that this provider adds to Airflow's command line."""
    return [
        GroupCommand(
            name="studio",
            help="Inventory, plans and undo for ThoughtSpot Analyst Studio",
            subcommands=COMMANDS,
        )
    ]
