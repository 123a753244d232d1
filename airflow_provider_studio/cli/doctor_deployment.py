# SPDX-License-Identifier: Apache-2.0
"""What `doctor` checks of this deployment without a request: Airflow, the plugin, the ledger, the example DAGs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_studio.governance.doctor.findings import Finding

_OLDEST = (3, 1, 8)
_WITH_COMMANDS = (3, 2)
_PROBED_KEY = "doctor"
_STORES = {"sqlite": "a SQLite file of this host", "redis": "Redis", "rediss": "Redis", "memory": "memory"}


def deployment_findings() -> Iterator[Finding]:
    """Yield the findings about this deployment."""
    yield airflow_version()
    yield plugin()
    yield example_dags()
    yield ledger()
    yield signing_key()


def airflow_version() -> Finding:
    """Whether this Airflow is supported."""
    from airflow import __version__

    from airflow_provider_studio.governance.doctor.findings import Fact

    fact = Fact("deployment: Airflow", f"{'.'.join(map(str, _OLDEST))} or later")
    numbers = tuple(int(part) for part in __version__.split(".")[:3] if part.isdecimal())
    if numbers < _OLDEST:
        return fact.needs_a_person(__version__, "update Airflow")
    if numbers < _WITH_COMMANDS:
        return fact.respected(__version__, "use `python -m airflow_provider_studio` for `airflow studio`")
    return fact.as_assumed(__version__)


def plugin() -> Finding:
    """Whether Airflow has loaded the plugin with the pages."""
    from airflow.plugins_manager import get_plugin_info

    from airflow_provider_studio.governance.doctor.findings import Fact

    fact = Fact("deployment: pages", "the plugin is loaded")
    loaded = any(found.get("name") == "studio" for found in get_plugin_info())
    fix = "install the provider where the API server runs, and look for import errors with `airflow plugins`"
    return fact.as_assumed() if loaded else fact.needs_a_person("it is not loaded", fix)


def example_dags() -> Finding:
    """Whether the example DAGs are installed, and how many of them the DAG folder has."""
    from airflow.configuration import conf

    from airflow_provider_studio.cli.example_dags import folder
    from airflow_provider_studio.governance.doctor.findings import Fact

    fact = Fact("deployment: example DAGs", "in the package")
    names = {path.name for path in folder().glob("studio_*.py")}
    copied = [name for name in names if (Path(conf.get("core", "dags_folder")) / name).exists()]
    if not names:
        return fact.needs_a_person("missing", "install the package again: its wheel contains them")
    return fact.as_assumed(f"{len(names)}, of which {len(copied)} are in the DAG folder")


def ledger() -> Finding:
    """Whether the ledger of the request budget can be used, and who shares it."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.client.ratelimit import Budget, store_from_url
    from airflow_provider_studio.client.ratelimit.budget import Priority
    from airflow_provider_studio.governance.doctor.findings import Fact

    fact = Fact("deployment: budget ledger", "shared by all processes that use the token")
    url = settings.rate_limit_url()
    kind = _STORES.get(url.partition(":")[0], "unknown")
    store = store_from_url(url, local=settings.rate_limit_file())
    number, _wait = store.reserve(_PROBED_KEY, Budget(), Priority.CRAWL)
    store.release(_PROBED_KEY, number)
    if number < 0:  # a reservation of the fallback
        return fact.needs_a_person(f"{kind}, which cannot be used", "correct [studio] rate_limit_url; the log says why")
    if kind == "memory":
        return fact.respected("memory of one process", "processes do not share the budget; a 429 corrects each alone")
    if kind != "Redis":
        return fact.as_assumed(f"{kind}; several hosts need Redis")
    return fact.as_assumed(kind)


def signing_key() -> Finding:
    """Whether plans and journals are signed."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.doctor.findings import Fact

    fact = Fact("deployment: signatures", "plans and journals are signed", "anyone who may write to storage may forge")
    return fact.as_assumed() if settings.signer().keys else fact.respected("there is no key")
