# SPDX-License-Identifier: Apache-2.0
"""The options of the approval in Airflow's UI. It imports nothing, because it is loaded when a DAG is parsed."""

from __future__ import annotations

REJECT = "Reject"
SHOWN_PLAN = "shown_plan"
"""The XCom key of an approval task with the hash of the plan that it shows; it survives a deferral, not a retry."""
ANSWERS = {"Approve all": "all", "Approve schedules only": "schedules", REJECT: "reject"}
"""The decision that each option means, as the journal has it."""
