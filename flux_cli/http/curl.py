"""Write requests as curl commands to paste into a shell: the key is named, never shown."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from flux_cli.jobs import LocalFile
from flux_cli.providers.base import Provider
from flux_cli.providers.conversation import Request, describe_body, encode
from flux_cli.text import shell_word


def line(provider: Provider, request: Request, *, base_url: str) -> str:
    """Return one line of shell that sends ``request`` with the key from its environment variable."""
    name, prefix = provider.auth
    words = ["curl", "-sS", "-X", request.method, shell_word(_url(request, base_url))]
    if not request.keyless:
        words += ["-H", f'"{name}: {prefix}${provider.key_variables[0]}"']
    for header, value in request.headers.items():
        words += ["-H", shell_word(f"{header}: {value}")]
    if request.upload is not None and not request.upload.field:
        words += ["-H", shell_word(f"Content-Type: {request.upload.media_type}")]
        words += ["--data-binary", shell_word(f"@{request.upload.path}")]
    elif request.upload is not None:
        kind = f";type={request.upload.file.media_type}" if request.upload.file is not None else ""
        words += ["-F", shell_word(f"{request.upload.field}=@{_quoted(request.upload.path)}{kind}")]
    if request.json is None:
        return " ".join(words)
    words += ["-H", shell_word("Content-Type: application/json")]
    parts = encode(request.json)
    if len(parts) == 1:
        return " ".join([*words, "--data-raw", shell_word(_json(request.json))])
    printed = "; ".join(_print_part(part) for part in parts if part)
    return f"{{ {printed}; }} | {' '.join([*words, '--data-binary', '@-'])}"


def _print_part(part: bytes | LocalFile) -> str:
    """Return the shell command that prints one part of a body; a file is too long to be an argument."""
    if isinstance(part, LocalFile):
        return f"base64 < {shell_word(part.path)} | tr -d '\\n'"
    return f"printf %s {shell_word(_escape(part.decode()))}"


def data(provider: Provider, request: Request, *, base_url: str) -> dict[str, Any]:
    """Return the same as plain data."""
    return {
        "method": request.method,
        "url": _url(request, base_url),
        "headers": dict(request.headers),
        "body": describe_body(request.json),
        "upload": None if request.upload is None else request.upload.path,
        "curl": line(provider, request, base_url=base_url),
    }


def _url(request: Request, base_url: str) -> str:
    query = f"?{urlencode(request.query)}" if request.query else ""
    return (request.origin or base_url) + request.path + query


def _json(body: Any) -> str:
    """Return a body as JSON on one line, with escapes for all that a terminal could obey."""
    return _escape(json.dumps(body, ensure_ascii=False))


def _escape(text: str) -> str:
    """Return JSON text with escapes for all that a terminal could obey."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)


def _quoted(path: str) -> str:
    """Return a path as curl's ``-F`` takes it, where commas and semicolons mean something."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if any(character in path for character in ',;"') else path
