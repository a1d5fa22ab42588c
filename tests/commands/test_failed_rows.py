"""``FILE.failed.jsonl``: the rows that may safely be asked for again, and none that was bought or would be refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flux_cli.sandbox.wire import Answer, LostReply, reply
from tests.loopback import LoopbackServer

RUNWARE = ("-p", "runware")
FAILED = Path("p.jsonl.failed.jsonl")


def write(*rows: dict, name: str = "p.jsonl") -> str:
    Path(name).write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return name


def fed_back() -> list[dict]:
    """Return the rows that may be fed back."""
    return [json.loads(line) for line in FAILED.read_text("utf-8").splitlines()] if FAILED.exists() else []


def refusing(host: LoopbackServer, answer: Answer | None, part: bytes = b"imageInference", *, times: int = 99) -> list:
    """Let paid requests that hold ``part`` be answered so, or not at all; return those that came."""
    came: list = []

    def script(call):
        if call.method == "POST" and part in call.body and (b"imageInference" in call.body or "models" in call.path):
            came.append(call)
            if len(came) <= times:
                if answer is None:
                    raise LostReply
                return answer
        return None

    host.script = script
    return came


EMPTY = reply(402, {"errors": [{"code": "insufficientCredits", "message": "empty"}]})
NO_KEY = reply(401, {"errors": [{"code": "invalidApiKey", "message": "no"}]})
BUSY = reply(429, {"errors": [{"code": "rateLimit", "message": "later"}]})


def test_rows_that_fail_do_not_stop_the_others(flux, host):
    """What failed may be fed back, as it was written; what was blocked may not: it would be blocked again."""
    rows = [
        {"prompt": "fox sandbox:fail", "seed": 3, "format": "png"},
        {"prompt": "owl sandbox:moderated"},
        {"prompt": "hen"},
        {"prompt": "r\u00e9nard \u7ea2 sandbox:fail"},
    ]

    done = flux("generate", "-b", write(*rows), *RUNWARE)

    assert (done.code, len(done.lines)) == (9, 1)
    assert fed_back() == [rows[0], rows[3]]
    assert "r\u00e9nard \u7ea2" in FAILED.read_text("utf-8")
    assert "1 of 4 jobs done, 2 failed, 1 moderated" in done.err
    assert "2 rows can be retried: `flux generate --batch p.jsonl.failed.jsonl`" in done.err
    assert "flux: error: p.jsonl:2: " in done.err


def test_what_is_fed_back_and_made_is_made(flux, host):
    """The origin is then complete; feeding back twice buys nothing, and the origin's own list is gone."""
    refusing(host, BUSY, b"owl", times=20)
    write({"prompt": "fox"}, {"prompt": "owl"}, name="p.jsonl")
    first = flux("generate", "-b", "p.jsonl", *RUNWARE, "-j", "1")
    host.script = None

    fed = flux("generate", "-b", str(FAILED), *RUNWARE)
    again = flux("generate", "-b", str(FAILED), *RUNWARE)
    origin = flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume")

    assert (first.code, fed.code, again.code, origin.code) == (9, 0, 2, 0)
    assert (len(fed.lines), origin.out, host.accepted("runware")) == (1, "", 2)
    assert "2 rows made before" in origin.err
    assert not FAILED.exists()


def test_the_second_of_two_equal_rows_is_fed_back_as_such(flux, host):
    """It is no reason to take it for the first one, which is made; nor is the first one made again."""
    write({"prompt": "fox"}, {"prompt": "fox"}, {"prompt": "fox"})
    taken = []

    def script(call):
        if b"imageInference" in call.body:
            taken.append(call)
            return EMPTY if len(taken) > 1 else None
        return None

    host.script = script
    first = flux("generate", "-b", "p.jsonl", *RUNWARE, "-j", "1")
    rows = fed_back()
    host.script = None

    fed = flux("generate", "-b", str(FAILED), *RUNWARE)
    again = flux("generate", "-b", str(FAILED), *RUNWARE)
    origin = flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume")

    assert (first.code, rows) == (9, [{"prompt": "fox", "copy": 2}, {"prompt": "fox", "copy": 3}])
    assert (fed.code, len(fed.lines), again.code) == (0, 2, 2)
    assert (origin.code, origin.out, host.accepted("runware")) == (0, "", 3)


def test_a_resume_makes_them_too(flux, host):
    """Then there is nothing left to feed back."""
    refusing(host, EMPTY)
    write({"prompt": "fox"}, {"prompt": "owl"})
    first = flux("generate", "-b", "p.jsonl", *RUNWARE, "-j", "1")
    listed = fed_back()
    host.script = None

    rest = flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume")

    assert (first.code, len(listed)) == (6, 2)
    assert (rest.code, len(rest.lines), host.accepted("runware")) == (0, 2, 2)
    assert not FAILED.exists()


def test_whatever_failed_safely_needs_no_resume(flux, host):
    """Nothing of the file was made, nor may have been: it is no file with rows that were made before."""
    refusing(host, NO_KEY)
    write({"prompt": "fox"})
    flux("generate", "-b", "p.jsonl", *RUNWARE)
    host.script = None

    assert flux("generate", "-b", "p.jsonl", *RUNWARE).code == 0


@pytest.mark.parametrize(("answer", "code"), [(EMPTY, 6), (NO_KEY, 3)], ids=["credits", "key"])
def test_what_the_next_row_would_meet_as_well_is_met_once(flux, host, answer, code):
    """The rest is not sent, is said to be so, and may be fed back; rows at other providers go on."""
    came = refusing(host, answer)
    rows = [*({"prompt": f"fox {n}"} for n in range(9)), {"prompt": "owl", "provider": "runflow"}]

    done = flux("generate", "-b", write(*rows), *RUNWARE, "-j", "1")

    assert (done.code, len(done.lines), len(came)) == (9, 1, 1)
    assert "8 of them never sent" in done.err
    assert "the rest was not sent: runware: " in done.err
    assert fed_back() == rows[:9]
    assert done.err.count("flux: error:") == 1
    host.script = None
    assert flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume").code == 0
    assert code in {3, 6}


def test_a_provider_that_stays_out_of_reach_is_left_alone(flux, host):
    """After five rows in a row; one that is made in between shows that somebody is there."""
    came = refusing(host, BUSY)
    rows = [{"prompt": f"fox {n}"} for n in range(9)]

    done = flux("generate", "-b", write(*rows), *RUNWARE, "-j", "1")

    assert (done.code, fed_back()) == (4, rows)
    assert "4 of them never sent" in done.err
    assert len({json.loads(call.body)[0]["positivePrompt"] for call in came}) == 5


@pytest.mark.parametrize("provider", ["runcomfy", "apiframe"])
def test_what_may_have_been_bought_is_never_fed_back(flux, host, provider):
    """Where the API can, the repeat is safe and the row is made; else it is unknown."""
    lost = []

    def script(call):
        if call.method == "POST" and b"owl" in call.body and not lost:
            lost.append(host.world.answer_as(provider, call))
            raise LostReply

    host.script = script
    write({"prompt": "fox"}, {"prompt": "owl"})

    done = flux("generate", "-b", "p.jsonl", "-p", provider, "-j", "1")

    assert done.code == (0 if provider == "apiframe" else 9)
    assert fed_back() == []
    assert host.accepted(provider) == 2


def test_a_row_of_which_a_part_was_made_is_completed_not_fed_back(flux, host):
    """Feeding it back would read as if all of it were wanted again; --resume makes the rest of it."""
    refusing(host, reply(402, {"error": "Insufficient credits"}), b'"seed":6')
    write({"prompt": "fox", "count": 3, "seed": 5})

    first = flux("generate", "-b", "p.jsonl", "-p", "runcomfy", "-j", "1")
    host.script = None
    rest = flux("generate", "-b", "p.jsonl", "-p", "runcomfy", "--resume", "--json")

    assert (first.code, len(first.lines), fed_back()) == (9, 1, [])
    assert (rest.code, sorted(one["seed"] for one in rest.objects)) == (0, [6, 7])
    assert host.accepted("runcomfy") == 3


def test_a_row_that_was_cut_off_is_not_fed_back_for_the_part_that_failed(flux, host, clock):
    """One of its jobs failed, another one is under way."""

    def script(call):
        if call.method == "POST" and b'"seed":5' in call.body:
            return BUSY
        if call.method == "POST" and b'"seed":6' in call.body:
            clock.stop(2)
        return None

    host.script = script
    fox = {"prompt": "fox", "seed": 5, "provider": "runcomfy"}
    owl = {"prompt": "owl", "seed": 5, "provider": "runflow", "count": 2}

    done = flux("generate", "-b", write(fox, owl), "-j", "1")
    clock._stopped.clear()

    assert (done.code, fed_back()) == (130, [fox])


def test_what_was_blocked_before_is_told_again_and_not_bought(flux, host):
    write({"prompt": "fox sandbox:moderated"}, {"prompt": "owl"})
    flux("generate", "-b", "p.jsonl", *RUNWARE, "-q")

    rest = flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume", "--json")

    assert (rest.code, [(one["row"], one["error"]["code"]) for one in rest.objects]) == (9, [(1, "moderated")])
    assert host.paid["runware"] == 2


def test_images_that_a_job_did_not_make_are_told_again(flux, host):
    """A row of three of which two were blocked does not come out as made."""
    part = []

    def script(call):
        if b"getResponse" not in call.body:
            return None
        found = json.loads(host.world.answer_as("runware", call).body)
        part[:] = found["data"][:1]
        blocked = {"code": "invalidProviderContent", "message": "blocked", "taskUUID": part[0]["taskUUID"]}
        return reply(200, {"data": part, "errors": [blocked, blocked]})

    host.script = script
    first = flux("generate", "-b", write({"prompt": "fox", "count": 3}), *RUNWARE)
    rest = flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume")

    assert part
    assert (first.code, rest.code, fed_back()) == (9, 9, [])
    assert "p.jsonl:1: 2 of 3 images were not made" in rest.err
    assert host.paid["runware"] == 1


def test_where_the_list_cannot_be_written_that_is_said(flux, host):
    """Nothing else changes, nothing is left behind, and --resume makes the rows all the same."""
    name = f"{'p' * 243}.jsonl"  # no room for what the list's name has more
    refusing(host, EMPTY)
    write({"prompt": "fox"}, name=name)

    done = flux("generate", "-b", name, *RUNWARE)
    host.script = None

    assert done.code == 6
    assert f"flux: warning: cannot write {name}.failed.jsonl: " in done.err
    assert "--resume makes these rows anyway" in done.err
    assert [path.name for path in Path().iterdir()] == [name]
    assert flux("generate", "-b", name, *RUNWARE, "--resume").code == 0


OURS = '{"prompt": "owl"}\n'
EDITS = {
    "left alone": OURS,
    "a row edited": '{"prompt": "a better owl"}\n',
    "a row added": OURS + '{"prompt": "hen"}\n',
    "emptied": "",
}


@pytest.fixture
def once_failed(flux, host):
    """Leave a batch of two rows of which the second failed, and its list."""
    refusing(host, EMPTY, b"owl")
    assert flux("generate", "-b", write({"prompt": "fox"}, {"prompt": "owl"}), *RUNWARE, "-j", "1").code == 9
    host.script = None
    assert FAILED.read_text("utf-8") == OURS


@pytest.mark.usefixtures("once_failed")
@pytest.mark.parametrize("text", EDITS.values(), ids=EDITS)
def test_a_run_that_is_interrupted_leaves_the_list_as_it_is(flux, host, clock, text):
    """Whatever it holds: what the run would have come to, nobody knows."""
    FAILED.write_text(text, "utf-8")
    host.script = lambda _: clock.stop(2)

    done = flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume")
    clock._stopped.clear()

    assert (done.code, FAILED.read_text("utf-8")) == (130, text)
    assert [path.name for path in Path().glob("*.failed*")] == [FAILED.name]


@pytest.mark.usefixtures("once_failed")
@pytest.mark.parametrize("text", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("fails", [True, False], ids=["owl fails again", "all made"])
def test_a_run_that_is_finished_replaces_the_list_unless_it_was_changed(flux, host, text, fails):
    """What was changed stays; the new one then has another name, which is said, and can be fed back as well."""
    FAILED.write_text(text, "utf-8")
    if fails:
        refusing(host, NO_KEY, b"owl")

    done = flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume")
    host.script = None

    other = Path("p.jsonl.failed-2.jsonl")
    kept = f"flux: warning: {FAILED} was changed after flux wrote it, and is kept; "
    if text == OURS:
        assert (FAILED.exists(), other.exists(), kept in done.err) == (fails, False, False)
    else:
        assert (FAILED.read_text("utf-8"), other.exists()) == (text, fails)
        assert kept + (f"the rows that failed are in {other}" if fails else "there are no rows ") in done.err
    if fails:
        named = str(FAILED if text == OURS else other)
        assert f"1 row can be retried: `flux generate --batch {named}`" in done.err
        assert Path(named).read_text("utf-8") == OURS
        assert len(flux("generate", "-b", named, *RUNWARE).lines) == 1
        assert "nothing left to do" in flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume").err
        assert (host.accepted("runware"), other.exists()) == (2, False)


@pytest.mark.parametrize("kind", ["a file", "a folder", "a link that leads nowhere"])
def test_what_flux_did_not_write_is_never_replaced(flux, host, kind):
    """It may have been there before the batch was first made."""
    if kind == "a folder":
        FAILED.mkdir()
    elif kind == "a file":
        FAILED.write_text(OURS, "utf-8")
    else:
        FAILED.symlink_to("nowhere")
    refusing(host, EMPTY, b"owl")

    done = flux("generate", "-b", write({"prompt": "owl"}), *RUNWARE)

    assert Path("p.jsonl.failed-2.jsonl").read_text("utf-8") == OURS
    assert f"{FAILED} was changed after flux wrote it, and is kept" in done.err
    assert (FAILED.is_dir(), FAILED.is_symlink()) == (kind == "a folder", kind.startswith("a link"))


def test_rows_of_stdin_have_a_list_too(flux, host):
    refusing(host, EMPTY)

    done = flux("generate", "-b", "-", *RUNWARE, stdin="fox\n")

    assert "`flux generate --batch stdin.failed.jsonl`" in done.err
    assert Path("stdin.failed.jsonl").read_text("utf-8") == '{"prompt": "fox"}\n'


def test_any_name_is_told_as_it_would_be_typed(flux, host):
    refusing(host, EMPTY)

    done = flux("generate", "-b", write({"prompt": "fox"}, name="my; rows.jsonl"), *RUNWARE)

    assert "`flux generate --batch 'my; rows.jsonl.failed.jsonl'`" in done.err


def test_a_job_that_goes_on_is_not_fed_back(flux, host):
    """That nobody may ask about it, as the key is refused by now, does not undo that it was bought."""
    flux("generate", "-b", write({"prompt": "fox"}), *RUNWARE, "--no-wait")
    host.script = lambda _: NO_KEY
    asked = flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume")
    host.script = None

    rest = flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume")

    assert (asked.code, fed_back()) == (3, [])
    assert (rest.code, len(rest.lines), host.paid["runware"]) == (0, 1, 1)


def test_one_job_that_may_have_been_bought_elsewhere_keeps_a_row_from_being_fed_back(flux, host):
    """Also where the other jobs of the row failed safely, before it and after it."""

    def script(call):
        if b"imageInference" in call.body:
            return EMPTY
        if call.method == "POST" and b'"seed":6' in call.body:
            raise LostReply
        return reply(402, {"error": "Insufficient credits"}) if call.method == "POST" else None

    host.script = script
    write({"prompt": "fox", "count": 3, "seed": 5})

    done = flux("generate", "-b", "p.jsonl", *RUNWARE, "--fallback", "runcomfy", "-j", "1")

    assert (done.code, fed_back()) == (7, [])
    assert "0 of 1 jobs done, 1 unknown" in done.err
