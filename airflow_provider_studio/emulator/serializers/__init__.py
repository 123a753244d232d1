# SPDX-License-Identifier: Apache-2.0
"""The bodies of the API's answers: the keys and types of real ones, on HAL."""
