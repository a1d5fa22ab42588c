"""Find the topics of ``flux help`` and read their pages."""

from __future__ import annotations

import re
from pathlib import Path

from flux_cli.commands.help import tables

FOLDER = Path(__file__).parent.parent.parent / "help"
"""One Markdown file for each topic: a heading, an empty line, a one-line summary, and the rest."""


def topics() -> dict[str, str]:
    """Return the summary of each topic, by name."""
    files = sorted(FOLDER.glob("*.md"))
    return {file.stem: file.read_text(encoding="utf-8").split("\n", 3)[2].rstrip(".") for file in files}


def read_topic(name: str) -> str:
    """Return the page of a topic, as Markdown, with the parts that come from the program."""
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8").rstrip("\n")
    return re.sub(r"<!-- from the program: ([a-z-]+) -->", lambda found: tables.PARTS[found[1]](), text)


def find_by_heading(word: str) -> list[str]:
    """Return the topics with a section whose heading has a word that begins with ``word``."""
    heading = re.compile(rf"^##+ .*\b{re.escape(word)}", re.MULTILINE | re.IGNORECASE)
    return [name for name in topics() if heading.search(read_topic(name))]


def read_schema() -> str:
    """Return the JSON Schema of what ``--json`` prints."""
    return (FOLDER / "json.schema.json").read_text(encoding="utf-8").rstrip("\n")
