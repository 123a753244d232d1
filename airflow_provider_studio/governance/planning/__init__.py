# SPDX-License-Identifier: Apache-2.0
"""Create plans: from a policy and a snapshot, or from Reports that a person names. Changes no workspace."""
