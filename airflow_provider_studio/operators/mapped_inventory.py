# SPDX-License-Identifier: Apache-2.0
"""One inventory by a fleet: a task begins it, mapped tasks read a part each, a task finishes it.

All under the token's one budget, so more tasks are no faster than the budget; they keep it used where answers are slow.
The snapshot is the one that a single task would have written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_studio import settings
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.governance.file_names import shared_inventory_name
from airflow_provider_studio.operators.inventory import INVENTORY, StudioInventoryBase

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.governance.inventory.inventory import Inventory


class _Part(StudioInventoryBase):
    """Works on the inventory of this DAG run.

    :param inventory_name: tells several inventories of one DAG run apart.
    """

    def __init__(self, *, inventory_name: str = "inventory", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inventory_name = inventory_name
        if self.source != "rest":
            raise StudioConfigurationError(
                f"source is {self.source!r}; an inventory in parts walks the REST API. "
                "Discovery needs so few requests that StudioInventoryOperator is enough."
            )

    def shared(self, context: Context) -> Inventory:
        """Return the inventory that the tasks of this DAG run share."""
        ti = context["ti"]
        return self.inventory(
            settings.storage(self.storage_path), shared_inventory_name(ti.dag_id, ti.run_id, self.inventory_name), None
        )


class StudioBeginInventoryOperator(_Part):
    """Begin an inventory that mapped tasks will read. Returns its parts, for `expand(part=…)`.

    :param parts: how many; each gets every so many-th Collection, the largest first.
    """

    def __init__(self, *, parts: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if parts < 1:
            raise StudioConfigurationError(f"parts is {parts!r}; it must be at least 1.")
        self.parts = parts

    def run_with_studio(self, context: Context) -> list[str]:
        """List the Collections."""
        parts = min(self.parts, self.shared(context).begin())
        return [f"{part}/{parts}" for part in range(parts)]


class StudioReadInventoryPartOperator(_Part):
    """Read one part of an inventory; map it over what `StudioBeginInventoryOperator` returned.

    :param part: `0/4` is the first of four.
    """

    template_fields: Sequence[str] = (*_Part.template_fields, "part")

    def __init__(self, *, part: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.part = part

    def run_with_studio(self, context: Context) -> None:
        """Read the part."""
        part, _, parts = self.part.partition("/")
        if not (part.isdecimal() and parts.isdecimal()):
            raise StudioConfigurationError(f"part is {self.part!r}; it must be a number of a number, such as '0/4'.")
        self.shared(context).read(int(part), int(parts))


class StudioFinishInventoryOperator(_Part):
    """Write the snapshot of an inventory whose parts are read; returns what `StudioInventoryOperator` returns."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("outlets", [INVENTORY])
        super().__init__(**kwargs)

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Finish."""
        return self.told(context, self.shared(context).finish())
