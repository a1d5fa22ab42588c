"""The command that makes an image once more, as a shell reads it."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from flux_cli.gallery.command_line import command_line
from flux_cli.jobs import Image, Job

JOB = Job(
    id="k3f9q2mx",
    run="w8t2c5ra",
    provider="runware",
    model="flux-1.1-pro-ultra",
    prompt="a red fox",
    created_at=1_795_000_000.0,
    status="succeeded",
    seed=7,
)
IMAGE = Image(seed=7)


def line(**changes) -> str:
    return command_line(replace(JOB, **changes), IMAGE)[0]


def test_what_made_the_image_stands_in_the_command():
    parameters = {"aspect_ratio": "16:9", "raw": True, "upsample_prompt": False, "param": {"a.b": "5", "c": [1]}}

    assert line(parameters=parameters) == (
        "flux generate -p runware -m flux-1.1-pro-ultra -s 7 --aspect-ratio 16:9 --raw --no-upsample-prompt "
        "-P 'a.b=\"5\"' -P 'c=[1]' 'a red fox'"
    )


def test_an_option_that_cannot_be_taken_back_is_left_out():
    assert "check-content" not in line(parameters={"check_content": False})
    assert "--check-content " in line(parameters={"check_content": True})


def test_an_image_of_the_sandbox_stays_there():
    assert line(sandbox=True).startswith("flux generate -p runware --sandbox ")


@pytest.mark.parametrize(
    ("image", "said"), [(Image(seed=9), "-s 9 'a red fox'"), (Image(), "-s 7 -n 4 'a red fox'")], ids=["own", "shared"]
)
def test_one_image_of_several(image, said):
    """Its own seed makes it alone; where only the first seed is known, all of them are made."""
    command, _ = command_line(replace(JOB, count=4), image)

    assert command.endswith(said)


def test_what_is_nobodys_business_is_named_and_not_told():
    """A local image, a key, a webhook and labels stay where they are."""
    parameters = {
        "image": "/home/me/cat.jpg",
        "webhook": "https://me.example/hook",
        "metadata": {"client": "acme"},
        "param": {"apiKey": "s3cret", "steps": 3},
    }

    command, untold = command_line(replace(JOB, parameters=parameters), IMAGE)

    assert untold == ("image", "param apiKey")
    assert command == "flux generate -p runware -m flux-1.1-pro-ultra -s 7 -P steps=3 'a red fox'"


HOSTILE = (
    "a red fox",
    'it\'s "quoted" and $HOME `id` $(id) !! \\ \\n',
    "; rm -rf ~ #",
    "two\nlines\r\nand a\ttab",
    "\x1b[201~\nid\n",
    "r\u00e9nard \u7ea2 \U0001f98a",
    "\u202eback\u2028wards",
    "-n 20",
    "--help",
    "'",
    " blanks ",
)


def test_a_shell_reads_any_prompt_as_it_was():
    """One word, the last one, and nothing in the line that a terminal would obey."""
    lines = [line(prompt=prompt) for prompt in HOSTILE]
    script = "flux() { printf '%s\\0' \"${@: -1}\"; }\n" + "\n".join(lines)

    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=20)

    assert done.stdout.decode().split("\0")[:-1] == list(HOSTILE)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("prompt", ["-n 20", "--help"])
def test_a_prompt_that_looks_like_an_option_is_none(prompt):
    assert f" -- {prompt}".replace("-n 20", "'-n 20'") in line(prompt=prompt)


def test_the_prompt_that_means_stdin_comes_from_there():
    assert line(prompt="-").startswith("printf %s - | flux generate ")
    assert line(prompt="-").endswith(" -")


def test_several_images_are_an_option_each_in_order():
    links = ["https://example.com/b.png", "https://example.com/a.png"]

    assert "--image https://example.com/b.png --image https://example.com/a.png " in line(parameters={"image": links})
    assert "--image https://example.com/a.png " in line(parameters={"image": links[1]})


def test_several_images_of_which_one_is_local_are_named_and_not_told():
    command, untold = command_line(
        replace(JOB, parameters={"image": ["https://example.com/a.png", "/home/me/cat.jpg"], "mask": "/m.png"}), IMAGE
    )

    assert untold == ("image", "mask")
    assert "image" not in command


def test_a_model_without_a_seed_has_none_in_its_command():
    command, _ = command_line(replace(JOB, seed=None, model="flux-3-image"), Image())

    assert command == "flux generate -p runware -m flux-3-image 'a red fox'"
