"""Find the topics of ``flux help`` and read their pages."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent.parent.parent / "help"
"""One Markdown file for each topic: a heading, an empty line, a one-line summary, and the rest."""


def topics() -> dict[str, str]:
    """Return the summary of each topic, by name."""
    files = sorted(FOLDER.glob("*.md"))
    return {file.stem: file.read_text(encoding="utf-8").split("\n", 3)[2].rstrip(".") for file in files}


def read_topic(name: str) -> str:
    """Return the page of a topic, as Markdown."""
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8").rstrip("\n")


def read_schema() -> str:
    """Return the JSON Schema of what ``--json`` prints."""
    return (FOLDER / "json.schema.json").read_text(encoding="utf-8").rstrip("\n")
