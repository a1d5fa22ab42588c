"""Every use of an image option is derived from the one table of them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import replace

import pytest
from typer.main import get_command

from flux_cli import providers
from flux_cli.cli import app
from flux_cli.commands.generate.command import generate
from flux_cli.completion.parse import load_table
from flux_cli.config.schema import KEYS
from flux_cli.gallery.command_line import command_line
from flux_cli.image_options import IMAGE_OPTIONS, IMAGE_SHAPING, replaced_by
from flux_cli.images.metadata import ImageMetadata
from flux_cli.jobs import Image, Job
from flux_cli.runs import rows

NAMES = set(IMAGE_OPTIONS)
JOB = Job(id="k3f9q2mx", run="w8t2c5ra", provider="runware", model=None, prompt="a fox", created_at=1.0, seed=7)
EXAMPLES = {
    str: "https://example.test/x",
    int: 3,
    float: 0.5,
    bool: True,
    dict: {"a": "b"},
    list[str]: ["https://example.test/x", "https://example.test/y"],
}


def parameters() -> dict:
    """Return what Typer made of the options of ``generate``, by name."""
    return {one.name: one for one in get_command(app(["generate"])).commands["generate"].params}


def test_each_option_is_a_parameter_of_generate_once():
    declared = list(inspect.signature(generate).parameters)

    assert set(declared) >= NAMES
    assert len(declared) == len(set(declared))
    assert set(parameters()) == set(declared) - {"ctx"}


@pytest.mark.parametrize("option", IMAGE_OPTIONS.values(), ids=lambda option: option.name)
def test_typer_has_the_flags_the_help_and_the_panel_of_the_table(option):
    found = parameters()[option.name]

    assert {*found.opts, *found.secondary_opts} == {part for flag in option.flags for part in flag.split("/")}
    assert (found.help, found.metavar, found.rich_help_panel) == (option.help, option.metavar, option.panel)
    assert option.flag == f"--{option.name.replace('_', '-')}"
    assert found.multiple is (option.type in {dict, list[str]})


def test_the_help_says_all_that_an_input_image_may_be():
    assert IMAGE_OPTIONS["image"].metavar == "PATH|URL|JOB"


def test_the_config_a_row_and_completion_have_each_option():
    offered = {one["name"]: one for one in load_table()["program"]["commands"]["generate"]["options"]}

    assert {names[1]: takes for names, takes in KEYS.items() if names[0] == "generate" and names[1] in NAMES} == {
        name: option.takes for name, option in IMAGE_OPTIONS.items()
    }
    assert set(rows.NAMES) >= NAMES
    assert {name: one["help"] for name, one in offered.items() if name in NAMES} == {
        name: option.help.removesuffix(".") for name, option in IMAGE_OPTIONS.items()
    }


def test_a_provider_has_no_option_that_the_table_lacks_and_each_is_had_somewhere():
    had = {
        name
        for provider in map(providers.load, providers.NAMES)
        for model in provider.models.values()
        for name in model.options
    }

    assert had == NAMES


def test_metadata_and_the_command_in_a_gallery_hold_what_shapes_the_image():
    given = {name: option.choices[0] if option.choices else EXAMPLES[option.type]
             for name, option in IMAGE_OPTIONS.items() if name != "seed"}  # fmt: skip
    job = replace(JOB, parameters=given)

    recorded = ImageMetadata.of(job, Image(seed=7)).parameters
    command, _ = command_line(job, Image(seed=7))

    shaping = {name for name, option in IMAGE_OPTIONS.items() if option.shapes_image}
    assert set(recorded) == set(IMAGE_SHAPING) == shaping - {"seed"}
    assert {word for word in command.split() if word.startswith("--")} == {
        IMAGE_OPTIONS[name].flag for name in IMAGE_SHAPING
    }
    assert NAMES - shaping == {"webhook", "metadata", "cancel_after"}
    assert shaping >= replaced_by({"size"}) == {"size", "aspect_ratio", "resolution"}


ADDED = """
import sys
from flux_cli import image_options, providers
from flux_cli.image_options import ImageOption
from flux_cli.providers.options import Choice, same_values
mood = ImageOption(name="mood", flags=("--mood",), type=str, help="How it feels.", metavar="WORD", takes="a mood",
                   choices=("calm", "wild"))
image_options.IMAGE_OPTIONS["mood"] = mood
image_options.IMAGE_SHAPING += ("mood",)
for model in providers.load("runware").models.values():
    model.options["mood"] = Choice(field="settings.mood", values=same_values("calm", "wild"))

from flux_cli.cli import main
from flux_cli.config.validate import parse_text
from flux_cli.gallery.command_line import command_line
from flux_cli.jobs import Image, Job
from flux_cli.runs.rows import read
rows, errors = read('{"prompt": "a fox", "mood": "wild"}', "x.jsonl", "jsonl")
job = Job(id="a", run="b", provider="runware", model=None, prompt="a fox", created_at=1.0, parameters={"mood": "calm"})
line = command_line(job, Image(seed=1))[0]
print(rows[0].fields, errors, parse_text(("generate", "mood"), "calm", "it"), line, flush=True)
sys.exit(main(["generate", "a fox", "--sandbox", "-p", "runware", "--mood", "WILD", "--dry-run"]))
"""


def test_one_entry_here_and_one_in_the_table_of_a_provider_add_an_option():
    """In a process of its own, because a command line and a schema are built once."""
    done = subprocess.run([sys.executable, "-c", ADDED], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == (
        "{'prompt': 'a fox', 'mood': 'wild'} [] calm flux generate -p runware -s 1 --mood calm 'a fox'"
    )
    assert '"settings": {"mood": "wild"}' in done.stdout
