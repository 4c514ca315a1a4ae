"""--status-fd: one JSON line when the command has started, one when it has ended."""

import json
import os

import pytest
from supervision import OPEN, marker, processes_with, started


def lines_of(box, *arguments, mode=OPEN):
    read, write = os.pipe()
    result = box.tool(*mode, "--status-fd", str(write), *arguments, pass_fds=(write,))
    os.close(write)
    with os.fdopen(read) as stream:
        return result, [json.loads(line) for line in stream]


def test_R1_status_of_a_plain_end(box):
    result, (start, end) = lines_of(box, "--name", "plain", "--", "/bin/sh", "-c", "echo $$; exit 7")
    assert start["event"] == "start" and start["name"] == "plain" and start["mode"] == "run"
    assert start["command_pid"] == int(result.stdout) and start["pid"] not in (0, start["command_pid"])
    assert end["event"] == "end" and end["reason"] == "exited" and end["status"] == 7 == result.status
    assert "signal" not in end and end["killed"] == 0
    assert 0 < end["elapsed_s"] < 10 and end["max_rss_kib"] > 100


def test_R1_status_of_a_signal(box):
    _, (_, end) = lines_of(box, "--", "/bin/sh", "-c", "kill -TERM $$")
    assert (end["reason"], end["status"], end["signal"]) == ("signaled", 143, 15)


def test_R1_status_of_a_timeout(box):
    _, (_, end) = lines_of(box, "--timeout", "0.3", "--", "/bin/sh", "-c", "sleep 60 & sleep 60")
    assert (end["reason"], end["status"]) == ("timeout", 124)


def test_R1_status_counts_what_was_killed(box):
    script = "trap '' TERM; (while :; do sleep 5; done) & (while :; do sleep 5; done) & exit 0"
    _, (_, end) = lines_of(box, "--", "/bin/sh", "-c", script)
    assert end["status"] == 0 and end["killed"] >= 2


def test_R1_status_of_a_command_that_cannot_start(box):
    script = box.file("script", "#!/bin/sh\n", 0o755)
    result, (end,) = lines_of(box, "--", script, mode=("run", "-r", "/usr", "-r", "/etc"))
    assert result.status == 126
    assert (end["event"], end["reason"], end["status"]) == ("end", "not-started", 126)
    assert "script" in end["error"]


@pytest.mark.parametrize("what", ["closed", "full"])
def test_R1_a_reader_that_is_gone_or_slow_delays_nobody(box, what):
    read, write = os.pipe()
    if what == "closed":
        os.close(read)
    else:
        os.set_blocking(write, False)
        while True:
            try:
                os.write(write, b"x" * 4096)
            except BlockingIOError:
                break
    result = box.tool(*OPEN, "--status-fd", str(write), "--", "/bin/sh", "-c", "exit 3", pass_fds=(write,))
    os.close(write)
    assert result.status == 3 and result.elapsed_s < 6


def test_L22_the_command_does_not_have_the_status_descriptor(box):
    result, _ = lines_of(box, "--", "/bin/sh", "-c", "ls /proc/self/fd | wc -l")
    assert result.stdout.strip() == "4", result.describe()


def test_R2_the_end_line_comes_after_the_tree(box):
    mark = marker()
    read, write = os.pipe()
    with started(box, *OPEN, "--status-fd", str(write), "--", "/bin/sh", "-c", "setsid sh -c 'sleep 60; :' x & exit 1", mark, pass_fds=(write,)) as tool:
        os.close(write)
        with os.fdopen(read) as stream:
            lines = [json.loads(line) for line in stream]
        assert not processes_with(mark) or tool.wait(60) == 1
        assert lines[-1]["killed"] >= 1
