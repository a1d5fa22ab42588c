"""Requests as shell: exact, quoted, and without a key."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux_cli import providers
from flux_cli.http import curl
from flux_cli.providers.conversation import Request, Upload

RUNWARE = providers.load("runware")
APIFRAME = providers.load("apiframe")
BASE = "https://api.example.com"


def test_a_whole_line():
    """Method, address, key by name, headers and body, in this order."""
    request = Request("POST", "/v2/x", json={"a": "it's"}, headers={"Idempotency-Key": "k"}, query={"q": "a b"})

    shown = curl.line(APIFRAME, request, base_url=BASE)

    assert shown == (
        "curl -sS -X POST 'https://api.example.com/v2/x?q=a+b' -H \"X-API-Key: $APIFRAME_API_KEY\""
        " -H 'Idempotency-Key: k' -H 'Content-Type: application/json' --data-raw '{\"a\": \"it'\"'\"'s\"}'"
    )


def test_another_origin():
    """A documented host beside the base URL's is shown as it is."""
    request = Request("GET", "/balance", origin="https://other.example.com")

    assert " https://other.example.com/balance " in curl.line(RUNWARE, request, base_url=BASE)


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_survives_the_shell(text):
    """Split as a shell would, the body is the request's; and nothing in the line can be obeyed by a terminal."""
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    request = Request("POST", "", json=[{"positivePrompt": text}])

    shown = curl.line(RUNWARE, request, base_url=BASE)

    assert shown.isprintable()
    assert json.loads(shlex.split(shown)[-1]) == request.json


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("path", ["plain.png", "a b'c\"d.png", "a,b;c.png", "\x1b[31m'\\\x9b\n.png", "back\\slash.png"])
def test_any_path_survives_bash(path):
    """What curl is given for a file is its name, quoted as curl wants it where commas or semicolons mean something."""
    request = Request("POST", "/u", upload=Upload(field="file", path=path))
    shown = curl.line(APIFRAME, request, base_url=BASE)

    script = shown.replace("curl ", "printf '%s\\0' ", 1)
    words = subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=30).stdout.split(b"\0")

    given_path = words[words.index(b"-F") + 1].decode().removeprefix("file=@")
    if any(letter in path for letter in ',;"'):
        assert given_path.startswith('"')
        given_path = given_path[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    assert given_path == path
    assert shown.isprintable()


def test_the_same_as_data():
    """As JSON: the parts, and the line; the body of an upload is its path."""
    submit = curl.data(RUNWARE, Request("POST", "", json=[1]), base_url=BASE)
    upload = curl.data(APIFRAME, Request("POST", "/u", upload=Upload(field="file", path="a.png")), base_url=BASE)

    assert (submit["method"], submit["url"], submit["body"], submit["upload"]) == ("POST", BASE, [1], None)
    assert submit["curl"].startswith("curl ")
    assert upload["upload"] == "a.png"
