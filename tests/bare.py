"""An image file without the metadata that flux adds: what the provider sent, if nothing else was touched."""

from __future__ import annotations

import struct


def bare(content: bytes) -> bytes:
    """Return ``content`` without EXIF, XMP and text; what is no whole image is returned as it is."""
    walks = {b"\xff\xd8": _jpeg, b"\x89PNG": _png, b"RIFF": _webp}
    walk = next((walk for mark, walk in walks.items() if content.startswith(mark)), bytes)
    try:
        return walk(content)
    except IndexError:
        return content


def _jpeg(content: bytes) -> bytes:
    kept, at = content[:2], 2
    while content[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if content[at + 1] != 0xE1:
            kept += content[at:end]
        at = end
    return kept + content[at:]


def _png(content: bytes) -> bytes:
    kept, at = content[:8], 8
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] != b"iTXt":
            kept += content[at:end]
        at = end
    return kept


def _webp(content: bytes) -> bytes:
    kept, at, chunks = b"", 12, chunks_of(content)
    plain = {name for name, _ in chunks} <= {b"VP8X", b"VP8 ", b"VP8L", b"EXIF", b"XMP "}
    while at < len(content):
        end = at + 8 + int.from_bytes(content[at + 4 : at + 8], "little")
        end += end % 2
        name = content[at : at + 4]
        if name == b"VP8X" and not plain:
            kept += content[at : at + 8] + bytes([content[at + 8] & ~0x0C]) + content[at + 9 : end]
        elif name not in {b"EXIF", b"XMP ", b"VP8X"}:
            kept += content[at:end]
        at = end
    return b"RIFF" + struct.pack("<I", len(kept) + 4) + b"WEBP" + kept


def chunks_of(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return name and content of every chunk of a WebP."""
    found, at = [], 12
    while at < len(content):
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        found.append((content[at : at + 4], content[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found
