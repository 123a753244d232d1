# SPDX-License-Identifier: Apache-2.0
"""Policies, plans and journals: their formats, how they are written and read, and their status."""
