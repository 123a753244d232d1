# SPDX-License-Identifier: Apache-2.0
"""Which tables the queries of Reports read."""
