# SPDX-License-Identifier: Apache-2.0
"""Inventory, policy, plan, apply, undo. Imports no Airflow; uses a `upath.UPath` storage root and a `StudioClient`."""
