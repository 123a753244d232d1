# SPDX-License-Identifier: Apache-2.0
"""What a workspace's service does where the API's description is silent: requests, findings, the workspace profile."""
