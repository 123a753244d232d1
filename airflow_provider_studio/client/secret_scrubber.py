# SPDX-License-Identifier: Apache-2.0
"""Remove a credential's secrets from text that a server sent, before it becomes a part of a message.

A server or a proxy can echo the request, and messages end in logs, in Airflow's database and in journals.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

from airflow_provider_studio.client.plain_text import shorten

LONGEST_TEXT = 500
"""Characters of one text of a server in a message."""
_NOT_ASCII = re.compile(r"[^\x20-\x7e]+")
_SHORTEST_CORE = 8
_MASK = "***"


class SecretScrubber:
    """Makes a server's text safe for messages: without secrets, in one line, and cut.

    It finds a secret as it is, percent-encoded, and within any base64 text, such as an Authorization header.

    :param secrets: the secrets; empty ones are ignored.
    """

    def __init__(self, *secrets: str) -> None:
        forms = {form for secret in secrets if secret for form in _forms_of(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def shown(self, text: object, longest: int = LONGEST_TEXT) -> str:
        """Return a text for a message.

        :param longest: the number of characters.
        """
        visible = _NOT_ASCII.sub(lambda match: "".join(map(_visible, match[0])), str(text))
        for form in self._forms:  # before the cut, which could leave a part of a secret
            visible = visible.replace(form, _MASK)
        return shorten(visible.lstrip()[: 2 * longest], longest)


def _visible(character: str) -> str:
    """Return a character, a space for white space, and nothing for what is invisible, which could divide a secret."""
    if character.isspace():
        return " "
    return character if character.isprintable() else ""


def _forms_of(secret: str) -> list[str]:
    return [secret, quote(secret, safe=""), *_base64_cores(secret.encode())]


def _base64_cores(secret: bytes) -> list[str]:
    """Return what base64 text contains wherever the secret is in the encoded bytes.

    Base64 encodes groups of three bytes, so the text depends on the secret's position in its first group. Characters
    that also depend on neighboring bytes are left out.
    """
    cores: list[str] = []
    for offset in range(3):
        first, last = -(-offset * 8 // 6), (offset + len(secret)) * 8 // 6
        encodings = (base64.b64encode(bytes(offset) + secret), base64.urlsafe_b64encode(bytes(offset) + secret))
        cores.extend(encoded.decode()[first:last] for encoded in encodings)
    return [core for core in cores if len(core) >= _SHORTEST_CORE]
