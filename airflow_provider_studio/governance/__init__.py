# SPDX-License-Identifier: Apache-2.0
"""Inventory, policy, plan, apply, undo. Knows no Airflow; takes a `upath.UPath` storage root and a `StudioClient`."""
