"""``flux models``: which model is hosted where, what it takes and costs, and what a host publishes of its ids."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest

from flux_cli.commands.providers import facts
from flux_cli.errors import NotFoundError
from flux_cli.providers import MODELS, NAMES, load
from flux_cli.providers.base import Model, Price
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Range, Switch
from flux_cli.runtime import Runtime

SCHEMA = {
    "requestSchema": {
        "type": "object",
        "required": ["positivePrompt"],
        "properties": {
            "strength": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5, "description": "How much."},
            "positivePrompt": {"type": "string", "minLength": 2, "maxLength": 3000},
            "settings": {"type": "object", "properties": {"mode": {"enum": ["fast", "good"]}}},
        },
    },
    "documentation": {"title": "A new model"},
}


def rows(done) -> dict[str, list[str]]:
    return {row[0]: row for row in (line.split("\t") for line in done.lines)}


def test_every_model_with_its_hosts(flux):
    """A line a model that is hosted anywhere, in the order of the family."""
    told = rows(flux("models"))
    hosts = {name: [host for host in NAMES if name in load(host).models] for name in MODELS}

    assert {name: row[1].split(" ") for name, row in told.items()} == {name: one for name, one in hosts.items() if one}
    assert told["flux-1.1-pro-ultra"][2:] == ["$0.06", "text image-prompt", "1", "yes"]
    assert told["flux-3-image"][-1] == "no"
    assert told["flux-2-pro"][2:4] == ["from $0.03", "text edit"]
    assert told["flux-fill-pro"][3] == "fill"


def test_one_object_a_model(flux):
    told = {one["model"]: one for one in flux("models", "--json").objects}

    assert told["flux-kontext-pro"]["aliases"] == ["kontext"]
    assert told["flux-3-image"]["seed"] == "no"
    assert told["flux-2-pro"]["kinds"] == ["text", "edit"]
    assert told["flux-1.1-pro-ultra"]["kinds"] == ["text", "image-prompt"]


def test_only_what_one_provider_hosts(flux):
    assert list(rows(flux("models", "-p", "runflow"))) == [name for name in MODELS if name in load("runflow").models]


@pytest.mark.parametrize("word", ["flux-1.1-pro", "pro", "flux-pro-1.1", "bfl:2@1"])
def test_a_model_by_any_of_its_names(flux, word):
    """Its name, an alias, the name of its maker's route, or a provider's own id."""
    told = flux("models", word, "-p", "runware", "--json").object

    assert told["model"] == "flux-1.1-pro"
    assert [one["ids"] for one in told["providers"]] == [["bfl:2@1"]]


def test_a_model_in_a_pipe(flux):
    """A row an option, which begins with its provider; values, default, field, note."""
    lines = flux("models", "ultra").lines

    assert "runware\t--safety-tolerance\t0 to 6\t2\tproviderSettings.bfl.safetyTolerance\t0 is strictest" in lines
    assert any(line.startswith("runflow\tprice\t$0.06, the model's page at docs.runflow.io, 2026-") for line in lines)
    assert any(line.startswith("bfl\t--image\t") for line in lines)


def test_a_model_without_a_seed_says_so(flux):
    assert "bfl\tseed\tno seed\t-\t-\t" in flux("models", "flux-3", "-p", "bfl").lines


@pytest.mark.parametrize(("columns", "beside"), [("80", False), ("200", True)])
def test_providers_side_by_side_where_they_fit(flux, monkeypatch, columns, beside):
    """Else one after the other; no line is longer than the terminal."""
    monkeypatch.setenv("COLUMNS", columns)

    text = re.sub(r"\x1b\[[0-9;]*m", "", flux("models", "ultra", tty=True).out)

    heads = [line.split() for line in text.splitlines()]
    hosts = [name for name in NAMES if "flux-1.1-pro-ultra" in load(name).models]
    assert (hosts in heads) is beside
    assert (["provider", "runware"] in heads) is not beside
    assert max(map(len, text.splitlines())) <= int(columns)


def test_a_model_of_your_own(flux, config):
    """It has the options of its base, its own ids and its own price."""
    config('[models.poster]\nbase = "ultra"\nrunware = "me:1@1"\nprice = 0.05\n')

    listed = rows(flux("models"))["poster"]
    told = flux("models", "poster", "--json").object

    assert listed[2] == "$0.05"
    assert (told["model"], told["base"]) == ("poster", "ultra")
    assert {one["provider"]: one["ids"] for one in told["providers"]}["runware"] == ["me:1@1"]
    assert all(one["price"] == "$0.05" for one in told["providers"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["kontxt"], "did you mean kontext?"),
        (["no/such:model"], "`-p PROVIDER` shows what a provider publishes"),
        (["flux-3", "-p", "runflow"], "`flux models` lists what each provider hosts"),
        (["x y", "-p", "runware"], "`-p PROVIDER`"),
        (["../../v1/requests", "-p", "runcomfy"], "`-p PROVIDER`"),
        (["anything/else", "-p", "runflow"], ""),
    ],
)
def test_what_cannot_be_shown_is_refused(flux, words, said):
    done = flux("models", *words)

    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_schema_is_read_without_a_key(flux, monkeypatch):
    """Runware publishes it to anybody; the key stays at home, and need not be set."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=SCHEMA)

    without = flux("models", "new:9@1", "-p", "runware", connect=lambda: httpx.MockTransport(answer))
    monkeypatch.setenv("RUNWARE_API_KEY", "made-up")
    told = flux("models", "new:9@1", "-p", "runware", "--json", connect=lambda: httpx.MockTransport(answer)).object

    assert without.code == 0, without
    assert [str(one.url) for one in seen] == ["https://schemas.runware.ai/resolve/new:9@1"] * 2
    assert not any("made-up" in value for one in seen for value in one.headers.values())
    assert not any("authorization" in one.headers for one in seen)
    assert told["published"] == {"title": "A new model"}
    assert [(one["field"], one["accepts"], one["required"], one["default"]) for one in told["fields"]] == [
        ("positivePrompt", "string, 2 to 3000 characters", True, None),
        ("strength", "number, 0 to 1", False, "0.5"),
        ("settings.mode", "fast good", False, None),
    ]
    assert "new:9@1\tsettings.mode\tfast good\tno\t-\t" in without.lines


def test_a_schema_is_not_read_elsewhere(flux, monkeypatch):
    """Where the base URL is your own, nothing else of the provider is asked."""
    monkeypatch.setenv("FLUX_PROVIDERS__RUNWARE__BASE_URL", "http://127.0.0.1:9/v1")

    done = flux("models", "new:9@1", "-p", "runware", connect=lambda: httpx.MockTransport(pytest.fail))

    assert done.code == 2
    assert "https://schemas.runware.ai is not asked" in done.err


@pytest.mark.parametrize("provider", ["runware", "runcomfy", "apiframe", "fal"])
def test_an_id_that_a_provider_does_not_have(flux, provider):
    """In the sandbox as at the provider: not found, and how its ids look."""
    done = flux("models", "none/such", "-p", provider, "--sandbox")

    assert (done.code, done.out) == (NotFoundError.exit_code, "")
    assert "its" in done.err
    assert "paid job" not in done.err


@pytest.mark.parametrize("provider", ["runware", "runcomfy", "apiframe", "fal"])
def test_the_stand_ins_publish_what_the_providers_do(provider):
    """`describe` of a known id: its fields, where the provider publishes them."""
    one = load(provider)
    runtime = Runtime()
    runtime.flags.sandbox = True
    slug = one.models["flux-1.1-pro-ultra"].slug
    found = runtime.engine.describe(one, slug, sandbox=True)
    runtime.close()

    assert bool(found.fields) is (provider != "apiframe")
    assert bool(found.facts) is (provider != "runware")


def test_check_compares_one_model(flux, monkeypatch):
    """``--check -m`` says what is published and not in the table, of that model only."""
    monkeypatch.setenv("RUNWARE_API_KEY", "made-up")
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        if request.url.host == "schemas.runware.ai":
            assert "authorization" not in request.headers
            return httpx.Response(200, json=SCHEMA)
        return httpx.Response(200, json={"data": [{"balance": 5}]})

    told = flux(
        "providers", "runware", "--check", "-m", "ultra", "--json", connect=lambda: httpx.MockTransport(answer)
    ).object

    assert seen.count("/resolve/bfl:2@2") == 1
    assert sum(path.startswith("/resolve/") for path in seen) == 1
    assert any("has a field strength that flux does not know" in one for one in told["drift"])
    assert any("no longer has a field width" in one for one in told["drift"])
    assert all(one.startswith("flux-1.1-pro-ultra ") for one in told["drift"])


def test_the_tables_and_the_stand_in_agree(flux):
    """Nothing to tell about what the sandbox publishes."""
    told = flux("providers", "runware", "--check", "--sandbox", "--json").object

    assert told["drift"] == []


IMAGE = ImageInput(field="images", least=1, most=4, as_array=True, travels="data-uri", max_bytes=2**20)
TEXT = Model(name="m", slug="m/text", options={"seed": Range(low=0, high=9)})
EDIT = replace(TEXT, slug="m/edit", options={"image": IMAGE, "steps": Range(low=1, high=50, confidence="inferred")})
FILL = replace(EDIT, options={"image": IMAGE, "mask": replace(IMAGE, required=True)})


@pytest.mark.parametrize(
    ("model", "kinds"),
    [
        (TEXT, ["text"]),
        (EDIT, ["edit"]),
        (replace(TEXT, variants=(EDIT,)), ["text", "edit"]),
        (replace(TEXT, options={"image": replace(IMAGE, least=0)}), ["text", "edit"]),
        (
            replace(TEXT, options={"image": replace(IMAGE, least=0), "image_strength": Switch()}),
            ["text", "image-prompt"],
        ),
        (replace(TEXT, options={"image": replace(IMAGE, least=0, field="image_prompt")}), ["text", "image-prompt"]),
        (FILL, ["fill"]),
    ],
)
def test_what_a_model_can_do(model, kinds):
    assert facts.kinds(model) == kinds


def test_what_is_not_documented_is_marked():
    """An id or an option that others report, or that is inferred."""
    model = replace(TEXT, variants=(replace(EDIT, confidence="third-party"),))

    assert facts.slugs(model) == "m/text (without -i), m/edit ? (with -i)"
    assert {row[0]: row[1] for row in facts.table(model)}["--steps (with -i)"] == "1 to 50 ?"


def test_an_option_of_one_id_says_when_it_applies():
    """The options that all ids have alike come once, without a condition."""
    model = replace(TEXT, variants=(replace(EDIT, options={**EDIT.options, "seed": Range(low=0, high=9)}),))

    assert [flag for flag, _ in facts.option_rows(model)] == ["--seed", "--image", "--steps (with -i)"]
    assert [(one["option"], one["applies"]) for one in facts.describe(load("bfl"), model, None)["options"]] == [
        ("--seed", None),
        ("--image", None),
        ("--steps", "with -i"),
    ]


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        (None, None),
        (Price(amount=0.04, source="", date=""), "$0.04"),
        (Price(amount=0.03, further=0.015, source="", date=""), "from $0.03"),
        (Price(amount=0.1, steps=((1, 0.041), (2, 0.6)), source="", date=""), "from $0.041"),
        (Price(amount=8, currency="credits", source="", date=""), "8 credits"),
    ],
)
def test_the_cheapest_image(price, shown):
    assert facts.amount(price) == shown
