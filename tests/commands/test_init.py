"""``flux config init``: questions that can be answered wrongly, and a file that is written once or not at all."""

from __future__ import annotations

import io

import pytest
import typer
from pydantic import SecretStr

from flux_cli import providers
from flux_cli.commands.config.init import interview
from flux_cli.config.settings import Settings
from flux_cli.errors import AuthError, UnavailableError
from flux_cli.jobs import Cost
from flux_cli.providers.base import Account
from flux_cli.runtime import Runtime

KEY, OTHER = "made-up-key-0123", "made-up-key-4567"


class Script:
    """Somebody whose answers are known beforehand; an empty one is Enter."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.heard: list[str] = []
        self.defaults: list[str] = []

    def say(self, line: str) -> None:
        self.heard.append(line)

    def ask(self, question: str, default: str) -> str:
        self.defaults.append(default)
        return self._next(question) or default

    def ask_secretly(self, question: str) -> str:
        return self._next(question)

    def _next(self, question: str) -> str:
        self.heard.append(question)
        if not self.answers:
            raise typer.Abort
        return self.answers.pop(0)

    @property
    def transcript(self) -> str:
        return "\n".join(self.heard)


@pytest.fixture
def settings(config):
    """Return a function that writes a config file and reads it as settings."""

    def read(text: str = "") -> Settings:
        config(text)
        return Settings.load(None)

    return read


class Host:
    """Takes one key, and writes down which it was asked about."""

    def __init__(self, good: str | None = KEY, balance: Cost | None = None) -> None:
        self.good = good
        self.balance = balance
        self.asked: list[str | None] = []

    def __call__(self, provider, key):
        self.asked.append(key and key.get_secret_value())
        if self.asked[-1] != self.good:
            raise AuthError(f"{provider.name} refuses the key")
        return Account(balance=self.balance)


def test_three_answers_are_enough(settings):
    """Provider, key, folder: the key is tried before anything is kept, and never repeated."""
    script, host = Script("apiframe", KEY, "pictures"), Host(balance=Cost(amount=12, currency="credits"))

    answers = interview(script, settings(), host)

    assert (answers.provider.name, answers.verdict, answers.problem) == ("apiframe", "works", None)
    assert answers.changes() == {
        "default_provider": "apiframe",
        "providers.apiframe.api_key": SecretStr(KEY),
        "output": "pictures/",
    }
    assert host.asked == [KEY]
    assert "The key works, 12 credits left." in script.heard
    assert KEY not in script.transcript


@pytest.mark.parametrize("name", providers.NAMES)
def test_each_provider_tells_where_its_keys_are_made(settings, name):
    """The page is named before the key is asked for."""
    script = Script(name, KEY, "")

    interview(script, settings(), Host())

    page = script.heard.index(f"Create keys in {providers.load(name).key_page}")
    assert script.heard[page + 1].endswith("key (not shown)")


@pytest.mark.parametrize(
    ("typed", "chosen"), [("1", "runcomfy"), ("4", "runware"), (" RunFlow ", "runflow"), ("", "runware")]
)
def test_a_provider_is_a_number_or_a_name(settings, typed, chosen):
    """Enter takes the one in brackets."""
    answers = interview(Script(typed, KEY, ""), settings(), Host())

    assert answers.provider.name == chosen


def test_a_mistyped_provider_is_asked_for_again(settings):
    """With the nearest name, as everywhere."""
    script = Script("runwear", "0", "9", "runware", KEY, "")

    answers = interview(script, settings(), Host())

    assert answers.provider.name == "runware"
    assert "did you mean runware?" in script.transcript


def test_the_default_is_what_is_configured_else_who_has_a_key(settings, monkeypatch):
    monkeypatch.setenv("RUNFLOW_API_KEY", KEY)
    configured, ready = Script("", "", ""), Script("", "", "")

    interview(configured, settings("default_provider = 'apiframe'\n[providers.apiframe]\napi_key = 'x'\n"), Host(None))
    interview(ready, settings(), Host(None))

    assert configured.defaults[0] == "apiframe"
    assert ready.defaults[0] == "runflow"
    assert "key set (RUNFLOW_API_KEY)" in ready.transcript


def test_a_key_that_is_set_can_be_kept(settings, monkeypatch):
    """Enter keeps it where it is, and it is checked like any other."""
    monkeypatch.setenv("RUNWARE_API_KEY", KEY)
    script, host = Script("runware", "", ""), Host(None)

    answers = interview(script, settings(), host)

    assert host.asked == [None]
    assert "A key is already set (RUNWARE_API_KEY)." in script.heard
    assert answers.verdict == "works"
    assert answers.changes() == {"default_provider": "runware", "output": None}


def test_a_variable_that_hides_the_new_key_is_named(settings, monkeypatch):
    """The environment comes before the file."""
    monkeypatch.setenv("RUNWARE_API_KEY", OTHER)
    script = Script("runware", KEY, "")

    answers = interview(script, settings(), Host())

    assert answers.key == SecretStr(KEY)
    assert "unset it to use this key" in script.transcript


def test_a_wrong_key_is_told_and_asked_for_again(settings):
    script, host = Script("runware", OTHER, KEY, ""), Host()

    answers = interview(script, settings(), host)

    assert host.asked == [OTHER, KEY]
    assert (answers.key, answers.verdict) == (SecretStr(KEY), "works")
    assert "This key does not work: runware refuses the key" in script.heard


def test_a_wrong_key_can_be_kept(settings):
    """Enter at the second question: it may start to work later."""
    answers = interview(Script("runware", OTHER, "", ""), settings(), Host())

    assert (answers.key, answers.verdict) == (SecretStr(OTHER), "refused")
    assert isinstance(answers.problem, AuthError)


@pytest.mark.parametrize("text", ["", "a\x1bb", "キー"])
def test_what_is_no_key_is_not_tried(settings, text):
    """Nothing, control characters and foreign letters: asked again, and nothing is sent."""
    host = Host()

    answers = interview(Script("runware", text, KEY, ""), settings(), host)

    assert host.asked == [KEY]
    assert answers.key == SecretStr(KEY)


def test_a_provider_that_cannot_be_reached_is_no_reason_to_stop(settings):
    """The key is kept unchecked."""
    script = Script("runware", KEY, "")

    def away(provider, key):
        raise UnavailableError("runware cannot be reached")

    answers = interview(script, settings(), away)

    assert (answers.verdict, answers.key) == ("unchecked", SecretStr(KEY))
    assert "could not be checked: runware cannot be reached" in script.transcript


def test_the_sandbox_is_asked_nothing(settings):
    """It takes any key, so that it would prove nothing."""
    answers = interview(Script("runware", KEY, ""), settings(), None)

    assert answers.verdict == "unchecked"


@pytest.mark.parametrize(
    ("configured", "typed", "kept"),
    [
        ("", "", None),
        ("", ".", None),
        ("", "a/b", "a/b/"),
        ("", "~/Pictures/", "~/Pictures/"),
        ("", "out/{slug}.{ext}", "out/{slug}.{ext}"),
        ("output = '~/old/'", "", "~/old/"),
        ("output = '~/old/'", ".", None),
    ],
)
def test_the_folder_is_kept_as_it_is_typed(settings, configured, typed, kept):
    """What is configured stays with Enter; a dot is the current folder again."""
    answers = interview(Script("runware", KEY, typed), settings(configured), Host())

    assert answers.output == kept


def test_a_file_is_no_folder(settings, tmp_path):
    (tmp_path / "taken").touch()
    script = Script("runware", KEY, str(tmp_path / "taken"), "free")

    answers = interview(script, settings(), Host())

    assert answers.output == "free/"
    assert "is a file" in script.transcript


@pytest.mark.parametrize("answers", [(), ("runware",), ("runware", KEY)])
def test_leaving_early_leaves_nothing(settings, home, answers):
    """Ctrl-C at any question: what stood in the file stands there still."""
    before = settings("# mine\noutput = 'here/'\n")
    text = before.file.read_text("utf-8")

    with pytest.raises(typer.Abort):
        interview(Script(*answers), before, Host())

    assert before.file.read_text("utf-8") == text


def test_a_key_can_be_used_before_it_is_saved(host, clock, monkeypatch):
    """What is asked with it goes to the provider's own host; the one that is configured is left out."""
    monkeypatch.setenv("RUNWARE_API_KEY", OTHER)
    runtime = Runtime(stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO(), clock=clock)
    runware = providers.load("runware")

    runtime.router.use(runware, SecretStr(KEY))
    runtime.engine.check(runware, sandbox=False)
    runtime.close()

    assert [seen.headers["authorization"] for seen in host.requests] == [f"Bearer {KEY}"]
