"""Build EXIF metadata with a description. See Exif 2.32, section 4.6."""

from __future__ import annotations

import struct

_INLINE = 4
"""Bytes that fit into an entry itself."""


def build_exif(description: bytes) -> bytes:
    """Return a TIFF structure of one entry, ``ImageDescription``, in UTF-8 as the Metadata Working Group asks for."""
    text = description + b"\0"
    inline = len(text) <= _INLINE
    value = text.ljust(_INLINE, b"\0") if inline else struct.pack("<I", 26)
    entry = struct.pack("<HHI", 0x010E, 2, len(text)) + value
    return struct.pack("<2sHIH", b"II", 42, 8, 1) + entry + bytes(4) + (b"" if inline else text)
