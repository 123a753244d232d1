# SPDX-License-Identifier: Apache-2.0
"""A plan with many actions is shown one page at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from airflow_provider_studio.governance.plans.audit import ActionState
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.plugin.plan_index import PER_PAGE, PlanLine, PlanNumbers, PlanView, ProposedAction


def test_only_the_actions_that_a_page_shows_are_parsed(tmp_path: Path) -> None:
    ids = [f"archive_report-{number:012x}" for number in range(3 * PER_PAGE)]
    lines = [json.dumps({"action_id": action_id}) for action_id in ids]
    lines[PER_PAGE : 2 * PER_PAGE] = ["not read"] * PER_PAGE
    (tmp_path / "actions.jsonl").write_text("\n".join(lines) + "\n")
    actions = tuple(ProposedAction(action_id, ActionKind.ARCHIVE_REPORT, action_id[-12:], None) for action_id in ids)
    done = {ids[0]: ActionState.DONE, ids[-1]: ActionState.DONE}
    numbers = PlanNumbers(cast("Any", None), actions)
    view = PlanView(PlanLine(numbers, {}, done, None, frozenset(), 0.0), tmp_path, [])

    assert [[row.action["action_id"] for row in view.page("", number)[0]] for number in (1, 3)] == [
        ids[:PER_PAGE],
        ids[-PER_PAGE:],
    ]
    rows, total = view.page("done", 1)
    assert ([row.action["action_id"] for row in rows], total) == ([ids[0], ids[-1]], 2)
    assert view.status_counts() == [(ActionState.PROPOSED, 3 * PER_PAGE - 2), (ActionState.DONE, 2)]
