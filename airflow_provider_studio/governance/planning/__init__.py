# SPDX-License-Identifier: Apache-2.0
"""Deciding: a night held against a policy, or what a person names, becomes a plan. Changes nothing."""
