# SPDX-License-Identifier: Apache-2.0
"""What comes from outside names a plan of its workspace, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.__main__ import main
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.layout import (
    check_plan_id,
    journal_folder,
    plan_path,
    plan_path_from,
    plans_folder,
)

PLAN_ID = "0123456789ab"
PLACE = f"plans/workspace=acme/{PLAN_ID}.jsonl"
NO_IDS: list[Any] = [
    "",
    "..",
    "../0123456789ab",
    "0123456789AB",
    "0123456789ab.jsonl",
    "0123456789ab\n",
    "%2e%2e",
    "a/b",
    "a\\b",
    "a" * 65,
    "\u0661\u0662",
    None,
    7,
    ["0123456789ab"],
]


@pytest.mark.parametrize("value", NO_IDS, ids=repr)
def test_an_id_is_hexadecimal_digits_or_an_error(value: Any, storage: UPath) -> None:
    for use in (
        check_plan_id,
        lambda value: plan_path(storage, "acme", value),
        lambda value: journal_folder(storage, "acme", value),
    ):
        with pytest.raises(PlanError, match="plan_id is "):
            use(value)


@pytest.mark.parametrize("plan_id", [PLAN_ID, "a" * 32, "a" * 64])
def test_ids_of_any_version_are_read(storage: UPath, plan_id: str) -> None:
    assert plan_path(storage, "acme", plan_id).name == f"{plan_id}.jsonl"


@pytest.mark.parametrize("workspace", ["../acme", "a/b", "", "..", None])
def test_a_workspace_stays_in_its_folder(storage: UPath, workspace: Any) -> None:
    with pytest.raises(StudioConfigurationError, match="workspace is "):
        plans_folder(storage, workspace)


def test_a_plan_is_named_by_its_path_in_full_or_below_the_storage_root(storage: UPath) -> None:
    place = storage / PLACE
    for spelled in (str(place), PLACE, f"file://{place}"):
        assert plan_path_from(spelled, storage, "acme") == place


@pytest.mark.parametrize(
    "spelled",
    [
        PLAN_ID,
        f"/{PLACE}",
        f"./{PLACE}",
        f"plans//workspace=acme/{PLAN_ID}.jsonl",
        f"plans/workspace=other/{PLAN_ID}.jsonl",
        f"plans/workspace=acme/../workspace=acme/{PLAN_ID}.jsonl",
        f"plans/workspace=acme/%2e%2e/workspace=acme/{PLAN_ID}.jsonl",
        f"plans%2Fworkspace=acme/{PLAN_ID}.jsonl",
        f"plans/workspace%3Dacme/{PLAN_ID}.jsonl",
        f"s3://bucket/{PLACE}",
        f"memory://{PLACE}",
        f"file://elsewhere/{PLACE}",
        f"{PLACE}\n",
        f"{PLACE}?version=1",
        f"plans/workspace=acme/{PLAN_ID}.md",
        f"plans/workspace=acme/one_off/{PLAN_ID}.jsonl",
        "/etc/passwd",
        "",
        "None",
    ],
)
def test_any_other_path_is_refused(storage: UPath, spelled: str) -> None:
    with pytest.raises(PlanError, match="Cannot read the plan"):
        plan_path_from(spelled, storage, "acme")


@pytest.mark.parametrize("spelled", [f"memory://bucket/studio/{PLACE}", PLACE])
def test_in_an_object_store_it_is_the_storages_own_bucket(spelled: str) -> None:
    bucket = UPath("memory://bucket/studio")
    assert str(plan_path_from(spelled, bucket, "acme")) == f"memory://bucket/studio/{PLACE}"
    for other in (f"memory://other/studio/{PLACE}", f"s3://bucket/studio/{PLACE}", f"/bucket/studio/{PLACE}"):
        with pytest.raises(PlanError, match="Cannot read the plan"):
            plan_path_from(other, bucket, "acme")


@pytest.mark.parametrize("linked", ["file", "workspace", "plans"])
def test_a_link_to_elsewhere_is_refused(tmp_path: Path, linked: str) -> None:
    root, outside = tmp_path / "studio", tmp_path / "outside" / "workspace=acme"
    outside.mkdir(parents=True)
    (outside / f"{PLAN_ID}.jsonl").write_text("a plan")
    link, target = {
        "file": (root / PLACE, outside / f"{PLAN_ID}.jsonl"),
        "workspace": (root / "plans" / "workspace=acme", outside),
        "plans": (root / "plans", outside.parent),
    }[linked]
    link.parent.mkdir(parents=True)
    link.symlink_to(target)
    with pytest.raises(PlanError, match="and not a link"):
        plan_path_from(PLACE, UPath(root), "acme")


def test_a_storage_root_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "studio").symlink_to(tmp_path / "disk")
    assert plan_path_from(PLACE, UPath(tmp_path / "studio"), "acme").name == f"{PLAN_ID}.jsonl"


@pytest.mark.parametrize("arguments", [["--plan", "../../secret"], ["--events", "--plan", "../../secret"]])
def test_the_command_line_reads_nothing_but_plans(
    storage: UPath, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(["audit", "--storage", f"file://{storage}", "--workspace", "acme", *arguments]) == 1
    assert "plan_id is '../../secret'" in capsys.readouterr().err
