# SPDX-License-Identifier: Apache-2.0
"""The methods of `StudioClient` by resource, each module one class that the client inherits."""
