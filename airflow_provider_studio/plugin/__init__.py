# SPDX-License-Identifier: Apache-2.0
"""The page "Studio" in Airflow's UI. It reads what the tables in storage know and changes nothing."""
