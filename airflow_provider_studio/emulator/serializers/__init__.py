# SPDX-License-Identifier: Apache-2.0
"""The bodies of the API's responses, with the keys and types of real ones, in HAL."""
