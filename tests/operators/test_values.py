# SPDX-License-Identifier: Apache-2.0
"""Values as templates and other tasks give them: what is unambiguous is accepted, the rest is refused with the fix."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import jinja2.nativetypes
import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_provider_studio import StalenessPolicy, StudioPlanOperator
from airflow_provider_studio.client.errors import StudioConfigurationError, StudioError
from airflow_provider_studio.client.identifiers import report_token, run_token
from airflow_provider_studio.governance.errors import PolicyError
from airflow_provider_studio.operators.reports import StudioRunReportOperator
from airflow_provider_studio.operators.selection import named, named_or_all


def native(text: str) -> Any:
    """Render a text as a DAG with `render_template_as_native_obj` does."""
    return jinja2.nativetypes.NativeEnvironment().from_string("{{ value }}").render(value=text)


@pytest.mark.parametrize("token", ["0a1b2c3d4e5f", "123456789012", "012345678901"])
def test_a_token_survives_a_template_with_native_types(token: str) -> None:
    assert report_token(native(token)) == token
    assert run_token(native(token)) == token
    assert run_token({"run": native(token)}) == token
    assert named("reports", native(token)) == [token]


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        (None, "it may have been skipped"),
        ("", "it may have been skipped"),
        (native("12345e678901"), "give the URL of the Report's page instead"),
        (True, "give a text"),
        (["0a1b2c3d4e5f"], "give a text"),
    ],
)
def test_what_is_no_report_is_refused_with_its_type_and_without_a_retry(value: Any, fix: str) -> None:
    with pytest.raises(StudioConfigurationError, match=rf"report is .*of the type {type(value).__name__}: .*{fix}"):
        report_token(value)
    assert not StudioConfigurationError.retry_helps


@pytest.mark.parametrize("value", [None, {}, {"run": None}, 1.5])
def test_what_names_no_run_is_refused(value: Any) -> None:
    with pytest.raises(StudioConfigurationError, match=r"^run is "):
        run_token(value)


@pytest.mark.parametrize(
    "value",
    [["a1", "b2"], ("a1", "b2"), {"b2", "a1"}, "a1,b2", " a1 ,\nb2,", '["a1", "b2"]', "['a1', 'b2']"],
)
def test_names_are_accepted_in_every_form_that_a_template_gives(value: Any) -> None:
    assert named("reports", value) == ["a1", "b2"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0a1b2c3d4e5f 1b2c3d4e5f60", ["0a1b2c3d4e5f", "1b2c3d4e5f60"]),
        ("archive_report-0a1b2c3d4e5f acme/reports/1b2c3d4e5f60", None),
        ("Old sales, 0a1b2c3d4e5f 1b2c3d4e5f60", ["Old sales", "0a1b2c3d4e5f", "1b2c3d4e5f60"]),
        ("Old sales\nChurn / EMEA", ["Old sales", "Churn / EMEA"]),
        ("0a1b2c3d4e5f copy", ["0a1b2c3d4e5f copy"]),
        ("[KEEP] Board pack", ["[KEEP] Board pack"]),
        ('["Sales, EMEA", "Ann\'s Report"]', ["Sales, EMEA", "Ann's Report"]),
        (str(["Sales, EMEA", "Ann's Report"]), ["Sales, EMEA", "Ann's Report"]),
    ],
)
def test_spaces_separate_tokens_and_belong_to_names(text: str, names: list[str] | None) -> None:
    assert named("only", text) == (text.split() if names is None else names)


def test_one_token_is_not_split_into_letters() -> None:
    assert named_or_all("only", "0a1b2c3d4e5f") == ["0a1b2c3d4e5f"]


@pytest.mark.parametrize("value", [None, "", [], "[]", [None], [""], {}])
def test_names_that_name_nothing_are_refused(value: Any) -> None:
    with pytest.raises(StudioConfigurationError, match=r"reports is .*must name something"):
        named("reports", value)


@pytest.mark.parametrize(
    "policy",
    [
        {"unviewed_days": "120", "schedules_of_archived": "True"},
        '{"unviewed_days": 120, "schedules_of_archived": true}',
        {"unviewed_days": 120, "schedules_of_archived": "false"},
    ],
)
def test_a_policy_s_numbers_may_be_rendered_text(policy: Any) -> None:
    assert StalenessPolicy.of(policy).unviewed_days == 120


@pytest.mark.parametrize("policy", [None, "strict", 90, ["unviewed_days"], {1: 2}])
def test_what_is_no_policy_is_refused_with_its_type(policy: Any) -> None:
    with pytest.raises(PolicyError, match=rf"policy is .*of the type {type(policy).__name__}; give a StalenessPolicy"):
        StalenessPolicy.of(policy)


def test_a_policy_may_have_the_output_of_another_task() -> None:
    with DAG("policy_of_a_task") as dag:
        days = BaseOperator(task_id="days")
        StudioPlanOperator(task_id="plan", policy={"unviewed_days": days.output})
    assert dag.get_task("plan").upstream_task_ids == {"days"}


def test_a_set_in_a_policy_has_the_same_order_in_each_process() -> None:
    code = (
        "from airflow_provider_studio import StalenessPolicy; "
        "print(StalenessPolicy(protected_owners={'ada', 'ben', 'cai', 'dee', 'eve'}))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1
    assert "('ada', 'ben', 'cai', 'dee', 'eve')" in printed.pop()


@pytest.mark.parametrize(
    "parameters", [{"limit": float("inf")}, {"limit": float("nan")}, '{"limit": Infinity}', {"name": "half \ud83d"}]
)
def test_parameters_that_json_cannot_hold_are_refused_before_anything_is_written(parameters: Any) -> None:
    operator = StudioRunReportOperator(task_id="run", report="0a1b2c3d4e5f", parameters=parameters)
    with pytest.raises(StudioError, match=r"^parameters: .*give values that JSON can hold"):
        operator._parameters()
