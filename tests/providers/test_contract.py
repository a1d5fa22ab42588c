"""What holds for every provider, from the moment it is registered."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flux_cli import providers
from flux_cli.errors import FluxError, UsageError
from flux_cli.image_options import IMAGE_OPTIONS
from flux_cli.jobs import RemoteJob
from flux_cli.providers.base import SEED_LIMIT, Accepted
from flux_cli.providers.conversation import Response, drive
from flux_cli.providers.fit import find_model
from flux_cli.providers.options import Option
from flux_cli.text import listed

PLAIN_ID = "2f0c4b1e-3a5d-4c6b-8d7e-9f0a1b2c3d4e"
ACCEPTED = {"request_id": PLAIN_ID, "id": PLAIN_ID, "jobId": PLAIN_ID, "data": [], "status": "starting"}
"""An answer to a submit that every provider understands."""

PROVIDERS = [providers.load(name) for name in providers.NAMES]
OFFERS = [(provider, model) for provider in PROVIDERS for model in provider.models.values()]
every_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
every_offer = pytest.mark.parametrize(
    ("provider", "model"), OFFERS, ids=lambda value: getattr(value, "slug", None) or value.name
)
quick = hypothesis_settings(max_examples=40, deadline=None)


def needed(model):
    """Return the options that a model cannot do without."""
    found = {name: "https://example.com/mask.png" for name, option in model.options.items() if option.required}
    least = model.image_input.least if model.image_input is not None else 0
    return {**found, **({"image": "https://example.com/fox.png"} if least else {})}


@every_provider
def test_a_provider_says_who_it_is(provider):
    assert provider.name in providers.NAMES
    assert provider.title
    assert provider.key_page
    assert re.fullmatch(r"https://[a-z0-9.-]+(/[a-z0-9./-]+)?", provider.docs)
    assert re.fullmatch(r"https://[a-z0-9.-]+(/[a-z0-9]+)*", provider.base_url)
    assert all(re.fullmatch(r"https://[a-z0-9.-]+", origin) for origin in provider.origins)
    assert provider.auth[0].lower() in {"authorization", "x-api-key", "x-key"}
    assert provider.auth[1] in {"", "Bearer ", "Key "}
    assert re.fullmatch(provider.id_pattern, PLAIN_ID)


def test_no_two_providers_read_the_same_variable():
    variables = [variable for provider in PROVIDERS for variable in provider.key_variables]

    assert all(re.fullmatch(r"[A-Z][A-Z_]+", variable) for variable in variables)
    assert len(set(variables)) == len(variables)
    assert all(provider.key_variables for provider in PROVIDERS)


def test_every_model_is_hosted_somewhere_and_the_default_everywhere():
    hosted = {name for provider in PROVIDERS for name in provider.models}

    assert hosted == set(providers.MODELS)
    assert all(providers.DEFAULT_MODEL in provider.models for provider in PROVIDERS)


@every_provider
def test_a_model_is_filed_under_its_name_and_its_options_under_ours(subtests, provider):
    for filed, model in provider.models.items():
        with subtests.test(filed):
            assert filed == model.name
            assert model.slug
            assert set(model.options) <= set(IMAGE_OPTIONS)
            assert 1 <= model.prompt_length[0] <= (model.prompt_length[1] or 1)
            assert 1 <= model.max_images <= 20
            for name, value in model.always_sent.items():
                assert model.options[name].check(value) == value


@every_provider
def test_every_seed_that_flux_draws_is_taken(provider):
    for model in provider.models.values():
        for seed in (1, SEED_LIMIT) if model.takes_seed else ():
            assert model.options["seed"].check(seed) == seed, model.name


@every_provider
def test_an_option_is_described_and_is_sent_where_no_owned_field_stands(subtests, provider):
    for model in provider.models.values():
        for name, option in model.options.items():
            with subtests.test(model=model.name, option=name):
                assert isinstance(option, Option)
                assert option.accepts
                assert option.field or option.note
                for field in filter(None, re.split(r",\s*", option.field)):
                    assert re.fullmatch(r"[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_]+)*", field)
                    assert field not in provider.reserved_fields or name == "seed"


@every_provider
def test_a_price_says_where_and_when_it_was_read(subtests, provider):
    for model in provider.models.values():
        if model.price is not None:
            with subtests.test(model.name):
                assert model.price.amount > 0
                assert model.price.source
                assert re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", model.price.date)


@every_offer
def test_a_submit_asks_for_money_once_and_carries_no_key(provider, model, talk, order):
    wanted = order(provider.name, model.name, _prompt="a fox, 狐, 🦊", **needed(model))

    said = talk(provider, provider.submit(wanted), ACCEPTED)

    assert isinstance(said.result, Accepted)
    assert [request.paid for request in said.requests] == [True]
    sent = said.requests[0]
    assert sent.method == "POST"
    assert "a fox, 狐, 🦊" in json.dumps(sent.json, ensure_ascii=False)
    assert not {name.lower() for name in sent.headers} & {"authorization", "x-api-key", "cookie"}
    assert sent.origin is None


@every_provider
def test_what_asks_and_cancels_may_be_repeated_and_costs_nothing(provider, talk):
    remote = RemoteJob(id=PLAIN_ID)
    conversations = [provider.poll(remote), provider.check(), *([provider.cancel(remote)] if provider.cancel else [])]
    answers = [{"status": "completed"}, *[{"status": "odd", "status_code": "odd", "data": [], "team": None}] * 3]

    requests = [request for one in conversations for request in talk(provider, one, *answers).requests]

    assert len(requests) >= len(conversations)
    assert all(request.idempotent and not request.paid for request in requests)
    assert all(request.origin in {None, *provider.origins} for request in requests)
    assert not any("authorization" in {name.lower() for name in request.headers} for request in requests)


@every_provider
def test_a_job_is_asked_for_by_its_id(provider, talk):
    said = talk(provider, provider.poll(RemoteJob(id=PLAIN_ID)), {"status": "odd", "status_code": "odd", "data": []})

    asked = said.requests[0]
    assert PLAIN_ID in f"{asked.path} {json.dumps(asked.json)} {asked.query}"


@every_offer
def test_the_prompt_arrives_as_it_was_written(provider, model, order):
    @quick
    @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
    def holds(prompt):
        first = next(provider.submit(order(provider.name, model.name, _prompt=prompt, **needed(model))))
        back = json.loads(json.dumps(first.json, ensure_ascii=False).encode())
        body = back[0] if isinstance(back, list) else back
        for name in model.prompt_field.split("."):
            body = body[name]
        assert body == prompt

    holds()


@every_provider
def test_an_answer_nested_beyond_reason_is_read_as_no_json(provider, talk):
    said = talk(provider, provider.poll(RemoteJob(id=PLAIN_ID)), Response(status=200, body=b"[" * 500 + b"]" * 500))

    assert isinstance(said.error, FluxError)
    assert "nested too deeply" in said.error.message


def test_a_provider_and_a_model_are_found_by_name():
    assert providers.load("runware").name == "runware"
    assert providers.canonical_name("ULTRA") == "flux-1.1-pro-ultra"
    assert providers.canonical_name("flux-pro-1.1-ultra") == "flux-1.1-pro-ultra"
    assert providers.canonical_name("flux-1.1-pro") == "flux-1.1-pro"
    assert providers.canonical_name("flux-9") is None


@pytest.mark.parametrize(
    ("find", "word", "hint"),
    [
        (providers.load, "runwear", "did you mean runware?"),
        (providers.load, "zzz", f"the providers are {listed(providers.NAMES)}"),
        (lambda word: find_model(providers.load("runware"), word, {}), "ultr", "did you mean ultra?"),
        (lambda word: find_model(providers.load("runware"), word, {}), "zzz", "`flux models` lists the models"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_or_with_all(find, word, hint):
    with pytest.raises(UsageError) as caught:
        find(word)

    assert caught.value.hint == hint


def test_a_conversation_is_never_left_half_held():
    """`drive` lets an error of the transport out unless the conversation itself has a use for it."""
    provider = providers.load("runcomfy")

    def send(_):
        raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        drive(provider.poll(RemoteJob(id="x")), send)
