# SPDX-License-Identifier: Apache-2.0
"""What is written and read again: policies, plans, journals, and what became of them."""
