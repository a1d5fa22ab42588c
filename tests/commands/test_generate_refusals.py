"""What ``flux generate`` refuses: before anything is sent, in one clear line, with one hint."""

from __future__ import annotations

import pytest

from flux_cli.providers import NAMES, load, load_all
from flux_cli.text import listed

PROVIDERS = NAMES
OFFERED = {
    "--size": "640x640",
    "-a": "1:1",
    "--raw": None,
    "-i": "https://example.com/a.png",
    "--image-strength": "0.5",
    "--upsample-prompt": None,
    "--safety-tolerance": "2",
    "--check-content": None,
    "--webhook": "https://example.com/h",
    "--metadata": "a=b",
}
"""Options with a value that is valid somewhere."""
LONG = {"-a": "--aspect-ratio", "-i": "--image"}


def able(option):
    """Return the providers that have an option, for some model."""
    name = LONG.get(option, option).removeprefix("--").replace("-", "_")
    return {one.name for one in load_all() for model in one.models.values() if name in model.options}


def _one_line_one_hint(done, code):
    """Check the shape of a refusal, which says that nothing was charged; return its two other lines."""
    assert done.code == code, done
    assert done.out == ""
    error, hint, charged = done.err.splitlines()
    assert charged == "charged: no"
    assert error.startswith("flux: error: ")
    assert hint.startswith("hint: ")
    assert not error.endswith(".")
    said = error.removeprefix("flux: error: ")
    assert said[:1] == said[:1].lower()
    return said, hint.removeprefix("hint: ")


@pytest.mark.parametrize(
    ("provider", "option"),
    [(one, name) for name in OFFERED for one in PROVIDERS if one not in able(name)],
)
def test_an_option_that_the_provider_lacks(flux, host, provider, option):
    """Exit 2, nothing sent, and the hint names providers that can."""
    value = OFFERED[option]

    done = flux("generate", "a red fox", "-p", provider, option, *([value] if value else []))

    said, hint = _one_line_one_hint(done, 2)
    assert LONG.get(option, option) in said
    assert {name for name in PROVIDERS if name in hint} <= able(option)
    assert any(name in hint for name in able(option))
    assert host.requests == []


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (["-p", "runware", "-m", "pro", "--raw"], "at runware, flux-1.1-pro-ultra does"),
        (["-p", "runflow", "-m", "ultra", "--size", "1440x1440"], "runware does for flux-1.1-pro-ultra; at runflow, "),
    ],
)
def test_what_one_model_lacks(flux, host, typed, hint):
    """The hint names the other model, or the providers that host this one."""
    done = flux("generate", "a red fox", *typed)

    assert hint in _one_line_one_hint(done, 2)[1]
    assert host.requests == []


BAD_VALUES = [
    (["-p", "runware", "-a", "16:10"], "16:9"),
    (["-p", "apiframe", "-a", "21:9"], "16:9"),
    (["-p", "runcomfy", "-a", "3:2"], "4:3"),
    (["-p", "runcomfy", "-a", "1:1 (hd)"], "1:1"),
    (["-p", "runware", "--size", "2752x1535"], "2752x1536"),
    (["-p", "runware", "-m", "pro", "--size", "1000x1000"], "992x992"),
    (["-p", "runware", "-m", "pro", "--size", "2000x200"], "1440x256"),
    (["-p", "runware", "--size", "big"], "WIDTHxHEIGHT"),
    (["-p", "runware", "--size", "2048x2048", "-a", "1:1"], "use only one of them"),
    (["-p", "runware", "--quality", "19"], "20 to 99"),
    (["-p", "runware", "--quality", "100"], "20 to 99"),
    (["-p", "apiframe", "--quality", "101"], "0 to 100"),
    (["-p", "runcomfy", "-f", "jpg", "--quality", "0"], "1 to 100"),
    (["-p", "runcomfy", "--quality", "80"], "--quality"),
    (["-p", "runflow", "--quality", "80"], "--quality"),
    (["-p", "runware", "--safety-tolerance", "7"], "0 to 6"),
    (["-p", "apiframe", "-i", "https://example.com/a.png", "--image-strength", "1.5"], "0 to 1"),
    (["-p", "apiframe", "-i", "missing.png"], "missing.png"),
    (["-p", "apiframe", "-i", "ftp://example.com/a.png"], "web address"),
    (["-p", "runflow", "-s", "0"], "1 or more|1 to"),
    (["-p", "runware", "-s", "-1"], "0 to"),
    (["-p", "runware", "-s", str(2**63)], "0 to"),
    (["-p", "runware", "-s", "two"], "--seed"),
    (["-p", "runflow", "--webhook", "not-a-link"], "web address"),
    (["-p", "runflow", "--webhook", "https://example.com/" + "a" * 2048], "2048"),
    (["-p", "runflow", "--metadata", "a"], "KEY=VALUE"),
    (["-p", "runflow", "--metadata", "a=1", "--metadata", "a=2"], "twice"),
    (["-p", "runware", "-P", "ttl"], "KEY=VALUE|PATH=VALUE"),
    (["-p", "runware", "-P", "taskUUID=1"], "flux"),
    (["-p", "runware", "-P", "numberResults=4"], "flux"),
    (["-p", "runcomfy", "-P", "prompt=x"], "flux"),
    (["-p", "runflow", "-P", "client_ref=x"], "flux"),
    (["-p", "runflow", "-P", "input.seed=3"], "flux"),
    (["-p", "apiframe", "-P", "model=x"], "flux"),
    (["-p", "apiframe", "-P", "fluxParams=3"], "flux|object"),
    (["-p", "runware", "-P", "outputFormat=PNG", "-f", "png"], "same field"),
    (["-p", "runware", "-P", "a..b=1"], "dots"),
    (["-n", "0", "-p", "runware"], "1 to 20"),
    (["-n", "21", "-p", "runware"], "1 to 20"),
    (["-n", "many", "-p", "runware"], "--count"),
    (["-f", "gif", "-p", "runware"], "jpg, png or webp"),
    (["-o", "fox.gif", "-p", "runware"], "jpg, png and webp"),
    (["-o", "fox.png", "-f", "jpg", "-p", "runware"], "contradict"),
    (["-o", "{sed}.png", "-p", "runware"], "seed"),
    (["-o", "", "-p", "runware"], "empty"),
    (["--timeout", "0", "-p", "runware"], "above 0"),
    (["--timeout", "nan", "-p", "runware"], "above 0"),
    (["--timeout", "soon", "-p", "runware"], "--timeout"),
    (["--no-wait", "-o", "fox.jpg", "-p", "runware"], "--no-wait"),
    (["-o", "-", "-n", "2", "-p", "runware"], "one image"),
    (["-p", "runwear"], "runware"),
    (["-p", "midjourney"], listed(NAMES)),
    (["-p", "runware", "-m", "ulta"], "ultra"),
    (["-p", "runware", "-m", "dall-e"], "`flux models` lists the models"),
    (["-p", "runware", "--modle", "pro"], "--model"),
    (["-p", "runware", "--aspct-ratio", "1:1"], "--aspect-ratio"),
    (["-p", "runware", "and", "more"], "extra"),
    ([], "say which|-p "),
]


@pytest.mark.parametrize(("typed", "said"), BAD_VALUES, ids=[" ".join(typed)[:40] for typed, _ in BAD_VALUES])
def test_a_value_that_cannot_be(flux, host, typed, said):
    """Exit 2, nothing sent, no file made, and the message or the hint leads on."""
    import re
    from pathlib import Path

    done = flux("generate", "a red fox", *typed)

    both = " ".join(_one_line_one_hint(done, 2))
    assert re.search(said, both), both
    assert host.requests == []
    assert list(Path().iterdir()) == []


LATER = "--open"


@pytest.mark.parametrize("option", [*LATER.split(), "--watch", "--forget"])
def test_options_that_do_not_exist_yet(flux, host, option):
    """No option is accepted and ignored."""
    done = flux("generate", "a red fox", "-p", "runware", option, "3")

    assert done.code == 2
    assert "no such option" in done.err
    assert host.requests == []


@pytest.mark.parametrize("prompt", ["", "   ", "\n"])
def test_an_empty_prompt(flux, host, prompt):
    """Is refused before anything is sent, also from stdin."""
    typed = flux("generate", "-p", "runcomfy", "--", prompt)
    piped = flux("generate", "-", "-p", "runcomfy", stdin=prompt)

    assert "empty" in _one_line_one_hint(typed, 2)[0]
    assert "empty" in _one_line_one_hint(piped, 2)[0]
    assert host.requests == []


@pytest.mark.parametrize("typed", [["\udcff fox"], ["-"]])
def test_a_prompt_that_is_not_utf_8(flux, host, typed):
    """Bytes that are no text are refused, wherever they come from."""
    done = flux("generate", *typed, "-p", "runcomfy", stdin="\udcff fox")

    assert "UTF-8" in _one_line_one_hint(done, 2)[0]
    assert host.requests == []


@pytest.mark.parametrize(("provider", "most"), [("apiframe", 2000), ("runware", 3000)])
def test_a_prompt_that_is_too_long(flux, host, provider, most):
    """The longest prompt passes, one more character does not."""
    right = flux("generate", "é" * most, "-p", provider, "--no-wait", "-q")
    wrong = flux("generate", "é" * (most + 1), "-p", provider)

    assert right.code == 0
    assert str(most) in _one_line_one_hint(wrong, 2)[0]
    assert host.paid[provider] == 1


def test_no_key_at_all(flux):
    """Exit 3, and the hint says how to go on, also without a key."""
    said, hint = _one_line_one_hint(flux("generate", "a red fox"), 3)

    assert "key" in said
    assert "config init" in hint
    assert "--sandbox" in hint


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_key_for_the_provider(flux, provider):
    """Exit 3, naming how to set it and its variable."""
    said, hint = _one_line_one_hint(flux("generate", "a red fox", "-p", provider), 3)

    assert provider in said
    assert f"config set providers.{provider}.api_key" in hint
    assert load(provider).key_variables[0] in hint


WRONG_KEY = {
    "runcomfy": (400, {"code": 400004, "error": "UserAccountError"}),
    "runflow": (401, {"code": "UNAUTHORIZED", "message": "Invalid API key.", "errors": None}),
    "apiframe": (401, {"error": "Missing or invalid API key"}),
    "runware": (401, {"errors": [{"code": "invalidApiKey", "message": "Invalid API key."}]}),
    "bfl": (403, {"detail": "Not authenticated"}),
    "fal": (401, {"detail": "Cannot access application"}),
    "replicate": (401, {"title": "Unauthenticated", "detail": "You did not pass a valid token", "status": 401}),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_wrong_key(flux, host, provider):
    """Exit 3, the vendor's words, a hint, and not a word of the key; the request is not repeated."""
    from flux_cli.sandbox.wire import reply

    host.script = lambda call: reply(*WRONG_KEY[provider])

    done = flux("generate", "a red fox", "-p", provider, "-q")

    said, hint = _one_line_one_hint(done, 3)
    assert said.startswith(f"{provider}: ")
    assert provider in hint
    assert "made-up" not in done.err
    assert len(host.requests) == 1


def test_several_keys_and_no_provider(flux, host):
    """With several keys, flux does not guess."""
    said, hint = _one_line_one_hint(flux("generate", "a red fox"), 2)

    assert listed(NAMES) in said
    assert "-p " in hint
    assert "default_provider" in hint


def test_a_missing_folder_and_an_existing_file(flux, host):
    """A file's folder must be there and its name free, before money is spent."""
    from pathlib import Path

    Path("taken.jpg").write_bytes(b"mine")

    missing = flux("generate", "a red fox", "-p", "runware", "-o", "no/where/fox.jpg")
    taken = flux("generate", "a red fox", "-p", "runware", "-o", "taken.jpg")

    assert "no/where" in _one_line_one_hint(missing, 2)[0]
    assert "mkdir -p no/where" in _one_line_one_hint(missing, 2)[1]
    assert "taken.jpg" in _one_line_one_hint(taken, 2)[0]
    assert "--overwrite" in _one_line_one_hint(taken, 2)[1]
    assert Path("taken.jpg").read_bytes() == b"mine"
    assert host.requests == []


def test_no_prompt(flux, host):
    """A prompt is needed, and stdin is not read for one."""
    said, hint = _one_line_one_hint(flux("generate", "-p", "runware", stdin="a red fox"), 2)

    assert "prompt" in said
    assert "flux generate" in hint
    assert host.requests == []


def test_a_mistyped_command(flux):
    """The nearest command is named."""
    error, hint = flux("genrate", "a red fox").err.splitlines()

    assert error == "flux: error: no such command 'genrate'"
    assert hint == "hint: did you mean `flux generate`?"
