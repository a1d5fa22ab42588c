from __future__ import annotations

import signal
from pathlib import Path

from tests.bare import bare

WISH = ("generate", "-q", "-p", "runcomfy", "a red fox", "--once", "cover")


def test_of_two_at_once_one_buys_and_the_other_waits_for_it(start, host):
    """Also at a provider where a second purchase could not be taken back."""
    held = host.hold("POST", "/v1/models/")
    first = start(*WISH)
    held.wait()  # the first one holds the name, and its purchase is on its way
    second = start(*WISH)
    held.let_go()
    host.finish_jobs()

    ended = [first.end(), second.end()]

    assert [one.code for one in ended] == [0, 0], ended
    assert len({Path(one.line).resolve() for one in ended}) == 1
    assert host.paid["runcomfy"] == 1


def test_a_name_whose_buyer_was_killed_is_followed_up_not_bought_again(start, warm, host):
    program = start(*WISH, "--no-wait")
    program.end()
    waiting = start(*WISH)
    waiting.signal(signal.SIGKILL)
    waiting.end()
    host.finish_jobs()

    ended = warm(*WISH)

    assert ended.code == 0, ended.err
    assert bare(Path(ended.line).read_bytes()) in host.images.values()
    assert host.paid["runcomfy"] == 1
