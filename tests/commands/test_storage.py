"""A local image that is too large to travel inside its request is uploaded to a storage first."""

from __future__ import annotations

import os
import secrets

from PIL import Image


def test_a_token_of_the_storage_is_not_shown(flux, monkeypatch):
    """The storage refuses anything but a token of its own; ``-v`` shows neither it nor a key."""
    Image.frombytes("RGB", (300, 300), os.urandom(300 * 300 * 3)).save("large.png")
    tokens: list[str] = []
    make = secrets.token_urlsafe

    def remember(size):
        tokens.append(make(size))
        return tokens[-1]

    monkeypatch.setattr(secrets, "token_urlsafe", remember)

    done = flux("generate", "a fox", "-i", "large.png", "-p", "fal", "-m", "kontext", "--sandbox", "-v")

    assert done.code == 0
    assert "> POST https://v3.fal.media/files/upload (" in done.err
    assert '"image_url":"https://v3.fal.media/files/b/' in done.err
    assert len(tokens) == 1
    assert tokens[0] not in done.err
    assert "authorization" not in done.err.lower()


def test_with_another_base_url_nothing_is_uploaded_or_sent(flux, config, monkeypatch):
    """The storage is not below that address, so the key is not sent there."""
    Image.frombytes("RGB", (300, 300), os.urandom(300 * 300 * 3)).save("large.png")
    monkeypatch.setenv("FAL_KEY", "made-up")
    config('[providers.fal]\nbase_url = "https://proxy.example"\n')

    done = flux("generate", "a fox", "-i", "large.png", "-p", "fal", "-m", "kontext")

    assert done.code == 2
    assert "https://rest.fal.ai is not asked while the base URL is https://proxy.example" in done.err
    assert flux("status").out == ""
