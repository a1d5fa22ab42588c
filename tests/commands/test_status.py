"""``flux status``: how jobs are doing, without ever spending anything."""

from __future__ import annotations

import re
import shlex
from contextlib import closing
from pathlib import Path

import pytest

from flux_cli.jobs import Job
from flux_cli.ledger.ledger import Ledger
from flux_cli.sandbox.wire import reply


def test_no_jobs_yet(flux):
    """An empty list is no error and prints nothing on stdout."""
    done = flux("status", "--sandbox")

    assert (done.code, done.out) == (0, "")


def test_the_list_is_tab_separated_and_without_a_header(flux, queued):
    """One job a line, the newest first: id, status, provider, model, created, cost, paths, prompt."""
    first = queued("runware", "a red\tfox\nin \x1b[31msnow")
    second = queued("runflow", "two")

    done = flux("status", "--sandbox")

    rows = [line.split("\t") for line in done.lines]
    assert [row[0] for row in rows] == [second["id"], first["id"]]
    assert {len(row) for row in rows} == {8}
    assert rows[1][:4] == [first["id"], "queued", "runware", "flux-1.1-pro-ultra"]
    assert rows[1][4] == first["created_at"]
    assert rows[1][7] == "a red fox in \\x1b[31msnow"
    assert done.err == ""


def test_active_jobs_are_asked_about(flux, queued, clock):
    """A list shows the state of now; --offline the last known one, and asks nobody."""
    queued("runware")
    clock.sleep(5)

    offline = flux("status", "--sandbox", "--offline", "--json").object
    online = flux("status", "--sandbox", "--json").object

    assert (offline["status"], online["status"]) == ("queued", "succeeded")
    assert online["finished_at"] is not None


def test_the_list_can_be_narrowed(flux, queued, clock):
    """--limit, --provider and --active each leave out the others."""
    old = queued("runcomfy", "old")
    clock.sleep(5)
    flux("status", "--sandbox")
    ours = queued("runware", "new")
    last = queued("runflow", "last")

    def ids(*options):
        return [job["id"] for job in flux("status", "--sandbox", "--json", *options).objects]

    assert ids() == [last["id"], ours["id"], old["id"]]
    assert ids("--limit", "2") == [last["id"], ours["id"]]
    assert ids("--provider", "runware") == [ours["id"]]
    assert ids("--active") == [last["id"], ours["id"]]
    assert flux("status", "--limit", "0", "--sandbox").code == 2
    assert flux("status", "-p", "nobody", "--sandbox").code == 2
    assert flux("status", "@1", "--active", "--sandbox").code == 2


def test_the_list_shows_twenty(flux, queued):
    """Twenty jobs unless another limit is given."""
    for prompt in ("first", "second"):
        assert flux("generate", prompt, "--sandbox", "-p", "runflow", "-n", "11", "--no-wait").code == 0

    assert len(flux("status", "--sandbox", "--offline").lines) == 20
    assert len(flux("status", "--sandbox", "--offline", "--limit", "30").lines) == 22


def test_one_job_in_every_detail(flux):
    """Prompt, seed, parameters, cost, paths and times of one job, a fact a line."""
    flux("generate", "a red fox", "--sandbox", "-s", "7", "-a", "1:1", "-o", "fox.jpg", "-P", "ttl=60")

    done = flux("status", "@1", "--sandbox")

    facts = dict(line.split("\t", 1) for line in done.lines)
    assert facts["prompt"] == "a red fox"
    assert facts["seed"] == "7"
    assert facts["aspect_ratio"] == "1:1"
    assert facts["provider"] == "runware (sandbox)"
    assert facts["image"].split(" ")[0].endswith("/fox.jpg")
    assert "2048x2048" in facts["image"]
    assert facts["cost"] == "$0.06"
    assert "ttl" in facts["param"]
    assert {"created", "finished", "run", "remote id"} <= facts.keys()


OUTCOMES = [
    ("a fox", 5, 0),
    ("a fox", 0, 8),
    ("sandbox:fail", 5, 1),
    ("sandbox:moderated", 5, 5),
    ("sandbox:never", 5, 8),
]


@pytest.mark.parametrize(("prompt", "later", "code"), OUTCOMES)
def test_the_exit_code_is_about_the_question_unless_asked_otherwise(flux, queued, clock, prompt, later, code):
    """0 whatever the answer; with --exit-status what the job would end with."""
    job = queued("runware", prompt)["id"]
    clock.sleep(later)

    assert flux("status", job, "--sandbox").code == 0
    assert flux("status", job, "--sandbox", "--exit-status").code == code
    assert flux("status", "--sandbox").code == 0


def test_exit_status_of_several_jobs(flux, queued, clock):
    """Some worked and some did not: 9."""
    queued("runware", "sandbox:fail")
    queued("runware", "a fox")
    clock.sleep(5)

    assert flux("status", "--sandbox", "--exit-status").code == 9


REFRESH_FAILS = [
    reply(503, {"code": "UNAVAILABLE", "message": "try later"}),
    reply(500, {}),
    reply(401, {"code": "UNAUTHORIZED", "message": "no"}),
    reply(200, {"what": "is this"}),
]


@pytest.mark.parametrize("answer", REFRESH_FAILS, ids=lambda answer: str(answer.status))
@pytest.mark.parametrize("listed", [True, False])
def test_a_refresh_that_fails_shows_the_last_known_row(flux, host, answer, listed):
    """The row as it was, a warning, exit 4; the job is untouched."""
    job = flux("generate", "a red fox", "-p", "runflow", "--no-wait", "--json").object
    host.script = lambda call: answer

    done = flux("status", "--json", *([] if listed else [job["id"]]))

    assert done.code == 4
    assert (done.object["id"], done.object["status"], done.object["error"]) == (job["id"], job["status"], None)
    (warning,) = done.err.splitlines()
    assert warning.startswith(f"flux: warning: job {job['id']}")


def test_one_of_several_refreshes_fails(flux, host):
    """The others are fresh, the exit code is 4."""
    flux("generate", "a red fox", "-p", "runware", "--no-wait")
    stuck = flux("generate", "a red fox", "-p", "runflow", "--no-wait", "--json").object["id"]
    host.script = lambda call: reply(500, {}) if call.path.startswith("/v1/runs") else None

    done = flux("status", "--json")

    assert done.code == 4
    assert {job["id"] == stuck: job["status"] for job in done.objects} == {True: "queued", False: "succeeded"}


def test_status_only_ever_reads(flux, host):
    """Whatever is asked, no paid request leaves; a job of unknown outcome is not sent again."""
    from flux_cli.sandbox.wire import LostReply

    def lose(call):
        if call.method == "POST":
            raise LostReply("x")

    host.script = lose
    bought = flux("generate", "a red fox", "-p", "runcomfy", "--json").object
    flux("generate", "a red fox", "-p", "runware", "--no-wait")
    host.script = None
    before = host.paid.copy()

    for typed in (["status"], ["status", bought["id"]], ["status", "--active"], ["status", "--exit-status"]):
        flux(*typed)

    assert bought["status"] == "unknown"
    assert host.paid == before


def test_an_unknown_job_is_settled_by_reading(flux, host):
    """Where the id is ours (Runware), a job whose answer was lost is found by asking for it."""
    from flux_cli.sandbox.wire import LostReply

    lost = []

    def lose_the_submit(call):
        if b"imageInference" in call.body:
            lost.append(host.world.answer_as("runware", call).status)
            raise LostReply("x")

    host.script = lose_the_submit
    bought = flux("generate", "a red fox", "-p", "runware", "--json")
    host.script = None

    settled = flux("status", bought.object["id"], "--json")

    assert lost[0] == 200
    assert bought.code == 7
    assert (settled.code, settled.object["status"], settled.object["error"]) == (0, "succeeded", None)


def test_a_status_never_heard_of_is_running_and_named(flux, host):
    """A new state of the provider's is shown by its name, and is no failure."""
    job = flux("generate", "a red fox", "-p", "apiframe", "--no-wait", "--json").object
    host.script = lambda call: reply(200, {"id": job["remote_id"], "status": "DREAM\x1bING"})

    told = flux("status", job["id"], "--json").object
    shown = flux("status", job["id"])

    assert told["status"] == "running"
    assert "DREAM" in told["detail"]
    assert "\x1b" not in shown.out
    assert shown.code == 0


def test_a_terminal_gets_a_table(flux, queued):
    """On a terminal there is a header, and a row still begins with the id."""
    job = queued("runware", "a [bold]red[/bold] fox")

    done = flux("status", "--sandbox", tty=True)

    assert "ID" in done.lines[0]
    assert any(line.strip().startswith(job["id"]) for line in done.lines)
    assert "[bold]" in done.out.replace("\n", "")


def test_a_job_that_nobody_knows_of_says_what_to_do(flux):
    """In a list on stderr, one line a job; in the details of one job among them."""
    assert flux("generate", "a sandbox:lost-reply fox", "--sandbox", "-p", "runcomfy").code == 7

    listed, alone = flux("status", "--sandbox"), flux("status", "--sandbox", "@1")

    (line,) = [line for line in listed.err.splitlines() if "it is not known whether" in line]
    assert "before you generate again" in line
    assert (listed.code, alone.code, alone.err) == (0, 0, "")
    assert "hint\t" in alone.out


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["status"], "no jobs yet; the sandbox has 3 jobs: `flux status --sandbox`"),
        (["status", "-p", "runflow"], "no jobs yet; the sandbox has 1 job: `flux status --sandbox -p runflow`"),
        (["status", "-p", "apiframe"], "no jobs yet"),
        (["status", "--active"], "no job is in progress; the sandbox has 2 jobs: `flux status --sandbox --active`"),
        (["status", "--watch"], "no job is in progress; the sandbox has 2 jobs: `flux status --sandbox --active`"),
        (
            ["status", "-b", "p.txt"],
            "no job was made from p.txt; the sandbox has 1 job: `flux status --sandbox --batch p.txt`",
        ),
        (["result", "--all"], "no job has unsaved images; the sandbox has 3 jobs: `flux status --sandbox`"),
        (["cancel", "--all"], "no job is in progress; the sandbox has 2 jobs: `flux status --sandbox --active`"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_where_there_is_nothing_it_says_so_and_what_the_sandbox_has(flux, queued, typed, said):
    """Exit 0 and one line on stderr, the commands in which work; with --quiet none."""
    Path("p.txt").write_text("a hen\n")
    flux("generate", "-b", "p.txt", "--sandbox", "-p", "runware")
    queued("runware")
    queued("runflow")

    done = flux(*typed)

    assert (done.code, done.out, done.err) == (0, "", f"flux: note: {said}\n")
    assert flux(*typed, "--quiet").err == ""
    if "`" in said:
        listed = flux(*said.split("`")[1].split()[1:], "--offline")
        assert len(listed.lines) == int(re.search(r"has (\d)", said)[1])


def test_an_empty_sandbox_says_so_too(flux):
    assert flux("status", "--sandbox").err == "flux: note: no jobs yet\n"


@pytest.mark.parametrize(
    ("words", "prompts"),
    [
        (["-m", "flux-3"], ["an owl"]),
        (["--model", "ULTRA"], ["Ein Bär", "a Red fox"]),
        (["--search", "red"], ["a Red fox"]),
        (["--search", "Bär"], ["Ein Bär"]),
        (["--search", "BÄR"], ["Ein Bär"]),
        (["--search", "ba\u0308R"], ["Ein Bär"]),
        (["--search", "fox red"], ["a Red fox"]),
        (["--search", "fo  RE"], ["a Red fox"]),
        (["--search", "fox owl"], []),
        (["--search", "%"], []),
        (["--search", "_"], []),
        (["-m", "flux-3", "--search", "fox"], []),
        (["-m", "acme/other"], []),
    ],
)
def test_the_list_can_be_narrowed_to_a_model_and_to_words_of_the_prompt(flux, words, prompts):
    for prompt, model in (("a Red fox", "ultra"), ("an owl", "flux-3"), ("Ein Bär", "ultra")):
        flux("generate", "-q", prompt, "-m", model, "--sandbox")

    done = flux("status", "--sandbox", *words)

    assert [line.split("\t")[-1] for line in done.lines] == prompts
    assert ("no job matches" in done.err) is (prompts == [])


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("STRASSE", "eine Straße"),
        ("μεγας", "ΜΕΓΑΣ"),
        ("файл", "ФАЙЛ"),
        ("100%", "at 100% zoom"),
        ("a_b", "file A_B"),
        ("ﬁsh", "a FISH"),
        ("two lines", "lines\ntwo"),
        ("\udce9", "caf\udce9"),
        ("狐", "赤い狐"),
    ],
)
def test_a_search_knows_every_script_and_no_wildcards(book, text, prompt):
    """Case and form of a character do not matter in any language; ``%`` and ``_`` stand for themselves."""
    book.add(Job(id="a1", run="r", provider="runware", model=None, prompt=prompt, created_at=1.0, status="failed"))
    book.add(Job(id="a2", run="r", provider="runware", model=None, prompt="else", created_at=1.0, status="failed"))

    assert [job.id for job in book.recent(sandbox=False, limit=9, search=text)] == ["a1"]


@pytest.fixture
def book(home):
    """Yield this user's ledger."""
    with closing(Ledger(home / ".local" / "state" / "flux-cli" / "ledger.sqlite3")) as ledger:
        yield ledger


DAY = 86_400.0
NOW = 1_795_000_000.0


@pytest.fixture
def weeks(book):
    """Write down a job a day for three weeks, of two models at two providers, and one of the sandbox."""
    for day in range(21):
        book.add(
            Job(
                id=f"d{20 - day:02}", run=f"r{day}", provider=("runware", "runflow")[day % 2], sandbox=False,
                model=("flux-1.1-pro", "flux-1.1-pro-ultra")[day % 2], prompt=f"fox {20 - day}", status="failed",
                created_at=NOW - (20 - day) * DAY - 60, batch="/b" if day % 4 == 0 else None,
            )
        )  # fmt: skip
    book.add(
        Job(
            id="s1", run="s", provider="runware", model="m", prompt="owl", created_at=NOW, status="failed", sandbox=True
        )
    )


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--since", "2d"], ["d00", "d01"]),
        (["--since", "30m"], ["d00"]),
        (["--since", "59s"], None),
        (["--since", "1w", "-p", "runware"], ["d00", "d02", "d04", "d06"]),
        (["--since", "1w", "-p", "runware", "--limit", "2"], ["d00", "d02"]),
        (["--since", "1w", "-m", "ultra", "--search", "3"], ["d03"]),
        (["--since", "1w", "-p", "runware", "-m", "ultra"], []),
        (["--since", "9d", "--batch", "/b"], ["d00", "d04", "d08"]),
        (["--since", "2d", "--active"], []),
        (["--since", "2d", "--watch"], []),
        (["--search", "owl"], []),
    ],
)
@pytest.mark.parametrize("json", [False, True])
def test_all_that_narrows_the_list_works_together(flux, weeks, options, ids, json):
    done = flux("status", *options, *(["--json"] if json else []))

    if ids is None:
        assert done.code == 2
        return
    found = [one["id"] for one in done.objects] if json else [line.split("\t")[0] for line in done.lines]
    assert (done.code, found) == (0, ids)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--search", "owl"],
            "no job matches --search owl; the sandbox has 1 job: `flux status --sandbox --search owl`",
        ),
        (["--search", "a hen"], "no job matches --search 'a hen'; there are 21 other jobs"),
        (["-m", "ultr"], "no job matches -m ultr; did you mean -m ultra?"),
        (["-m", "flux-3", "--since", "2d"], "no job matches -m flux-3 --since 2d; there are 21 other jobs"),
        (["--since", "2d", "--active"], "no job in progress matches --since 2d"),
    ],
)
def test_where_no_job_matches_it_says_what_there_is(flux, weeks, options, said):
    done = flux("status", *options)

    assert (done.code, done.out, done.err) == (0, "", f"flux: note: {said}\n")


def test_older_jobs_that_are_left_out_are_listed_by_the_command_of_the_note(flux, queued, clock):
    old = queued("runware", "a fox sandbox:never")
    queued("runware", "an owl sandbox:never")
    new = queued("runware", "a red fox")

    done = flux("status", "--sandbox", "--search", "FOX", "--since", "1h", "--limit", "1")
    command = done.err.split("`")[1]
    again = flux(*shlex.split(command)[1:])

    assert [line.split("\t")[0] for line in done.lines] == [new["id"]]
    assert "1 older job refreshed but not listed" in done.err
    assert command == "flux status --sandbox --search FOX --since 1h --limit 2"
    assert [line.split("\t")[0] for line in again.lines] == [new["id"], old["id"]]


@pytest.mark.parametrize("text", ["", "  "])
def test_a_search_for_nothing_is_refused(flux, text):
    assert "--search needs a word" in flux("status", "--search", text).err


@pytest.mark.parametrize("option", [["-m", "ultra"], ["--search", "fox"], ["--since", "7d"]])
def test_options_that_narrow_the_list_do_not_go_with_a_job(flux, option):
    assert flux("status", "@1", *option).code == 2
