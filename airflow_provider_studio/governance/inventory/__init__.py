# SPDX-License-Identifier: Apache-2.0
"""Taking an inventory: a crawl over the REST API or a read of Discovery becomes the rows of a snapshot."""
