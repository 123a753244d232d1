# SPDX-License-Identifier: Apache-2.0
"""Apache Airflow provider for ThoughtSpot Analyst Studio (formerly Mode)."""

__version__ = "0.1.0"
