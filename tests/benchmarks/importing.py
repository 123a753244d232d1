# SPDX-License-Identifier: Apache-2.0
"""The time to import the provider's operators and to parse `dags/`, compared with Airflow and another provider.

`python -m tests.benchmarks.importing`; `--beside dbt` compares with the dbt Cloud provider, if it is installed. Each
number is the median of new interpreters; the kinds alternate, so that other load on the machine affects them equally.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

DAGS = Path(__file__).parents[2] / "dags"
_AIRFLOW = (
    "import airflow.sdk, airflow.providers.common.compat.sdk as s; "
    "s.BaseOperator, s.BaseHook, s.BaseSensorOperator, s.BaseOperatorLink, s.XCom, s.conf, s.Asset, s.AssetAlias\n"
)
_OURS = """
import airflow_provider_studio.operators.plans, airflow_provider_studio.operators.inventory
import airflow_provider_studio.operators.reports, airflow_provider_studio.sensors.reports
"""
_DBT = "import airflow.providers.dbt.cloud.operators.dbt, airflow.providers.dbt.cloud.sensors.dbt\n"
_DBT_DAG = """
from datetime import datetime
from airflow.sdk import DAG
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
with DAG("one", schedule=None, start_date=datetime(2026, 1, 1)):
    DbtCloudRunJobOperator(task_id="run", job_id=1)
"""
_STANDARD = "from airflow.providers.standard.operators import hitl, python\nimport pendulum\n"
_TIMED = """
import time
{first}
began = time.perf_counter()
{then}
print(time.perf_counter() - began)
"""


def parse(*paths: Path) -> str:
    """Return a program that runs DAG files like Airflow: each as a separate module."""
    return "import runpy\n" + "".join(f"runpy.run_path({str(path)!r})\n" for path in paths)


def seconds(first: str, then: str) -> float:
    program = _TIMED.format(first=first, then=then)
    shown = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    return float(shown.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--beside", choices=["dbt"])
    arguments = parser.parse_args()
    kinds = {
        "Airflow alone": ("", _AIRFLOW),
        "operators and sensor, beyond Airflow": (_AIRFLOW, _OURS),
        f"dags/ ({len(list(DAGS.glob('*.py')))} files), beyond Airflow": (
            _AIRFLOW + _STANDARD,
            parse(*sorted(DAGS.glob("*.py"))),
        ),
    }
    if arguments.beside:
        if find_spec("airflow.providers.dbt") is None:
            parser.error("the dbt Cloud provider is not installed: pip install apache-airflow-providers-dbt-cloud")
        kinds |= {
            "dbt Cloud's operators and sensor, beyond Airflow": (_AIRFLOW, _DBT),
            "a DAG with one dbt Cloud operator, beyond Airflow": (_AIRFLOW + _STANDARD, _DBT_DAG),
        }
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(arguments.rounds):
        for name, programs in kinds.items():
            taken[name].append(seconds(*programs))
    medians = {name: statistics.median(values) for name, values in taken.items()}
    whole = medians["Airflow alone"]
    print("| what | median, ms | of Airflow's own |\n|---|---|---|")
    for name, value in medians.items():
        print(f"| {name} | {value * 1000:,.0f} | {value / whole:.2f} |")


if __name__ == "__main__":
    main()
