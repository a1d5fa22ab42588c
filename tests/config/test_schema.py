from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli.config.schema import Tree
from flux_cli.config.validate import check, parse
from flux_cli.errors import ConfigError

FILE = Path("config.toml")


def load(text: str) -> Tree:
    document = parse(text, FILE)
    check(document, FILE)
    return Tree.model_validate(document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("generate = 3", "generate takes a table"),
        ("providers.runware = 'SECRET'", "providers.runware takes a table"),
        ("[[providers]]\nx = 1", "providers takes a table"),
        ("default_provider = 'SECRET'", "default_provider takes the name of a provider"),
        ("output = ''", "output takes a path"),
        ("sandbox = 'yes'", "sandbox takes true or false"),
        ("sandbox_seconds = -1", "sandbox_seconds takes a number of seconds, 0 or more"),
        ("sandbox_seconds = nan", "sandbox_seconds takes a number of seconds, 0 or more"),
        ("generate.count = '3'", "generate.count takes a whole number from 1 to 20"),
        ("generate.count = 21", "generate.count takes a whole number from 1 to 20"),
        ("generate.seed = true", "generate.seed takes a whole number"),
        ("generate.seed = 1.5", "generate.seed takes a whole number"),
        ("generate.timeout = 0", "generate.timeout takes a number of seconds above 0"),
        ("generate.timeout = inf", "generate.timeout takes a number of seconds above 0"),
        ("generate.image_strength = 1.1", "generate.image_strength takes a number from 0 to 1"),
        ("generate.image = []", "generate.image takes a path or a web address, or several"),
        ("generate.image = ['']", "generate.image takes a path or a web address, or several"),
        ("generate.image = [1]", "generate.image takes a path or a web address, or several"),
        ("generate.image = 1", "generate.image takes a path or a web address, or several"),
        ("generate.format = 'SECRET'", "generate.format takes jpg, png or webp"),
        ("generate.model = 'SECRET'", "generate.model takes the name of a model"),
        ("generate.metadata = 'x'", "generate.metadata takes a table of texts"),
        ("generate.metadata.a = 1", "generate.metadata.a takes text"),
        ("generate.param.a = 1979-05-27", "generate.param takes a table of JSON values"),
        ("generate.param.a = nan", "generate.param takes a table of JSON values"),
        ("providers.runware.api_key = 987654", "providers.runware.api_key takes a key as text"),
        ('providers.runware.api_key = "SECRET\\u0007"', "providers.runware.api_key takes a key as text"),
        ('providers.runware.api_key = "SECRET\\u0142"', "providers.runware.api_key takes a key as text"),
        ('providers.runware.api_key = "SEC\\nRET"', "providers.runware.api_key takes a key as text"),
        ("providers.runware.api_key_command = 'a \"SECRET'", "providers.runware.api_key_command takes a command line"),
        ("providers.runware.api_key_command = ' '", "providers.runware.api_key_command takes a command line"),
        ("budget = 5", "budget takes a table"),
        ("budget.daily = -0.01", "budget.daily takes an amount in USD, 0 or more"),
        ("budget.daily = '5'", "budget.daily takes an amount in USD, 0 or more"),
        ("budget.monthly = nan", "budget.monthly takes an amount in USD, 0 or more"),
        ("budget.monthly = inf", "budget.monthly takes an amount in USD, 0 or more"),
        ("providers.runware.price = 1", "providers.runware.price takes a table of models and prices"),
        ("providers.runware.price.pro = -1", "providers.runware.price.pro takes an amount of 0 or more"),
    ],
)
def test_a_wrong_value_is_named_by_its_key_and_never_repeated(text, said):
    """The message says what is wanted; the value may be a secret, whatever key it stands at."""
    with pytest.raises(ConfigError) as caught:
        load(text)

    error = caught.value
    assert error.message.endswith(f"config.toml: {said}")
    assert "SECRET" not in error.message + error.hint
    assert "987654" not in error.message + error.hint
    assert error.__context__ is None or error.__suppress_context__


def test_a_misspelt_provider_or_model_is_put_right():
    for text, near in (("default_provider = 'runwar'", "runware"), ("generate.model = 'ulta'", "ultra")):
        with pytest.raises(ConfigError) as caught:
            load(text)

        assert caught.value.hint == f"did you mean {near}?"


@pytest.mark.parametrize(
    "address",
    [
        "https://api.runware.ai/v1",
        "https://example.com:8443",
        "http://127.0.0.1:8000/v1",
        "http://127.9.9.9",
        "http://[::1]:80/x",
        "http://localhost:1",
        "HTTPS://EXAMPLE.COM",
    ],
)
def test_a_base_url_may_be_https_or_loopback(address):
    tree = load(f"providers.runware.base_url = '{address}//'")

    assert tree.providers["runware"].base_url == address


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1%2eexample.com",
        "http://127.0.0.1@example.com",
        "http://0x7f000001.example.com",
        "http://[::2]",
        "http://10.0.0.1",
        "https://example.com/a b",
        "https://example.com/\u0430",
        "https://SECRET:x@example.com",
        "https://example.com:SECRET",
        "https://example.com:0",
        "https://example.com:99999",
        "https://example.com/?",
        "https://example.com/#x",
        "https://exa mple.com",
        "https://example.com\\\\@localhost",
        "https://ex\u0430mple.com",
        "https://[::1",
        "https://",
        "https:example.com",
        "example.com",
        "file:///etc/passwd",
        "",
    ],
)
def test_no_key_goes_to_an_address_that_is_not_safe(address):
    with pytest.raises(ConfigError) as caught:
        load(f'providers.runware.base_url = "{address}"')

    assert caught.value.message.endswith("providers.runware.base_url takes an https address")
    assert "SECRET" not in caught.value.message + caught.value.hint


@given(st.text())
def test_any_text_is_a_good_address_or_a_value_error(text):
    """No address crashes the check, and one that passes is https or loopback."""
    try:
        found = Tree.model_validate({"providers": {"runware": {"base_url": text}}}).providers["runware"].base_url
    except ValueError:
        return

    assert found is None or found.lower().startswith(("https://", "http://"))
