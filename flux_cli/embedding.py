"""A story into an image file, and out of it again, with everything else in the file as it was."""

from __future__ import annotations

from pathlib import Path

from flux_cli import containers, xmp
from flux_cli.errors import ProtocolError
from flux_cli.story import Story


def embed(source: Path, target: Path, story: Story) -> None:
    """Write the image at ``source`` to ``target`` with its ``story`` in it.

    What does not fit is shortened: first the parameters go, then the end of the prompt. Metadata that is there stays;
    a packet that ours cannot be put into is left alone, and the story stands beside it where the format has a place.
    Raises `ProtocolError` where that cannot be done, and ``OSError`` where ``target`` cannot be written.
    """
    held = containers.look(source)
    if held.signed:
        raise ProtocolError("the provider has signed it (C2PA), and a change would break the signature")
    packets = held.bodies("xmp")
    for told in story.shorter():
        added = _added(told, packets)
        if all(len(body) <= containers.ROOM[held.format] for body in added.values()):
            containers.splice(source, target, held, added)
            return
    raise ProtocolError("the metadata that it has already leaves no place for more")


def read(path: Path) -> Story | None:
    """Return the story in the file at ``path``, or ``None`` where there is none.

    Raises ``OSError`` where the file cannot be read.
    """
    try:
        held = containers.look(path)
    except ProtocolError:
        return None
    texts = [body.decode(errors="replace") for body in held.bodies("story")]
    texts += [text for packet in held.bodies("xmp") if (text := xmp.read(packet)) is not None]
    return next((story for text in texts if (story := Story.read(text)) is not None), None)


def _added(story: Story, packets: list[bytes]) -> dict[containers.Kind, bytes]:
    """Return what is to be added to a file that has these ``packets`` of XMP."""
    added: dict[containers.Kind, bytes] = {}
    if prompt := xmp.plain(story.prompt):
        added["description"] = prompt.encode()
    packet = xmp.packet(story) if not packets else xmp.merged(packets[0], story) if len(packets) == 1 else None
    if packet is None:
        added["story"] = story.text.encode()
    else:
        added["xmp"] = packet
    return added
