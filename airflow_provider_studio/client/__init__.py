# SPDX-License-Identifier: Apache-2.0
"""The Studio REST API as typed Python. It imports no Airflow, so it works in a plain script too."""
