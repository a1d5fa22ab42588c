"""``--json``: one object a line on stdout, the same keys for ever, errors included, and nothing else there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

JOB = [
    "version",
    "id",
    "run",
    "row",
    "remote_id",
    "provider",
    "model",
    "status",
    "detail",
    "queue_position",
    "progress",
    "prompt",
    "parameters",
    "skipped",
    "seed",
    "count",
    "images",
    "cost",
    "timing",
    "error",
    "sandbox",
    "created_at",
    "finished_at",
    "batch",
    "estimate",
    "shape_differs",
]
IMAGE = ["path", "url", "width", "height", "content_type", "bytes", "seed", "nsfw"]
ERROR = ["code", "message", "hint", "exit_code", "charged", "retry", "commands", "docs"]


def test_a_job_has_the_keys_of_the_contract(flux, host):
    """Every key of the contract, no other, with values that are true."""
    told = flux("generate", "a fox", "-p", "runware", "-s", "7", "-a", "1:1", "-o", "fox.jpg", "--json").object

    (image,) = told["images"]
    size = Path("fox.jpg").stat().st_size
    assert sorted(told) == sorted(JOB)
    assert sorted(image) == sorted(IMAGE)
    assert told["version"] == 1
    assert (told["provider"], told["model"], told["status"]) == ("runware", "flux-1.1-pro-ultra", "succeeded")
    shape = {"aspect_ratio": "1:1", "format": "jpg"}
    assert (told["prompt"], told["seed"], told["parameters"]) == ("a fox", 7, shape)
    assert told["cost"] == {"amount": 0.06, "currency": "USD"}
    assert (told["error"], told["sandbox"], told["skipped"], told["batch"], told["row"]) == (
        None,
        False,
        [],
        None,
        None,
    )
    assert image["path"].startswith("/")
    assert image["path"].endswith("/work/fox.jpg")
    assert (image["width"], image["height"], image["content_type"]) == (2048, 2048, "image/jpeg")
    assert (image["bytes"], image["seed"]) == (size, 7)
    assert image["url"] in host.images
    assert told["created_at"].endswith("Z")
    assert told["finished_at"] >= told["created_at"]


def test_every_command_tells_a_job_in_the_same_way(flux):
    """generate --no-wait, status, cancel and result print objects with the same keys."""
    seen = [
        flux("generate", "a fox", "--sandbox", "-p", "runcomfy", "--no-wait", "--json"),
        flux("status", "--sandbox", "--json"),
        flux("status", "@1", "--sandbox", "--json"),
        flux("cancel", "@1", "--sandbox", "--json"),
        flux("generate", "a fox", "--sandbox", "--no-wait", "--json"),
        flux("result", "@1", "--wait", "--sandbox", "--json"),
    ]

    assert {tuple(sorted(run.objects[0])) for run in seen} == {tuple(sorted(JOB))}


def test_a_failed_job_is_a_job_with_an_error(flux):
    """The error is inside the job's object, complete; stderr holds no second telling of it."""
    done = flux("generate", "sandbox:moderated", "--sandbox", "--json", "-q")

    told = done.object
    assert sorted(told) == sorted(JOB)
    assert sorted(told["error"]) == sorted(ERROR)
    assert (told["status"], told["error"]["code"], told["error"]["exit_code"]) == ("failed", "moderated", 5)
    assert done.err == ""


EARLY = [
    ["generate", "a fox", "--json", "--sandbox", "-a", "16:10"],
    ["generate", "a fox", "--json", "--nonsense"],
    ["generate", "a fox", "--nonsense", "--json"],
    ["generate", "a fox", "--json", "-n", "many"],
    ["generate", "--json"],
    ["generate", "a fox", "--json"],
    ["status", "zzzzzzzz", "--json"],
    ["cancel", "--json"],
    ["config", "get", "nonsense", "--json"],
    ["nonsense", "--json"],
    ["--nonsense", "--json"],
    ["generate", "--json", "--config", "missing.toml", "a fox"],
]


@pytest.mark.parametrize("typed", EARLY, ids=" ".join)
def test_a_failure_before_there_is_a_job(flux, typed):
    """One object with version and error, whose exit code is the program's; stderr is empty."""
    done = flux(*typed)

    told = done.object
    assert sorted(told) == ["error", "version"]
    assert sorted(told["error"]) == sorted(ERROR)
    assert told["error"]["exit_code"] == done.code
    assert done.code in {2, 3}
    assert done.err == ""


def test_json_as_a_value_is_not_the_option(flux):
    """After ``--`` the word is a prompt, and errors are for people."""
    done = flux("generate", "--nonsense", "--", "--json")

    assert done.out == ""
    assert done.err.startswith("flux: error: ")


def test_several_jobs_are_several_lines(flux):
    """One object a job, those that failed among them."""
    done = flux("generate", "a fox", "--sandbox", "-p", "apiframe", "-n", "5", "--json")

    assert len(done.lines) == 5
    assert {job["status"] for job in done.objects} == {"succeeded"}
    assert len({job["images"][0]["path"] for job in done.objects}) == 5


def test_the_output_is_ascii_and_pure(flux):
    """Any text survives a terminal, a pipe and a wrong locale: what is not ASCII is escaped."""
    done = flux("generate", "狐 \x1b[31m \u202e", "--sandbox", "--json", "-v")

    assert done.out.isascii()
    assert "\x1b" not in done.out
    assert done.object["prompt"] == "狐 \x1b[31m \u202e"


LISTS = [
    (["providers"], {"provider", "models", "prices", "cancel", "key", "median_seconds", "failures", "jobs"}),
    (["providers", "runware"], {"provider", "models"}),
    (["providers", "--check"], {"provider", "works", "balance", "error"}),
    (["config", "show"], {"key", "value", "source"}),
    (["config", "path"], {"path", "exists"}),
    (["config", "get", "sandbox_seconds"], {"key", "value"}),
    (["generate", "a fox", "--dry-run"], {"requests"}),
]


@pytest.mark.parametrize(("typed", "keys"), LISTS, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_everything_else_is_json_too(flux, typed, keys):
    """Each line is one object with a version."""
    done = flux(*typed, "--json", "--sandbox")

    assert done.code == 0, done
    assert done.lines
    for line in done.lines:
        told = json.loads(line)
        assert told.pop("version") == 1
        assert keys <= told.keys()
