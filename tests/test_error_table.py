"""Every failure in the source: how it reads, what it says of money, and that what it tells to type can be typed."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from typer.main import get_command

from flux_cli import providers
from flux_cli.cli import COMMANDS, app
from flux_cli.display.output import Human
from flux_cli.display.streams import Streams
from flux_cli.errors import AuthError, ModeratedError, PaymentError
from flux_cli.http.router import missing_key
from flux_cli.jobs import Job
from flux_cli.providers.hints import with_hint
from tests.error_table import BLANK, main, table

JOB = Job(id="foxfoxfo", run="w8t2c5ra", provider="runware", model=None, prompt="fox", created_at=0.0, status="failed")
ADVISED = ("providers/", "runs/plan.py", "http/body.py", "http/client.py", "http/endpoint.py")
"""Where an error gets its hint later, from `flux_cli.providers.hints`."""
REASONS = {"another file has appeared there and was not replaced"}
"""What is only ever told inside of a warning."""


def test_the_table_holds_every_kind_of_failure():
    """Nothing is read past: each exit code but 0 has a row, and each kind of refusal its own."""
    rows = table()

    assert {row.kind.exit_code for row in rows} == set(range(1, 11))
    assert len(rows) > 200
    assert len({row.where.split(":")[0] for row in rows}) > 30


def test_every_message_reads_alike():
    """One line, lower case, no full stop."""
    messages = {row.message for row in table() if row.message is not None}

    wrong = [text for text in messages if not re.fullmatch(r"[^A-Z\s](?:.*([^.\s]|JOB\.{3}))?", text)]
    assert wrong == []


def test_every_hint_reads_alike():
    """One line, lower case unless it begins with a name, no full stop."""
    hints = {row.hint for row in table() if row.hint} - {BLANK}

    wrong = [text for text in hints if not re.fullmatch(r"(?:[^A-Z\s]|FLUX_|SHELL).*[^.\s]", text)]
    assert wrong == []


def test_nothing_is_said_in_a_riddle():
    """Words that people have to read twice, or that say who is meant only to whoever wrote them."""
    riddles = (
        r"\b(nobody|somebody|anybody|whoever|told|mend|story|beside|as it would be|is all there is|may be fed back|anew"
        r"|under way|meanwhile|no more|all the same|(?:does|do) not go|goes with|by now)\b"
    )
    texts = {text for row in table() for text in (row.message, row.hint) if text}

    assert [text for text in texts if re.search(riddles, text)] == []


def test_every_refusal_says_what_to_do():
    """A refusal of what was typed has a hint of its own, or gets one from its provider."""
    rows = [row for row in table() if row.kind.code == "usage" and not row.where.startswith(ADVISED)]

    assert [row for row in rows if row.hint == "" and row.message not in REASONS] == []


MONEY = {
    "usage": {"no"},
    "auth": {"no"},
    "unavailable": {"no"},
    "payment": {"no"},
    "moderated": {"no", "unknown"},
    "failed": {"no", "unknown", "yes or unknown", "no or unknown"},
    "unknown": {"unknown", "yes"},
    "pending": {"unknown"},
    "partial": {"no", "unknown", "yes"},
    "unsaved": {"yes"},
}
"""By code, what may be said of the charge. What --once did not buy is partial, and not charged."""


@pytest.mark.parametrize("code", MONEY)
def test_no_failure_lies_about_money(code):
    """What was never sent is never charged, what is only to be fetched always is, and the rest is not guessed."""
    told = {row.charged for row in table() if row.kind.code == code and row.charged != BLANK}

    assert told
    assert told <= MONEY[code]


def test_every_failure_of_a_job_says_whether_it_was_charged():
    """For people, in one line, whichever failure it is."""
    kinds = {row.kind for row in table()}

    for kind in kinds:
        error = kind("runware: no luck", hint="try again")
        out, err = io.StringIO(), io.StringIO()
        Human(Streams(out, err)).error(error, replace(JOB, error=error))
        message, hint, charged = err.getvalue().splitlines()
        assert (message, hint) == ("flux: error: runware: no luck", "hint: try again")
        assert re.fullmatch("charged: (yes|no|unknown, runware (does not say|has not said yet))", charged), kind


def test_a_job_that_cannot_be_cancelled_is_not_said_to_cost_nothing(flux):
    """That our own refusal is free says nothing about the job, which goes on and is billed."""
    flux("generate", "a red fox", "--sandbox", "-p", "runware", "--no-wait")

    refused = flux("cancel", "@1", "--sandbox")

    assert refused.code == 2
    assert "charged" not in refused.err


def options() -> dict[str, set[str]]:
    """Return the options of each command, by what is typed before them."""
    whole = get_command(app())
    found = {"flux": {name for option in whole.params for name in option.opts}}
    for name, command in whole.commands.items():
        for below, one in getattr(command, "commands", {"": command}).items():
            typed = {word for option in one.params for word in (*option.opts, *option.secondary_opts)}
            found[f"flux {name} {below}".strip()] = typed | {"--help"}
    return found


def test_what_a_hint_tells_to_type_can_be_typed():
    """Each command and each option in a hint or a message exists, there where it is said to be."""
    known = options()
    everywhere = set().union(*known.values())
    wrong = []

    for row in table():
        text = f"{row.message or ''} {row.hint or ''}"
        wrong += [
            (row.where, option) for option in re.findall(r"(?<![\w-])--[a-z][\w-]+", text) if option not in everywhere
        ]
        for typed in re.findall(r"`(flux [^`]+)`", text):
            words = [word for word in typed.split("...")[0].split() if word != BLANK]
            command = " ".join(words[: 3 if words[1:2] == ["config"] else 2])
            mine = [word for word in words if word.startswith("-") and word not in {"-", "--"} and BLANK not in word]
            if BLANK not in command:
                wrong += [(row.where, typed)] * (command not in known or not set(mine) <= known[command])

    assert wrong == []


@pytest.mark.parametrize("kind", [AuthError, ModeratedError, PaymentError])
@pytest.mark.parametrize("name", providers.NAMES)
def test_a_refusal_by_the_vendor_names_the_vendors_page(name, kind):
    """Keys, credits and what is blocked are matters of the vendor's: its page is where to go on."""
    provider = providers.load(name)

    error = with_hint(kind(f"{name}: no"), provider)

    assert set(re.findall(r"https://[\w./-]+", error.hint)) & {
        *re.findall(r"https://[\w./-]+", f"{provider.key_page} {provider.docs}")
    }


@pytest.mark.parametrize("name", providers.NAMES)
def test_a_missing_key_names_the_page_where_keys_are_made(name):
    error = missing_key(providers.load(name))

    assert providers.load(name).key_page in error.hint


MISTYPED = [
    ("genrate fox", "`flux generate`"),
    ("stauts", "`flux status`"),
    ("config shwo", "`flux config show`"),
    ("generate --modle pro fox", "did you mean --model?"),
    ("generate --aspct-ratio 1:1 fox", "did you mean --aspect-ratio?"),
    ("generate --embd fox", "did you mean --embed?"),
    ("status --limt 3", "did you mean --limit?"),
    ("result --opne", "did you mean --open?"),
    ("cancel --al", "did you mean --all?"),
    ("--versoin", "did you mean --version?"),
    ("generate --sandbox fox -p runwear", "did you mean runware?"),
    ("generate --sandbox fox --fallback runwre", "did you mean runware?"),
    ("providers runcomfi", "did you mean runcomfy?"),
    ("generate --sandbox fox -m ulta", "did you mean ultra?"),
    ("generate --sandbox fox -a 16x9", "did you mean 16:9?"),
    ("generate --sandbox fox -a 16:10", "did you mean 3:2?"),
    ("generate --sandbox fox -f jpgg", "did you mean jpg?"),
    ("generate --sandbox fox -o {sed}.png", "did you mean {seed}?"),
    ("config get default_provder", "did you mean default_provider?"),
    ("config set providers.runwear.price 3", "did you mean providers.runware.price?"),
    ("config set generate.aspct_ratio 1:1", "did you mean generate.aspect_ratio?"),
    ("config set default_provider runwear", "did you mean runware?"),
    ("config set generate.model ulta", "did you mean ultra?"),
    ("status --spend --by modle", "did you mean model?"),
    ("generate --sandbox fox -p runflow --raw", " do for flux-1.1-pro-ultra"),
    ("generate --sandbox fox -n many", "--count takes a whole number, not many"),
    ("generate --sandbox fox --seed=two", "--seed takes a whole number, not two"),
    ("generate --sandbox fox --timeout soon", "--timeout takes a number, not soon"),
    ("generate --sandbox a fox", '`flux generate "a red fox"`'),
    ("--quiet status", "`flux status --quiet …`"),
    ("status --all", "`flux status --help`"),
    ("draw", "`flux --help`"),
]


@pytest.mark.parametrize(("typed", "said"), MISTYPED, ids=[typed for typed, _ in MISTYPED])
def test_whatever_is_mistyped_is_answered_with_what_was_meant(flux, typed, said):
    """One nearest name, not a list of them; exit 2, and nothing on stdout."""
    done = flux(*typed.split())

    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert " or --" not in done.err


def test_a_prompt_without_a_command_is_answered_with_the_whole_command(flux):
    done = flux("a red fox")

    assert done.code == 2
    assert "`flux generate 'a red fox'`" in done.err


def test_the_commands_that_the_table_knows_are_all():
    assert {name.split()[1] for name in options() if " " in name} == set(COMMANDS)


def test_the_table_can_be_printed(capsys):
    """``python -m tests.error_table`` is a table in Markdown: as many cells in each line."""
    code = main()

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert len(lines) > 200
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {7}
