# SPDX-License-Identifier: Apache-2.0
"""The options of the approval in Airflow's UI. It imports nothing, because it is loaded when a DAG is parsed."""

from __future__ import annotations

REJECT = "Reject"
ANSWERS = {"Approve all": "all", "Approve schedules only": "schedules", REJECT: "reject"}
"""The decision that each option means, as the journal has it."""
