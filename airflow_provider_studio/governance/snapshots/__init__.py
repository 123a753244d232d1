# SPDX-License-Identifier: Apache-2.0
"""What the nights say: a snapshot's tables, what nights remember, and the facts made of them."""
