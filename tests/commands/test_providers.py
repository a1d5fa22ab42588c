"""``flux providers``: what each offers, what it costs, and whether its key is set and works."""

from __future__ import annotations

import pytest

from flux_cli.jobs import Cost, Image, Job
from flux_cli.ledger.ledger import Ledger
from flux_cli.providers import ALIASES, NAMES, load
from flux_cli.sandbox.wire import reply

PROVIDERS = list(NAMES)


def test_the_table(flux, monkeypatch):
    """A line a provider: models, price, cancel, and where the key comes from, never the key."""
    monkeypatch.setenv("RUNFLOW_API_KEY", "made-up-flow")

    done = flux("providers")

    rows = {line.split("\t")[0]: line for line in done.lines}
    assert list(rows) == PROVIDERS
    assert "set (RUNFLOW_API_KEY)" in rows["runflow"]
    assert "missing" in rows["runware"]
    assert "queued" in rows["runcomfy"]
    assert "$0.06" in rows["runflow"]
    assert "made-up-flow" not in done.out + done.err


def test_which_models(flux):
    """How many models each hosts, the price of the default one, and whether a job can be cancelled."""
    told = {one["provider"]: one for one in flux("providers", "--json").objects}
    rows = {row[0]: row for row in (line.split("\t") for line in flux("providers").lines)}

    assert {name: one["models"] for name, one in told.items()} == {name: list(load(name).models) for name in NAMES}
    assert {name: int(row[1]) for name, row in rows.items()} == {name: len(load(name).models) for name in NAMES}
    assert {row[3] for row in rows.values()} <= {"ultra $0.06", "ultra unknown"}
    assert [name for name, one in told.items() if one["cancel"]] == ["runcomfy", "fal", "replicate"]


def test_the_price_of_one_model(flux):
    """With ``-m``, only those that host it, each with its price."""
    rows = {row[0]: row for row in (line.split("\t") for line in flux("providers", "-m", "kontext").lines)}

    assert list(rows) == [name for name in NAMES if "flux-kontext-pro" in load(name).models]
    assert rows["bfl"][3] == "kontext $0.04"


def test_one_provider_lists_its_models(flux):
    """A line a model with its id and price; the options of one with ``-m``."""
    whole = flux("providers", "runware")
    one = flux("providers", "runware", "-m", "ultra")

    assert "bfl:2@2, $0.06" in whole.out
    assert "--safety-tolerance" not in whole.out
    assert "flux-1.1-pro-ultra\t--safety-tolerance\t0 to 6\t" in one.out
    assert "flux-1.1-pro\t" not in one.out


@pytest.mark.parametrize("words", [("-m", "kontxt"), ("runware", "-m", "kontxt"), ("--check", "-m", "kontxt")])
def test_a_model_that_does_not_exist(flux, words):
    done = flux("providers", *words)

    assert (done.code, done.out) == (2, "")
    assert "did you mean kontext?" in done.err


def test_your_own_price(flux, config):
    """A price in the config stands in for the table's."""
    config("[providers.runware.price]\nultra = 0.05\n")

    told = {one["provider"]: one for one in flux("providers", "--json").objects}

    assert told["runware"]["prices"]["flux-1.1-pro-ultra"] == "$0.05"
    sources = told["runware"]["price_sources"]
    assert sources["flux-1.1-pro"] == "the model's page at runware.ai/docs"
    assert [name for name, source in sources.items() if source == "your config"] == ["flux-1.1-pro-ultra"]


def test_a_price_that_was_learned_here(flux, home):
    """Where no page tells what an image costs, the jobs of this machine do, and it says so; in the sandbox none do."""
    ledger = Ledger(home / ".local" / "state" / "flux-cli" / "ledger.sqlite3")
    told = {"model": "flux-1.1-pro-ultra", "cost": Cost(amount=0.1), "images": (Image(), Image()), "prompt": "a fox"}
    made = {"id": "k3f9q2mx", "run": "r", "provider": "runcomfy", "status": "succeeded", "created_at": 1_795_003_200.0}
    ledger.add(Job(**made, **told))
    ledger.close()

    row = {one["provider"]: one for one in flux("providers", "--json").objects}["runcomfy"]
    models = {one["model"]: one for one in flux("providers", "runcomfy", "--json").object["models"]}
    (line,) = [line for line in flux("providers", "runcomfy").lines if line.startswith("flux-1.1-pro-ultra\t")][:1]
    sandbox = {one["provider"]: one for one in flux("providers", "--sandbox", "--json").objects}["runcomfy"]

    assert {name: price for name, price in row["prices"].items() if price} == {"flux-1.1-pro-ultra": "$0.05"}
    assert row["price_sources"]["flux-1.1-pro-ultra"] == "from 1 job on this machine"
    learned = models["flux-1.1-pro-ultra"]
    assert (learned["price"], learned["price_source"], learned["price_date"]) == (
        "$0.05",
        "from 1 job on this machine",
        "2026-11-18",
    )
    assert models["flux-1.1-pro"]["price"] is None
    assert line.endswith(", $0.05, from 1 job on this machine, 2026-11-18")
    assert sandbox["prices"]["flux-1.1-pro-ultra"] is None


def test_where_a_price_comes_from(flux, config):
    """Its source and date, or that it is the user's own, or that nobody tells."""
    config("[providers.apiframe.price]\npro = 0.05\n")

    (runflow,) = [line for line in flux("providers", "runflow").lines if line.startswith("flux-1.1-pro-ultra\t")][:1]
    own, unknown = [line for line in flux("providers", "apiframe").lines if line.startswith("flux-1.1-pro")][:2]

    assert "$0.06, the model's page at docs.runflow.io, 2026-" in runflow
    assert own.endswith(", $0.05, your config")
    assert unknown.endswith(", price unknown")


def test_what_this_machine_has_seen(flux):
    """The median wait and the failures come from the ledger, the sandbox's from its own world."""
    flux("generate", "a fox", "--sandbox")
    flux("generate", "sandbox:fail", "--sandbox")

    pretended = {one["provider"]: one for one in flux("providers", "--sandbox", "--json").objects}["runware"]
    real = {one["provider"]: one for one in flux("providers", "--json").objects}["runware"]

    assert (pretended["jobs"], pretended["failures"]) == (2, 1)
    assert 1 < pretended["median_seconds"] < 10
    assert (real["jobs"], real["median_seconds"]) == (0, None)


OPTIONS = {
    "runcomfy": ["image_size", "aspect_ratio", "1:1 (hd)", "--raw", "queued"],
    "runflow": ["callback_url", "metadata", "input.width, input.height", "1440", "input.seed", "1 to|1 or more"],
    "apiframe": ["fluxParams.image_prompt_strength", "POST /v2/uploads", "webhookUrl", "0 to 100"],
    "replicate": ["input.input_images", "input.seed", "webhook"],
    "fal": ["image_size", "num_inference_steps", "output_format", "enable_safety_checker", "fal_webhook"],
    "bfl": ["webhook_url", "input_image", "safety_tolerance"],
    "runware": ["positivePrompt", "1344x768", "2752x1536", "20 to 99", "numberResults", "safety.checkContent"],
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_option_of_one(flux, provider):
    """Each option with its range, its default and the provider's own name for it."""
    import re

    done = "".join(flux("providers", provider, "-m", model).out for model in load(provider).models)
    told = flux("providers", provider, "--json").object

    for words in OPTIONS[provider]:
        assert re.search(re.escape(words).replace(r"\|", "|"), done), words
    assert [one["model"] for one in told["models"]]
    assert all({"option", "field", "accepts", "default", "note"} <= one.keys() for one in told["models"][0]["options"])


def test_the_options_on_a_terminal(flux):
    """The same table, aligned, and nothing in it is read as markup."""
    done = flux("providers", "runware", "-m", "ultra", tty=True)

    assert done.code == 0
    assert "--safety-tolerance" in done.out


def keys(done) -> dict[str, dict]:
    """Return what was found of each provider's key."""
    return {one["provider"]: one for one in done.objects if one["check"] == "key"}


def test_check_asks_with_the_cheapest_call(flux, host):
    """--check sends reads only; every key works; balances where they are told."""
    done = flux("providers", "--check", "--json")

    told = keys(done)
    assert done.code == 0
    assert list(told) == PROVIDERS
    assert all(one["works"] for one in told.values())
    assert told["apiframe"]["balance"] == {"amount": 1000, "currency": "credits"}
    assert told["runflow"]["balance"] == {"amount": 100.0, "currency": "USD"}
    assert told["runware"]["balance"] == {"amount": 100.0, "currency": "USD"}
    assert sum(host.paid.values()) == 0


def test_check_tells_which_key_fails(flux, host):
    """One refused key: its row says so, the others work, exit 9; asked for alone, exit 3."""
    host.script = lambda call: reply(401, {"error": "Missing or invalid API key"}) if call.path == "/v2/me" else None

    done = flux("providers", "--check", "--json")
    alone = flux("providers", "apiframe", "--check")

    told = {name: one["works"] for name, one in keys(done).items()}
    assert told == {name: name != "apiframe" for name in NAMES}
    assert done.code == 9
    assert alone.code == 3


def test_check_without_any_key(flux):
    """Exit 3 and how to go on; one that was named says how to set its own."""
    nothing = flux("providers", "--check")
    named = flux("providers", "runware", "--check")

    assert nothing.code == named.code == 3
    assert "config init" in nothing.err


def test_check_says_what_to_do_about_a_key(flux, host, monkeypatch):
    """One that is missing, and one that is refused: how to set it, and where it is made. On a terminal all of it."""
    monkeypatch.delenv("RUNCOMFY_API_TOKEN")
    host.script = lambda call: reply(401, {"error": "Missing or invalid API key"}) if call.path == "/v2/me" else None

    lines = {line.split("\t")[0]: line for line in flux("providers", "--check").lines}
    wide = " ".join(flux("providers", "--check", tty=True).out.split())

    assert "config set providers.runcomfy.api_key" in lines["runcomfy"]
    assert "runcomfy.com" in lines["runcomfy"]
    assert "config set providers.apiframe.api_key" in lines["apiframe"]
    assert "works" in lines["runware"]
    assert "RUNCOMFY_API_TOKEN" in wide
    assert "…" not in wide


def test_check_looks_at_this_machine_too(flux, host, config):
    """The config file, the PATH and the proxy, a line each; not where one provider was named. Keys decide the exit."""
    config("[providers.runware]\napi_key = 'x'\n").chmod(0o644)

    done = flux("providers", "--check")
    told = {one["check"]: one for one in flux("providers", "--check", "--json").objects if one["provider"] is None}

    assert done.code == 0
    checked = dict.fromkeys(line.split("\t")[0] for line in done.lines)
    assert list(checked) == [*PROVIDERS, "config", "PATH", "proxy", "certificates"]
    assert list(told) == ["config", "PATH", "proxy", "certificates"]
    assert (told["config"]["works"], told["config"]["state"]) == (False, "open")
    assert "chmod 600" in told["config"]["hint"]
    assert len(flux("providers", "runware", "--check").lines) == 1


def test_check_tells_where_our_tables_are_behind(flux, host):
    """A field that the host's own schema has and ours has not: a line of its own, and what to do."""
    schema = {"properties": {"prompt": {}, "glitter": {"type": "string"}}}
    entry = {"model_id": load("runcomfy").models["flux-1.1-pro"].slug, "input_schema": schema}
    host.script = lambda call: reply(200, {"models": [entry], "total": 1}) if call.path == "/v1/models" else None

    done = flux("providers", "runcomfy", "--check")
    told = flux("providers", "runcomfy", "--check", "--json").object

    (line,) = [line for line in done.lines if "glitter" in line]
    assert done.code == 0
    assert line.startswith("runcomfy\tdrift\t")
    assert "--param" in line
    assert any("glitter" in one for one in told["drift"])


def test_a_models_name_that_is_inferred_says_so(flux):
    """Runflow's page of the model does not show its name in the API."""
    done = flux("providers", "runflow")
    (line,) = [line for line in done.lines if line.startswith("flux-1.1-pro\t")]

    assert "black-forest-labs/flux-1-1-pro ?, $0.04, " in line
    assert any(one.startswith("?\t") and "inferred" in one for one in done.lines)
    assert not any(one.startswith("?\t") for one in flux("providers", "apiframe").lines)


def described(**prices):
    """Return a script that answers as RunComfy lists its models, at these prices; an alias a name."""
    models = load("runcomfy").models
    listed = [
        {"model_id": models[ALIASES[alias]].slug, "base_price_usd": amount, "price_unit": "output"}
        for alias, amount in prices.items()
    ]

    return lambda call: reply(200, {"models": listed, "total": len(listed)}) if call.path == "/v1/models" else None


def test_check_keeps_the_prices_that_a_host_tells(flux, host):
    """Estimates and limits use them from then on, with the day on which they were told."""
    host.script = described(pro=0.05)
    before = flux("generate", "a fox", "-p", "runcomfy", "-m", "pro", "--max-cost", "1", "--dry-run")

    checked = flux("providers", "runcomfy", "--check", "--json").object
    after = flux("generate", "a fox", "-p", "runcomfy", "-m", "pro", "--max-cost", "0.04")
    told = {one["model"]: one for one in flux("providers", "runcomfy", "--json").object["models"]}

    assert before.code == 2
    assert "no price is known for flux-1.1-pro at runcomfy" in before.err
    assert checked["prices"] == {"flux-1.1-pro": 0.05}
    assert (after.code, host.accepted("runcomfy")) == (6, 0)
    assert "expected to cost $0.05" in after.err
    assert told["flux-1.1-pro"]["price"] == "$0.05"
    assert told["flux-1.1-pro"]["price_source"] == "published by runcomfy"
    assert told["flux-1.1-pro"]["price_date"].startswith("2026-11-")
    assert told["flux-1.1-pro-ultra"]["price"] is None


@pytest.mark.parametrize("price", [0.0, -1, None])
def test_a_price_of_nothing_is_not_kept(flux, host, price):
    """Unknown is never taken for zero."""
    host.script = described(pro=price)

    flux("providers", "runcomfy", "--check")

    assert flux("providers", "runcomfy", "--json").object["models"][0]["price"] is None


def test_check_says_where_a_hosts_price_is_not_ours(flux, host, config):
    """Your own price stays, and how to change it; what was told before gives way. The same price is no news."""
    config("[providers.runcomfy.price]\nultra = 0.06\n")
    host.script = described(pro=0.05, ultra=0.06)
    same = flux("providers", "runcomfy", "--check")
    host.script = described(pro=0.07, ultra=0.08)

    done = flux("providers", "runcomfy", "--check")
    again = flux("providers", "runcomfy", "--check", "--json").object
    prices = {one["model"]: one["price"] for one in flux("providers", "runcomfy", "--json").object["models"]}

    assert "\tprice\t" not in same.out
    pro, ultra = [line.split("\t")[3] for line in done.lines if "\tprice\t" in line]
    assert pro.startswith("flux-1.1-pro costs $0.07 an image, not $0.05 (published by runcomfy, 2026-")
    assert ultra.startswith("flux-1.1-pro-ultra costs $0.08 an image, not $0.06 (your config); ")
    assert "`flux config set providers.runcomfy.price.flux-1.1-pro-ultra 0.08`" in ultra
    assert [line.split(" ")[0] for line in again["drift"] if "costs" in line] == ["flux-1.1-pro-ultra"]
    assert {name: price for name, price in prices.items() if price} == {
        "flux-1.1-pro": "$0.07",
        "flux-1.1-pro-ultra": "$0.06",
    }


def test_prices_that_cannot_be_kept_are_no_reason_to_stop(flux, host, home):
    """Something is in the way: a warning, and the key works all the same."""
    (home / ".local" / "state" / "flux-cli" / "prices.json").mkdir(parents=True)
    host.script = described(pro=0.05)

    done = flux("providers", "runcomfy", "--check")

    assert "cannot store the prices of runcomfy" in done.err
    assert done.lines[0].startswith("runcomfy\tworks\t")


def priced(**told):
    """Return a script that answers as Apiframe lists its models, at these prices in credits; an alias a name."""
    models = [
        {
            "id": ALIASES[alias],
            "label": alias,
            "modality": "image",
            "costMin": low,
            "costMax": high,
            "pricingMode": "flat",
        }
        for alias, (low, high) in told.items()
    ]
    others = load("apiframe").models.keys() - {one["id"] for one in models}
    models += [{"id": model, "label": model, "modality": "image"} for model in others]

    return lambda call: reply(200, {"models": models}) if call.path == "/v2/models" else None


def test_check_tells_and_keeps_prices_in_credits(flux, host):
    """With the day on which they were told; they are no sum of money, so that no limit is kept by them."""
    host.script = priced(pro=(8, 8), ultra=(12, 12))

    done = flux("providers", "apiframe", "--check")
    told = flux("providers", "apiframe", "--check", "--json").object
    shown = {one["model"]: one for one in flux("providers", "apiframe", "--json").object["models"]}
    (row,) = [line for line in flux("providers").lines if line.startswith("apiframe\t")]
    limited = flux("generate", "a fox", "-p", "apiframe", "--max-cost", "5")

    assert "flux-1.1-pro 8 credits an image, flux-1.1-pro-ultra 12 credits an image" in done.lines[0]
    assert told["credit_prices"] == {"flux-1.1-pro": 8, "flux-1.1-pro-ultra": 12}
    assert told["prices"] == {}
    assert told["drift"] == []
    assert shown["flux-1.1-pro"]["price"] == "8 credits"
    assert shown["flux-1.1-pro"]["price_source"] == "published by apiframe"
    assert shown["flux-1.1-pro"]["price_date"].startswith("2026-11-")
    assert "\tultra 12 credits\t" in row
    assert limited.code == 2
    assert "no price is known for flux-1.1-pro-ultra at apiframe" in limited.err


def test_check_says_where_a_price_in_credits_has_changed(flux, host):
    """From what was told at the last check, with its day."""
    host.script = priced(pro=(8, 8), ultra=(12, 12))
    flux("providers", "apiframe", "--check")
    host.script = priced(pro=(8, 8), ultra=(14, 14))

    done = flux("providers", "apiframe", "--check")
    again = flux("providers", "apiframe", "--check", "--json").object

    (line,) = [line.split("\t")[3] for line in done.lines if "\tprice\t" in line]
    assert line.startswith("flux-1.1-pro-ultra costs 14 credits an image, not 12 (published by apiframe, 2026-")
    assert again["drift"] == []


def test_your_own_price_stands_before_one_in_credits(flux, host, config):
    """It is the one that limits are kept by."""
    config("[providers.apiframe.price]\nultra = 0.07\n")
    host.script = priced(pro=(8, 8), ultra=(12, 12))
    flux("providers", "apiframe", "--check")

    prices = {one["model"]: one["price"] for one in flux("providers", "apiframe", "--json").object["models"]}

    known = {model: price for model, price in prices.items() if price is not None}
    assert known == {"flux-1.1-pro": "8 credits", "flux-1.1-pro-ultra": "$0.07"}


def test_check_tells_which_models_of_the_catalogue_have_no_table_and_which_have_left_it(flux, host):
    models = [{"id": model} for model in (*load("apiframe").models, "flux-3-image", "flux-lora") if "dev" not in model]
    host.script = lambda call: reply(200, {"models": models}) if call.path == "/v2/models" else None

    done = flux("providers", "apiframe", "--check")

    gone, new = [line.split("\t")[3] for line in done.lines if "\tdrift\t" in line]
    assert gone.startswith("flux-2-dev is no longer in the catalogue; ")
    assert new.startswith("the catalogue lists flux-3-image, which flux does not know; ")


def test_two_checks_of_runware_in_a_row(flux):
    """The second one is not refused for the UUID of the first."""
    assert [flux("providers", "runware", "--check", "--sandbox").code for _ in range(2)] == [0, 0]


def test_an_unknown_provider(flux):
    """The nearest name is offered."""
    done = flux("providers", "runwear")

    assert done.code == 2
    assert "did you mean runware?" in done.err
