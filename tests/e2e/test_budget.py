"""Processes that know nothing of each other keep one budget."""

from __future__ import annotations


def test_processes_side_by_side_keep_one_budget(start, warm, env):
    env["FLUX_BUDGET__DAILY"] = "0.12"

    programs = [start("generate", "-q", "-p", "runware", f"fox {number}", "--no-wait") for number in range(4)]
    ended = [program.end() for program in programs]

    assert sorted(one.code for one in ended) == [0, 0, 6, 6], ended
    assert len(warm("status", "--offline").out.splitlines()) == 2
