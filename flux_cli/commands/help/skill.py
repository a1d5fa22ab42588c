"""Make the page for agents a skill (agentskills.io): a file ``flux/SKILL.md`` with YAML front matter."""

from __future__ import annotations

import hashlib
import re

from flux_cli import __version__
from flux_cli.commands.help.topics import read_topic

NAME = "flux"
"""The name of the skill, which is also that of its folder."""
_DESCRIPTION = (
    "Make and edit images with the FLUX models from the command line, at hosted, paid APIs, without buying anything "
    "twice. Use it when an image should be made from words, edited, filled or varied, for batches of images, and to "
    "find out what an image costs or what became of a job."
)
_NEEDS = "Needs the command flux, and a key of a provider and network access for all but its sandbox."
_DIGEST = re.compile(r'^  sha256: "([0-9a-f]{64})"\n', re.MULTILINE)


def read_skill() -> str:
    """Return the page for agents with front matter, which holds a digest of all the rest."""
    head = (
        f"---\nname: {NAME}\ndescription: {_DESCRIPTION}\nlicense: MIT\ncompatibility: {_NEEDS}\n"
        f'metadata:\n  version: "{__version__}"\n'
    )
    rest = f"---\n\n{read_topic('agents')}\n"
    return f'{head}  sha256: "{_digest(head + rest)}"\n{rest}'


def is_unchanged(text: str) -> bool:
    """Whether flux, in any version, wrote the text and it is unchanged: the digest in it is right."""
    found = _DIGEST.search(text)
    return found is not None and found[1] == _digest(text[: found.start()] + text[found.end() :])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
