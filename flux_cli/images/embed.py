"""Write metadata into an image file and read it again, without touching the compressed image.

XMP has one place in each format, which every program knows. The prompt is also written where programs without XMP look
for it: the EXIF ``ImageDescription`` of a JPEG or WebP, the ``Description`` text of a PNG. Existing metadata stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from flux_cli.errors import ProtocolError
from flux_cli.images import xmp
from flux_cli.images.inspect import FORMATS, find_segments
from flux_cli.images.metadata import ImageMetadata
from flux_cli.images.segments import MOST_SEGMENTS, ImageFile, Kind, Segment, open_image

_NO_ROOM = "the metadata that it has already leaves no place for more"


def embed(source: Path | bytes, target: Path, image: ImageFile, metadata: ImageMetadata) -> None:
    """Write the ``image`` at ``source``, as it was inspected, to ``target`` with ``metadata`` in it.

    What does not fit is shortened: first the parameters go, then the end of the prompt. A packet of XMP that cannot be
    extended is left alone, and the metadata goes into a place of its own where the format has one. Raises
    `ProtocolError` where that cannot be done, and ``OSError`` where ``target`` cannot be written.
    """
    if image.signed:
        raise ProtocolError("the provider has signed it (C2PA), and a change would break the signature")
    if len(image.segments) >= MOST_SEGMENTS:
        raise ProtocolError("it is made of too many pieces")
    room = FORMATS[image.format].room
    for shortened in metadata.shortened_versions():
        for added in _list_additions(shortened, image.bodies("xmp")):
            if all(len(body) <= room for body in added.values()):
                write_with(source, target, image, added)
                return
    raise ProtocolError(_NO_ROOM)


def read(path: Path) -> ImageMetadata | None:
    """Return the metadata in the file at ``path``, or ``None`` where there is none.

    Raises ``OSError`` where the file cannot be read.
    """
    segments = find_segments(path)
    texts = [segment.body.decode(errors="replace") for segment in segments if segment.kind == "metadata"]
    packets = [segment.body for segment in segments if segment.kind == "xmp"]
    texts += [text for packet in packets if (text := xmp.read(packet)) is not None]
    return next((found for text in texts if (found := ImageMetadata.read(text)) is not None), None)


def write_with(source: Path | bytes, target: Path, image: ImageFile, added: Mapping[Kind, bytes]) -> None:
    """Write the ``image`` at ``source`` to ``target`` with ``added`` in it.

    ``xmp`` is a packet that replaces the existing one; ``description`` is the prompt, left out where the image has a
    description; ``metadata`` is text for a file whose packet stays. Raises as `embed` does.
    """
    known = FORMATS[image.format]
    parts: list[Segment | bytes] = [part for part in image.segments if "xmp" not in added or part.kind != "xmp"]
    at = 1 + max(n for n, part in enumerate(parts) if _is(part, "head", "picture"))
    described = image.has("description") or (image.has("exif") and image.format != "png")  # a PNG has texts for it
    if at < len(parts) and _is(parts[at], "exif"):
        at += 1
    for kind in ("metadata", "xmp", "description"):
        if kind in added and not (kind == "description" and described):
            if kind not in known.encoders:
                raise ProtocolError(_NO_ROOM)
            parts.insert(at, known.encoders[kind](added[kind]))
    with (
        open_image(source) as data,
        memoryview(data) as view,
        target.open("xb") as made,
    ):
        for part in known.assemble(parts, image):
            made.write(view[part.start : part.end] if isinstance(part, Segment) else part)


def _is(part: Segment | bytes, *kinds: Kind) -> bool:
    return isinstance(part, Segment) and part.kind in kinds


def _list_additions(metadata: ImageMetadata, packets: list[bytes]) -> Iterator[dict[Kind, bytes]]:
    """Yield what may be added to a file that has these ``packets`` of XMP, the best first."""
    prompt = xmp.strip_illegal(metadata.prompt).encode()
    added: dict[Kind, bytes] = {"description": prompt} if prompt else {}
    if not packets:
        yield {**added, "xmp": xmp.build_packet(metadata)}
        return
    if len(packets) == 1 and (merged := xmp.merge(packets[0], metadata)) is not None:
        yield {**added, "xmp": merged}
    yield {**added, "metadata": metadata.text.encode()}
