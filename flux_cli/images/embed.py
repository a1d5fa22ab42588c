"""A story into an image file, and out of it again, with everything else in the file as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flux_cli.errors import ProtocolError
from flux_cli.images import containers, xmp
from flux_cli.images.metadata import ImageMetadata


def embed(source: Path, target: Path, story: ImageMetadata) -> None:
    """Write the image at ``source`` to ``target`` with its ``story`` in it.

    What does not fit is shortened: first the parameters go, then the end of the prompt. Metadata that is there stays;
    a packet that ours cannot be put into is left alone, and the story stands beside it where the format has a place.
    Raises `ProtocolError` where that cannot be done, and ``OSError`` where ``target`` cannot be written.
    """
    held = containers.parse(source)
    if held.signed:
        raise ProtocolError("the provider has signed it (C2PA), and a change would break the signature")
    for told in story.shortened_versions():
        for added in _ways(told, held.bodies("xmp")):
            if all(len(body) <= containers.ROOM[held.format] for body in added.values()):
                containers.splice(source, target, held, added)
                return
    raise ProtocolError("the metadata that it has already leaves no place for more")


def read(path: Path) -> ImageMetadata | None:
    """Return the story in the file at ``path``, or ``None`` where there is none.

    Raises ``OSError`` where the file cannot be read.
    """
    try:
        held = containers.parse(path)
    except ProtocolError:
        return None
    texts = [body.decode(errors="replace") for body in held.bodies("story")]
    texts += [text for packet in held.bodies("xmp") if (text := xmp.read(packet)) is not None]
    return next((story for text in texts if (story := ImageMetadata.read(text)) is not None), None)


def _ways(story: ImageMetadata, packets: list[bytes]) -> Iterator[dict[containers.Kind, bytes]]:
    """Yield what may be added to a file that has these ``packets`` of XMP, the best first."""
    prompt = xmp.build(story.prompt).encode()
    added: dict[containers.Kind, bytes] = {"description": prompt} if prompt else {}
    if not packets:
        yield {**added, "xmp": xmp.packet(story)}
        return
    if len(packets) == 1 and (joined := xmp.merge(packets[0], story)) is not None:
        yield {**added, "xmp": joined}
    yield {**added, "story": story.text.encode()}
