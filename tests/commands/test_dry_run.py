"""``--dry-run``: the very requests that would be sent, as shell that runs, without a key and without sending."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from flux_cli.providers import NAMES
from tests.hosts import KEYS

PROVIDERS = NAMES
VARIABLES = {name: variable for name, (variable, _) in KEYS.items()}

PNG = (Path(__file__).parents[1] / "pictures" / "fox.png").read_bytes()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_nothing_is_sent_and_no_key_is_needed(flux, provider):
    """One line of curl to the documented address, the key only by its variable's name; the ledger stays empty."""
    done = flux("generate", 'it\'s $HOME `a` "fox"\\ 🦊\n!', "-p", provider, "--dry-run", "-s", "7")

    words = shlex.split(done.out, comments=True)
    assert (done.code, done.err) == (0, "")
    assert words[0] == "curl"
    assert any(f"${VARIABLES[provider]}" in word for word in words)
    assert flux("status").out == ""
    body = json.loads(words[words.index("--data-raw") + 1])
    assert 'it\'s $HOME `a` "fox"\\ 🦊\n!' in json.dumps(body, ensure_ascii=False).replace('\\"', '"').replace(
        "\\\\", "\\"
    ).replace("\\n", "\n")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_shown_is_what_is_sent(flux, host, provider):
    """Method, address and body of the rehearsal are those of the real request, but for the ids made with the job."""
    shown = flux("generate", "a fox", "-p", provider, "-s", "7", "--dry-run", "--json").object
    assert host.requests == []

    flux("generate", "a fox", "-p", provider, "-s", "7", "--no-wait")

    (told,), (sent,) = shown["requests"], host.requests
    assert told["method"] == sent.method
    assert told["url"].endswith(sent.path)
    assert _without_ids(told["body"]) == _without_ids(sent.body)
    assert "made-up" not in json.dumps(shown)


def _without_ids(body):
    task = body[0] if isinstance(body, list) else body
    return {name: value for name, value in task.items() if name not in {"taskUUID", "client_ref"}}


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_line_runs_in_bash(flux, host, provider):
    """Pasted into a shell with the key in its variable, the provider accepts the job."""
    line = flux("generate", 'it\'s a $HOME "fox" 🦊\x1b\x85', "-p", provider, "--dry-run").out

    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True, timeout=30)

    assert host.accepted(provider) == 1
    assert json.loads(done.stdout)
    (job,) = host.world.jobs(provider)
    assert job.prompt == 'it\'s a $HOME "fox" 🦊\x1b\x85'


def test_several_jobs_are_several_lines(flux):
    """-n at a host of single images: a line a job, the seeds counting up."""
    done = flux("generate", "a fox", "-p", "runflow", "-n", "3", "-s", "7", "--dry-run")

    bodies = [json.loads(words[-1]) for line in done.lines if (words := shlex.split(line, comments=True))]
    assert [body["input"]["seed"] for body in bodies] == [7, 8, 9]


def test_an_upload_comes_first(flux, tmp_path):
    """A local image is two requests; the file's name is quoted for the shell and for curl."""
    from pathlib import Path

    name = "a;b, \"c\" 'd'.png"
    Path(name).write_bytes(PNG)

    done = flux("generate", "a fox", "-p", "apiframe", "-i", name, "--dry-run")

    upload, submit = filter(None, (shlex.split(line, comments=True) for line in done.lines))
    assert upload[upload.index("-F") + 1] == f'file=@"{Path.cwd()}/a;b, \\"c\\" \'d\'.png";type=image/png'
    assert "/v2/uploads" in upload[4]
    assert "image_prompt" in submit[-1]


RUNWARE = "# runware flux-1.1-pro-ultra: {}, $0.06 an image (the model's page at runware.ai/docs, 2026-11)"


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["-p", "runware"], [RUNWARE.format("1 image"), "# estimate: 1 job, $0.06"]),
        (["-p", "runware", "-n", "4"], [RUNWARE.format("4 images"), "# estimate: 1 job, $0.24"]),
        (
            ["-p", "runcomfy", "-n", "3"],
            [
                "# runcomfy flux-1.1-pro-ultra: 3 images, no price is known",
                "# estimate: 3 jobs, 3 of unknown cost",
            ],
        ),
    ],
    ids=" ".join,
)
def test_the_estimate_follows_as_comments(flux, words, lines):
    """For a single job and for several, as for a batch; pasted into a shell, they do nothing."""
    done = flux("generate", "a fox", *words, "--dry-run")

    curl = [line for line in done.lines if line.startswith("curl ")]
    assert done.lines == [*curl, *lines]
    assert curl


def test_control_characters_are_not_obeyed(flux):
    """What is printed holds none, whatever the prompt and the file name; the JSON in it still means the same."""
    from pathlib import Path

    name = "a\x1b[31m\x9b.png"
    Path(name).write_bytes(PNG)

    done = flux("generate", "a\x1b[31m \x85\x9b\u202e fox", "-p", "apiframe", "-i", name, "--dry-run")

    assert all(character.isprintable() or character == "\n" for character in done.out)
    assert json.loads(shlex.split(done.lines[1])[-1])["prompt"] == "a\x1b[31m \x85\x9b\u202e fox"


def test_what_would_be_refused_is_refused(flux):
    """A rehearsal checks all that the real thing checks before it sends."""
    assert flux("generate", "a fox", "-p", "runware", "--dry-run", "-a", "16:10").code == 2
    assert flux("generate", "a fox", "-p", "apiframe", "--dry-run", "-i", "missing.png").code == 2
    assert flux("generate", "a fox", "-p", "runware", "--dry-run", "-P", "deliveryMethod=sync", "--no-wait").code == 2


def test_the_sandbox_shows_the_documented_address(flux, host):
    """--sandbox --dry-run is the request as the provider would get it."""
    done = flux("generate", "a fox", "--sandbox", "--dry-run")

    assert "https://api.runware.ai/v1" in done.out
    assert host.root not in done.out


ROWS = (
    {"prompt": "a fox", "seed": 1},
    {"prompt": "an owl \r", "seed": 2},
    {"prompt": "an owl", "seed": 2, "aspect_ratio": "1:1"},
    {"prompt": "a hare", "seed": 3, "aspect_ratio": "16:9", "raw": True},
    {"prompt": "a fox", "seed": 4, "model": "pro"},
    {"prompt": "a fox", "seed": 5, "count": 2},
    {"prompt": "a bee", "seed": 6, "param": {"output_quality": 50}},
    {"prompt": "a bee", "seed": 7, "param": {"output_quality": 50}},
    {"prompt": "a bee", "seed": 0},
    {"prompt": "a fox"},
)
"""Rows some of which differ by prompt and seed alone."""
FLAGS = {"aspect_ratio": "-a", "model": "-m", "count": "-n", "seed": "-s"}


def test_a_row_of_a_batch_sends_what_the_same_options_send_for_one_prompt(flux):
    Path("p.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    common = ("-p", "runcomfy", "-s", "9", "--dry-run", "--json")

    batch = flux("generate", "-b", "p.jsonl", *common).object["requests"]

    single = []
    for row in ROWS:
        words = [word for name, flag in FLAGS.items() if name in row for word in (flag, str(row[name]))]
        words += ["--raw"] if "raw" in row else []
        words += [word for path, value in row.get("param", {}).items() for word in ("-P", f"{path}={value}")]
        single += flux("generate", row["prompt"], *common, *words).object["requests"]
    assert batch == single
    assert len(batch) == len(ROWS) + 1


def test_each_row_is_checked_by_its_own_prompt_and_seed(flux):
    """Rows that share their options do not share their mistakes, and what all have wrong is said once."""
    prompts = ["a fox", "x" * 3001, "an owl"]
    Path("p.jsonl").write_text("".join(f'{{"prompt": "{prompt}"}}\n' for prompt in prompts))

    own = flux("generate", "-b", "p.jsonl", "-p", "runware", "--dry-run")
    shared = flux("generate", "-b", "p.jsonl", "-p", "runcomfy", "--check-content", "--dry-run")

    assert (own.code, shared.code) == (2, 2)
    assert "p.jsonl:2: runware takes a prompt of 2 to 3000 characters, not 3001" in own.err
    assert "p.jsonl:1 (and 2 more): runcomfy has no --check-content" in shared.err
