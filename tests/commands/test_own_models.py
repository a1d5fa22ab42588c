"""Models under a name of your own, and a host's models that flux does not know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flux_cli.images.embed import read
from flux_cli.providers import runware
from tests.commands.editing import FOX, HOST, Studio

POSTER = '[models.poster]\nbase = "flux-2-pro"\nrunware = "up:poster@7"\nprice = 0.05\n'
ME = ("-p", "runware", "-m", "poster")


@pytest.fixture(autouse=True)
def studio(host, monkeypatch) -> Studio:
    monkeypatch.setattr(runware, "PROVIDER", HOST)
    host.script = Studio(host.root)
    Path("fox.png").write_bytes(FOX)
    return host.script


def test_a_name_of_your_own_takes_the_options_of_its_base(flux, config, studio):
    config(POSTER)

    text = flux("generate", "a fox", *ME, "--size", "640x480", "-s", "7", "--json", "-o", "out.png")
    edit = flux("generate", "a fox", *ME, "-i", "fox.png", "--no-wait")
    refused = flux("generate", "a fox", *ME, "--raw")

    assert (text.code, edit.code, refused.code) == (0, 0, 2), (text, edit, refused)
    first, second = studio.tasks
    assert (first["model"], first["width"], first["seed"]) == ("up:poster@7", 640, 7)
    assert (second["model"], len(second["images"])) == ("up:poster@7", 1)
    assert (text.object["model"], text.object["estimate"]) == ("poster", {"amount": 0.05, "currency": "USD"})
    assert read(Path("out.png")).model == "poster"


def test_without_an_id_it_is_its_base_under_another_name(flux, config, studio):
    config('[models.poster]\nbase = "flux-2-pro"\n')

    done = flux("generate", "a fox", *ME, "--size", "1024x1024", "--no-wait", "--json")

    assert (studio.tasks[0]["model"], done.object["estimate"]["amount"]) == ("up:text@1", 0.03)


def test_the_price_of_another_id_is_unknown_unless_you_state_it(flux, config, studio):
    """So a limit cannot be kept; the hint says where to state it."""
    config(POSTER.replace("price = 0.05\n", ""))

    free = flux("generate", "a fox", *ME, "--no-wait", "--json")
    limited = flux("generate", "a fox", *ME, "--max-cost", "1")

    assert (free.code, free.object["estimate"]) == (0, None)
    assert limited.code == 2
    assert "add price = 0.06 to [models.poster] in the config" in limited.err


def test_it_works_wherever_a_model_is_named(flux, config, studio):
    """As the default, in a batch row, and for an image made before."""
    config(POSTER + '[generate]\nmodel = "poster"\n')
    Path("rows.jsonl").write_text('{"prompt": "a fox", "model": "poster"}\n')

    flux("generate", "a fox", "-p", "runware", "-o", "out.png")
    flux("generate", "-b", "rows.jsonl", "-p", "runware", "--no-wait")
    flux("generate", "--like", "out.png", "--no-wait")

    assert [task["model"] for task in studio.tasks] == ["up:poster@7"] * 3


def test_it_is_set_got_shown_and_unset(flux, studio):
    table = '{"base": "flux-2-pro", "runware": "up:poster@7", "price": 0.05}'

    assert flux("config", "set", "models.poster", table).code == 0
    assert flux("config", "set", "generate.model", "poster").code == 0

    assert json.loads(flux("config", "get", "models.poster").out) == json.loads(table)
    assert "poster" in flux("config", "show").out
    assert flux("generate", "a fox", "-p", "runware", "--no-wait").code == 0
    assert studio.tasks[0]["model"] == "up:poster@7"
    assert flux("config", "unset", "generate.model").code == 0
    assert flux("config", "unset", "models.poster").code == 0
    assert flux("generate", "a fox", *ME).code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[models.poster]\nbase = "flux-2-prow"\n', "did you mean flux-2-pro?"),
        (
            '[models.poster]\nrunware = "a:b@1"\n',
            'models.poster needs a base, the name of a model, such as base = "flux-2-pro"',
        ),
        ("[models.poster]\n", "hint: its keys are base, price and the names of providers\n"),
        ("[models.poster]\nbase = 5\n", "models.poster.base takes the name of a model\n"),
        ('[models.poster]\nbase = "nope"\n', "models.poster.base takes the name of a model\nhint: `flux models` lists"),
        (
            '[models.poster]\nbase = "flux-2-pro"\nrunwear = "a:b@1"\n',
            "there is no key runwear in it; its keys are base, price and the names of providers\n",
        ),
        ('[models.poster]\nbase = "flux-2-pro"\nprice = -1\n', "models.poster.price takes an amount of 0 or more\n"),
        ('[models.poster]\nbase = "flux-2-pro"\nrunware = 5\n', "models.poster.runware takes an id of this provider\n"),
        ('[models]\nposter = "pro"\n', 'models.poster takes a table such as { base = "flux-2-pro" }\n'),
        ('[models.ultra]\nbase = "flux-2-pro"\n', "ultra is a model that flux knows already"),
        ('[models."FLUX-2-Pro"]\nbase = "flux-2-max"\n', "FLUX-2-Pro is a model that flux knows already"),
        ('[models."a b"]\nbase = "flux-2-pro"\n', "letters, digits, dots, dashes and underscores"),
        (
            '[generate]\nmodel = "postr"\n[models.poster]\nbase = "flux-2-pro"\n',
            "generate.model takes the name of a model",
        ),
    ],
)
def test_a_wrong_table_is_named(flux, config, host, text, said):
    config(text)

    done = flux("generate", "a fox", "-p", "runware")

    assert (done.code, host.requests) == (2, [])
    assert said in done.err


def test_a_wrong_table_is_not_written(flux):
    wrong = flux("config", "set", "models.ultra", '{"base": "flux-2-pro"}')
    word = flux("config", "set", "models.poster", "flux-2-pro")

    price = flux("config", "set", "models.poster", '{"base": "flux-2-pro", "price": -1}')

    assert (wrong.code, word.code, price.code) == (2, 2, 2)
    assert "models.poster.price takes an amount of 0 or more" in price.err
    assert "choose another name" in wrong.err
    assert "models.poster takes a table, as JSON" in word.err


def test_the_nearest_name_may_be_your_own(flux, config):
    config(POSTER)

    assert "did you mean poster?" in flux("generate", "a fox", "-p", "runware", "-m", "postr").err


def test_a_base_that_the_provider_lacks_is_refused_by_its_name(flux, config):
    config('[models.poster]\nbase = "flux-kontext-max"\n')

    assert "runware does not host flux-kontext-max" in flux("generate", "a fox", *ME).err


def test_a_hosts_own_id_is_sent_as_it_is(flux, studio):
    """With the prompt, --param, --count and --webhook; no seed, and no price."""
    words = ("-P", "steps=4", "-n", "2", "--webhook", "https://example.com/hook")

    done = flux("generate", "a fox", "-p", "runware", "-m", "up:new@9", *words, "--no-wait", "--json")

    assert done.code == 0, done
    (task,) = studio.tasks
    assert {name: task[name] for name in ("model", "positivePrompt", "steps", "numberResults", "webhookURL")} == {
        "model": "up:new@9",
        "positivePrompt": "a fox",
        "steps": 4,
        "numberResults": 2,
        "webhookURL": "https://example.com/hook",
    }
    assert "seed" not in task
    assert (done.object["model"], done.object["seed"], done.object["estimate"]) == ("up:new@9", None, None)


@pytest.mark.parametrize(
    "words",
    [
        ("-s", "7"),
        ("-a", "1:1"),
        ("--size", "512x512"),
        ("--raw",),
        ("-i", "fox.png"),
        ("--steps", "4"),
        ("--negative", "x"),
        ("--quality", "90"),
        ("--check-content",),
        ("--metadata", "a=b"),
    ],
)
def test_no_other_option_goes_with_a_hosts_own_id(flux, host, words):
    done = flux("generate", "a fox", "-p", "runware", "-m", "up:new@9", *words)

    assert (done.code, host.requests) == (2, [])
    assert words[0] == "--quality" or "--param FIELD=VALUE" in done.err


def test_your_own_price_of_a_hosts_id_counts(flux, config, studio):
    config('[providers.runware.price]\n"up:new@9" = 0.02\n')

    done = flux("generate", "a fox", "-p", "runware", "-m", "up:new@9", "-n", "2", "--no-wait", "--json")

    assert done.object["estimate"]["amount"] == 0.04
