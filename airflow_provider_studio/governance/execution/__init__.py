# SPDX-License-Identifier: Apache-2.0
"""Apply and undo plans: the only package that changes a workspace."""
