"""What a provider and model can honour of what was asked for is decided before anything is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.providers.fit import check_prompt, check_seed, find_model, resolve
from tests.providers.cells import PICTURE, list_models


def fitted(name, alias="ultra", *, typed=None, prompt="a fox", seed=7, extra=None, **options):
    """Check options that were all typed, or only those named in ``typed``."""
    provider = providers.load(name)
    model = provider.models[providers.ALIASES[alias]]
    check_prompt(provider, model, prompt)
    found = resolve(provider, model, options, typed=set(options) if typed is None else set(typed.split()), extra=extra)
    check_seed(provider, model, seed)
    return found


def refusal(*arguments, **options):
    with pytest.raises(UsageError) as caught:
        fitted(*arguments, **options)
    return caught.value


def test_an_option_from_the_config_that_cannot_be_honoured_is_left_out_and_named():
    done = fitted("runflow", typed="", raw=True, aspect_ratio="1:1", webhook="https://h/x", seed=9)

    assert done.skipped == ("raw", "aspect_ratio")
    assert done.options == {"webhook": "https://h/x"}


ABOUT_IMAGE = {
    ("apiframe", "resolution", "match"): ["flux-2-flex", "flux-2-max", "flux-2-pro"],
    ("replicate", "resolution", "match"): ["flux-2-flex", "flux-2-max", "flux-2-pro"],
    ("replicate", "aspect_ratio", "auto"): [
        "flux-2-dev",
        "flux-2-flex",
        "flux-2-klein-4b",
        "flux-2-klein-9b-base",
        "flux-2-max",
        "flux-2-pro",
    ],
    **{(host, "image_strength", 0.5): ["flux-1.1-pro-ultra"] for host in ("apiframe", "bfl", "fal", "replicate")},
}
"""What means nothing without an input image, by host, and the models that have it.

Kontext and FLUX 3 give "auto" a meaning without one as well: 1:1, or what the prompt suggests.
"""


@pytest.mark.parametrize(("host", "name", "value"), ABOUT_IMAGE)
def test_what_means_nothing_without_an_image_is_refused_if_typed_and_left_out_if_configured(host, name, value):
    provider = providers.load(host)
    models = [provider.models[one] for one in ABOUT_IMAGE[host, name, value]]

    for model in models:
        alone = resolve(provider, model, {name: value}, typed=())
        together = resolve(provider, model, {"image": PICTURE, name: value}, typed=("image", name))
        with pytest.raises(UsageError, match="needs an input image") as caught:
            resolve(provider, model, {name: value}, typed=(name,))

        assert alone.skipped == (name,)
        assert name not in alone.options
        assert together.options[name] == value
        assert caught.value.message.startswith(f"--{name.replace('_', '-')} ")
        assert "-i FILE" in caught.value.hint


def test_no_other_option_of_a_model_without_an_image_needs_one():
    """A mask and a strength need one at every model, and are no part of this table."""
    found = {
        (provider.name, name, value)
        for provider in providers.load_all()
        for model in list_models(provider)
        for name, option in model.options.items()
        for value in [*getattr(option, "values", ()), 0.5]
        if option.needs_image(value)
    }

    assert found == ABOUT_IMAGE.keys()


def test_a_value_from_the_config_that_the_model_does_not_take_is_left_out_too():
    done = fitted("runware", typed="raw", raw=False, safety_tolerance=9, quality=100)

    assert done.skipped == ("safety_tolerance", "quality")
    assert done.options == {"aspect_ratio": "16:9", "raw": False}


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (
            ["apiframe"],
            {"aspect_ratio": "16:10"},
            "apiframe: --aspect-ratio takes 1:1, 3:4, 4:3, 9:16 or 16:9, not 16:10; did you mean 16:9?",
        ),
        (
            ["runware", "pro"],
            {"size": "1000x1500"},
            "runware: --size takes 256 to 1440 a side, in multiples of 32, not 1000x1500; the nearest is 960x1440",
        ),
        (
            ["runware", "pro"],
            {"size": "1024"},
            "runware: --size takes WIDTHxHEIGHT in pixels, such as 1024x1024, not 1024",
        ),
        (["runware"], {"safety_tolerance": 7}, "runware: --safety-tolerance takes 0 to 6, not 7"),
        (["runware"], {"quality": 19}, "runware: --quality takes 20 to 99, not 19"),
        (["runware"], {"quality": 50.5}, "runware: --quality takes 20 to 99, not 50.5"),
        (["apiframe"], {"image": PICTURE, "image_strength": 1.01}, "apiframe: --image-strength takes 0 to 1, not 1.01"),
        (
            ["apiframe"],
            {"image": PICTURE, "image_strength": float("nan")},
            "apiframe: --image-strength takes 0 to 1, not nan",
        ),
        (["runware"], {"safety_tolerance": True}, "runware: --safety-tolerance takes 0 to 6, not True"),
        (["runware"], {"raw": "yes"}, "runware: --raw is on or off, not yes"),
        (
            ["runware"],
            {"webhook": "you.example"},
            "runware: --webhook takes a web address (https://…), not you.example",
        ),
        (["runware"], {"webhook": 5}, "runware: --webhook takes a web address (https://…), not 5"),
        (
            ["apiframe"],
            {"image": "ftp://h/a.png"},
            "apiframe: --image takes a web address (https://…), not ftp://h/a.png",
        ),
        (["apiframe"], {"image": 5}, "apiframe: --image takes a web address (https://…), not 5"),
        (["runflow"], {"metadata": "shelf"}, "runflow: --metadata takes KEY=VALUE, not shelf"),
        (["runcomfy"], {"quality": 0}, "runcomfy: --quality takes 1 to 100, not 0"),
        (["runcomfy"], {"format": "gif"}, "runcomfy: --format takes jpg, png or webp, not gif"),
        (["runware"], {"format": ["jpg"]}, "runware: --format takes jpg, png or webp, not ['jpg']; did you mean jpg?"),
    ],
)
def test_a_value_that_was_typed_and_is_not_taken_is_refused_with_what_is(arguments, options, message):
    error = refusal(*arguments, **options)

    assert error.message == message


def test_a_size_of_the_ultra_model_is_one_of_nine_and_the_nearest_is_named():
    error = refusal("runware", size="2700x1500")

    assert error.message.endswith("not 2700x1500; the nearest is 2752x1536")
    assert error.message.count("x") >= 9


@pytest.mark.parametrize(("name", "option"), [("apiframe", "webhook"), ("apiframe", "image"), ("runware", "webhook")])
def test_an_address_is_as_long_as_you_like_where_no_page_limits_it(name, option):
    link = "https://h/" + "x" * 4000

    assert fitted(name, **{option: link}).options[option] == link


def test_a_webhook_of_more_than_2048_characters_is_refused():
    """By Runflow, whose page says so."""
    fitted("runflow", webhook="https://h/" + "x" * 2038)

    error = refusal("runflow", webhook="https://h/" + "x" * 2039)

    assert error.message == "runflow: --webhook takes an address of at most 2048 characters, not 2049"


@pytest.mark.parametrize(
    ("typed", "kept", "gone"), [("size", "size", "aspect_ratio"), ("aspect_ratio", "aspect_ratio", "size")]
)
def test_of_two_options_that_set_the_shape_the_typed_one_wins_and_the_other_is_named(typed, kept, gone):
    done = fitted("runware", "pro", typed=typed, size="512x512", aspect_ratio="1:1")

    assert kept in done.options
    assert gone not in done.options
    assert done.skipped == (gone,)


@pytest.mark.parametrize(("name", "kept"), [("runware", "size"), ("runcomfy", "aspect_ratio")])
def test_of_two_shapes_in_the_config_the_one_that_the_model_has_is_kept(name, kept):
    done = fitted(name, "pro", typed="", size="512x512", aspect_ratio="1:1")

    assert kept in done.options
    assert len(done.skipped) == 1


def test_two_shapes_that_were_typed_clash():
    error = refusal("runware", size="2048x2048", aspect_ratio="1:1")

    assert error.message == "--aspect-ratio and --size both set the shape: use only one of them"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("runcomfy", "prompt"),
        ("runcomfy", "seed"),
        ("runflow", "input.prompt"),
        ("runflow", "input.seed"),
        ("runflow", "input"),
        ("runflow", "input.prompt.deeper"),
        ("runflow", "client_ref"),
        ("apiframe", "model"),
        ("apiframe", "prompt"),
        ("apiframe", "fluxParams.seed"),
        ("apiframe", "fluxParams"),
        ("runware", "taskType"),
        ("runware", "taskUUID"),
        ("runware", "model"),
        ("runware", "positivePrompt"),
        ("runware", "seed"),
        ("runware", "numberResults"),
    ],
)
def test_a_field_that_flux_fills_in_is_refused_to_param(name, path):
    error = refusal(name, extra={path: "x"})

    assert error.message == f"--param {path}: flux fills in this field itself"


def test_a_field_whose_name_only_begins_like_an_owned_one_is_free():
    assert fitted("runcomfy", extra={"prompt_style": 1}).options == {}


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b"])
def test_a_path_with_an_empty_name_is_refused(path):
    assert refusal("runware", extra={path: 1}).message == f"--param {path}: a path consists of names joined by dots"


@pytest.mark.parametrize(
    ("name", "options", "path"),
    [
        ("runware", {"format": "png"}, "outputFormat"),
        ("runware", {"raw": True}, "providerSettings"),
        ("runware", {"raw": True}, "providerSettings.bfl.raw"),
        ("runware", {"size": "2048x2048"}, "width"),
        ("runware", {"aspect_ratio": "1:1"}, "height"),
        ("runflow", {"metadata": {"a": "b"}}, "metadata.c"),
        ("runcomfy", {"aspect_ratio": "1:1"}, "aspect_ratio"),
    ],
)
def test_a_param_and_a_typed_option_that_set_the_same_field_clash(name, options, path):
    option = next(iter(options)).replace("_", "-")

    error = refusal(name, extra={path: 1}, **options)

    assert error.message == f"--param {path} and --{option} set the same field: use only one of them"


def test_an_option_of_the_config_gives_way_to_a_param_and_is_named():
    done = fitted("runware", typed="", aspect_ratio="1:1", format="png", extra={"width": 1024, "height": 1024})

    assert done.skipped == ("aspect_ratio",)
    assert done.options == {"format": "png"}


def test_neighbours_below_the_same_object_do_not_clash():
    done = fitted("runware", check_content=True, extra={"safety.mode": "fast"})

    assert done.options["check_content"] is True


@pytest.mark.parametrize(
    ("arguments", "options", "shape"),
    [
        (["runware"], {}, {"aspect_ratio": "16:9"}),
        (["runware", "pro"], {}, {"aspect_ratio": "16:9"}),
        (["runware"], {"aspect_ratio": "1:1"}, {"aspect_ratio": "1:1"}),
        (["runware"], {"size": "2048x2048"}, {"size": "2048x2048"}),
        (["runware"], {"extra": {"width": 2048, "height": 2048}}, {}),
        (["runware"], {"extra": {"ttl": 60}}, {"aspect_ratio": "16:9"}),
        (["runcomfy"], {}, {}),
    ],
)
def test_runware_is_always_sent_a_shape_and_sixteen_to_nine_if_nobody_asks_for_another(arguments, options, shape):
    done = fitted(*arguments, **options)

    assert done.options == shape


def test_a_check_that_runflow_makes_or_not_as_it_likes_cannot_be_asked_for():
    """``nsfw_detected`` is null where nothing was checked, so a check is not to be relied on there."""
    error = refusal("runflow", check_content=True)

    assert error.message == "runflow has no --check-content for flux-1.1-pro-ultra"
    assert error.hint.startswith("runware does for flux-1.1-pro-ultra; at runflow, ")


def test_a_param_with_a_known_snag_comes_with_a_note():
    done = fitted("runcomfy", "pro", extra={"image_size": "Custom"})

    (note,) = done.notes
    assert note.startswith("--param image_size: the provider takes image_size=Custom with sides in multiples of 32")
    assert note.endswith("it does not document the fields for the sides")


@pytest.mark.parametrize(
    ("name", "low", "high"), [("apiframe", 1, 2000), ("runware", 2, 3000), ("runflow", 1, 100_000)]
)
def test_a_prompt_is_as_long_as_the_provider_allows(name, low, high):
    for prompt in ("🦊" * low, "x" * high):
        assert fitted(name, prompt=prompt).skipped == ()


@pytest.mark.parametrize(
    ("name", "prompt", "message"),
    [
        ("apiframe", "x" * 2001, "apiframe takes a prompt of 1 to 2000 characters, not 2001"),
        ("runware", "x", "runware takes a prompt of 2 to 3000 characters, not 1"),
        ("runware", "x" * 3001, "runware takes a prompt of 2 to 3000 characters, not 3001"),
        ("runflow", "", "the prompt is empty"),
        ("runcomfy", " \n\t", "the prompt is empty"),
    ],
)
def test_a_prompt_that_the_provider_would_not_take_is_not_sent(name, prompt, message):
    assert refusal(name, prompt=prompt).message == message


@pytest.mark.parametrize(
    ("name", "seed"),
    [("runflow", 0), ("runware", -1), ("runware", 2**63), ("apiframe", 2**63), ("runcomfy", 2**63), ("runware", 1.5)],
)
def test_a_seed_out_of_range_is_refused(name, seed):
    error = refusal(name, seed=seed)

    assert error.message.startswith(f"{name}: --seed takes ")
    assert error.message.endswith(f", not {seed}")


@pytest.mark.parametrize(("option", "value"), [("format", "webp"), ("quality", 1), ("quality", 100)])
def test_what_flux_converts_itself_is_kept_where_the_provider_has_no_such_thing(option, value):
    assert fitted("runcomfy", **{option: value}).options == {option: value}


def test_an_option_that_nobody_has_is_refused():
    error = refusal("runware", cancel_after=30)

    assert error.message == "runware has no --cancel-after"
    assert error.hint


def test_an_option_that_one_provider_has_is_said_of_one():
    assert refusal("runware", metadata={"a": "b"}).hint == "runflow does for flux-1.1-pro-ultra"


RUNFLOW = providers.load("runflow")
ULTRA_ONLY = replace(RUNFLOW, models={"flux-1.1-pro-ultra": RUNFLOW.models["flux-1.1-pro-ultra"]})
"""A provider that hosts one of the models."""


def test_a_model_that_a_provider_does_not_host_is_refused_with_those_that_do():
    with pytest.raises(UsageError) as caught:
        find_model(ULTRA_ONLY, "flux-1.1-pro", {})

    assert caught.value.message == "runflow does not host flux-1.1-pro"
    assert caught.value.hint.endswith(" do; `flux models` lists what each provider hosts")


def test_a_model_that_one_provider_hosts_is_found():
    assert find_model(providers.load("runflow"), "flux-1.1-pro-ultra", {}).name == "flux-1.1-pro-ultra"


def test_a_model_that_no_provider_hosts_is_refused(monkeypatch):
    monkeypatch.setitem(providers.MODELS, "flux-9", "FLUX 9")

    with pytest.raises(UsageError) as caught:
        find_model(ULTRA_ONLY, "flux-9", {})

    assert caught.value.hint.startswith("no provider does; ")
