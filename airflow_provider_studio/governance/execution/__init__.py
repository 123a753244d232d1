# SPDX-License-Identifier: Apache-2.0
"""Carrying a plan out and taking it back: the only place that changes Studio."""
