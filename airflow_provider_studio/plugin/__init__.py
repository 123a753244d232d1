# SPDX-License-Identifier: Apache-2.0
"""The page "Studio" in Airflow's UI: a read-only view of storage."""
