# SPDX-License-Identifier: Apache-2.0
"""The Studio REST API as typed Python. Knows no Airflow: everything here works in a plain script too."""
