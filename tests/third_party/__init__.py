# SPDX-License-Identifier: Apache-2.0
"""Other projects' clients of the API, unchanged, against the emulator: they do not share this project's assumptions."""
