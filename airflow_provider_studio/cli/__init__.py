# SPDX-License-Identifier: Apache-2.0
"""The sub-commands of `python -m airflow_provider_studio`, one module each."""
