"""Nothing outlives the tool, however it ends; nothing confined can stop that."""

import contextlib
import os
import pathlib
import signal
import time

import pytest
from conftest import LEARN_MODE
from supervision import OPEN, children, exists, killer_of, marker, processes_with, started, wait_until

LEARN = (*LEARN_MODE, "-o", "p.toml")
MODES = pytest.mark.parametrize("mode", [OPEN, LEARN], ids=["run", "learn"])

# A child, a daemon forked twice in a session of its own, one that ignores what can be ignored, one that is stopped.
TREE = """
import os, signal, subprocess, sys, time
mark = sys.argv[1]
sleep = ["/bin/sh", "-c", "while :; do sleep 1; done", mark]
subprocess.Popen(sleep)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(n, signal.SIG_IGN)
    os.execv("/bin/sh", ["sh", "-c", "trap '' TERM HUP INT; while :; do sleep 1; done", mark])
stopped = subprocess.Popen(sleep)
stopped.send_signal(signal.SIGSTOP)
time.sleep(0.3)
print("ready", flush=True)
if len(sys.argv) > 2:
    sys.exit(int(sys.argv[2]))
signal.pause()
"""


def tree(mode, mark, *more):
    return (*mode, "--", "/usr/bin/python3", "-c", TREE, mark, *more)


def names_of(pids):
    names = []
    for pid in pids:
        with contextlib.suppress(OSError):
            names.append(pathlib.Path(f"/proc/{pid}/comm").read_text().strip())
    return names


@MODES
def test_R2_sigkill_of_the_tool_kills_all(box, mode):
    mark = marker()
    with started(box, *tree(mode, mark)) as tool:
        assert tool.stdout.readline() == "ready\n"
        assert len(processes_with(mark)) >= 5
        killer = killer_of(tool.pid)
        tool.kill()
        start = time.monotonic()
        wait_until(lambda: not processes_with(mark), 30, "the end of the tree")
        assert time.monotonic() - start < 2
        wait_until(lambda: not exists(killer), 30, "the end of the killer")


@MODES
def test_R2_sigkill_of_the_tool_kills_what_the_command_left(box, mode):
    mark = marker()
    with started(box, *tree(mode, mark, "0")) as tool:
        assert tool.stdout.readline() == "ready\n"
        killer = killer_of(tool.pid)
        wait_until(lambda: "python3" not in names_of(processes_with(mark)), 30, "the end of the command")
        assert processes_with(mark), "nothing is left running"
        tool.kill()
        wait_until(lambda: not processes_with(mark), 30, "the end of what was left")
        wait_until(lambda: not exists(killer), 30, "the end of the killer")


@MODES
def test_R2_what_the_command_left_running_is_ended_and_the_status_is_its_own(box, mode):
    mark = marker()
    with started(box, *tree(mode, mark, "6")) as tool:
        start = time.monotonic()
        assert tool.wait(60) == (6 if mode is OPEN else tool.returncode)
        assert tool.returncode == 6
        assert time.monotonic() - start < 5
        assert not processes_with(mark)
        # The pipe is closed as well: nobody is left who holds it.
        assert tool.stdout.read() == "ready\n"


@MODES
def test_R2_a_timeout_ends_the_tree_within_two_seconds(box, mode):
    mark = marker()
    start = time.monotonic()
    with started(box, *tree((mode[0], *mode[1:], "--timeout", "2"), mark)) as tool:
        assert tool.wait(60) == 124
        assert 2 <= time.monotonic() - start < 4.5
        assert not processes_with(mark)


def test_R2_a_timeout_gives_the_command_time_to_clean_up(box):
    script = "trap 'echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    result = box.tool(*OPEN, "--timeout", "0.5", "--", "/bin/sh", "-c", script)
    assert (result.status, result.stdout) == (124, "ready\ncleaned\n"), result.describe()
    assert result.elapsed_s < 2


def test_R2_a_run_waits_for_nothing_that_is_not_there(box):
    result = box.tool(*OPEN, "--", "/bin/sh", "-c", "exit 0")
    assert result.elapsed_s < 0.8


def test_R2_the_killer_holds_nothing_of_the_callers(box):
    with started(box, *OPEN, "--", "/bin/sh", "-c", "echo ready; exec sleep 60") as tool:
        assert tool.stdout.readline() == "ready\n"
        killer = killer_of(tool.pid)
        wait_until(lambda: len(os.listdir(f"/proc/{killer}/fd")) == 1, what="the killer to close what it inherited")
        assert "pidfd" in os.readlink(f"/proc/{killer}/fd/0")
        assert os.readlink(f"/proc/{killer}/cwd") == "/"
        assert os.getsid(killer) == killer


def test_R2_a_killer_that_is_killed_ends_the_sandbox(box):
    mark = marker()
    with started(box, *tree(OPEN, mark)) as tool:
        assert tool.stdout.readline() == "ready\n"
        os.kill(killer_of(tool.pid), signal.SIGKILL)
        assert tool.wait(60) == 125
        assert "killer" in tool.stderr.read()
        assert not processes_with(mark)


def test_R2_confined_processes_reach_neither_tool_nor_killer(box):
    attack = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
bad = []
targets = [os.getppid(), int(sys.stdin.readline())]
for pid in targets:
    for number in (0, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
        try:
            os.kill(pid, number); bad.append((pid, number))
        except PermissionError:
            pass
    if libc.ptrace(16, pid, 0, 0) == 0: bad.append((pid, "ptrace"))
    try:
        fd = os.pidfd_open(pid)
        signal.pidfd_send_signal(fd, signal.SIGKILL); bad.append((pid, "pidfd"))
    except PermissionError:
        pass
for group in (0, -os.getpgid(os.getppid())):
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        os.kill(group, signal.SIGUSR1)
    except PermissionError:
        pass
print(bad)
"""
    with started(box, *OPEN, "--", "/usr/bin/python3", "-c", attack, stdin=-1) as tool:
        wait_until(lambda: len(children(tool.pid)) == 2, what="command and killer")
        tool.stdin.write(f"{killer_of(tool.pid)}\n")
        tool.stdin.flush()
        assert tool.stdout.read() == "[]\n"
        assert tool.wait(60) == 0


@MODES
@pytest.mark.parametrize("how", ["exit", "kill"])
def test_L19_the_private_directory_is_removed(box, mode, how):
    if mode is OPEN:
        profile = box.file("tmp.toml", 'version = 2\n[filesystem]\nread = ["/"]\nexec = ["/"]\ntmp = "private"\n')
        mode = ("run", "-p", profile)
    script = "mkdir -p $TMPDIR/a/b && echo x > $TMPDIR/a/b/f && chmod 0 $TMPDIR/a/b && echo $TMPDIR && read line"
    with started(box, *mode, "--", "/bin/sh", "-c", script, stdin=-1) as tool:
        directory = pathlib.Path(tool.stdout.readline().strip())
        assert directory.is_dir() and "sandlock-" in directory.name
        if how == "kill":
            tool.kill()
        else:
            tool.stdin.write("\n")
            tool.stdin.flush()
        tool.wait(60)
        wait_until(lambda: not directory.exists(), 5, "the directory to go")


def test_R2_degraded_without_the_signal_scope_the_tree_is_still_killed(box):
    for variable in ({}, {"SANDLOCK_TEST_LANDLOCK_ABI": "5"}):
        mark = marker()
        degraded = ("--disable", "signal-scope") if not variable else ("--allow-degraded", "signal-scope", "--allow-degraded", "abstract-unix-socket-scope")
        with started(box, *tree((*OPEN, *degraded), mark), env=box.env | variable) as tool:
            assert tool.stdout.readline() == "ready\n", tool.stderr.read()
            tool.kill()
            wait_until(lambda mark=mark: not processes_with(mark), 30, "the end of the tree")
        mark = marker()
        with started(box, *tree((*OPEN, *degraded), mark, "6"), env=box.env | variable) as tool:
            assert tool.wait(60) == 6
            assert not processes_with(mark)


def test_R2_a_fork_bomb_ends_with_the_tool(box):
    mark = marker()
    bomb = """
import mmap, os, time
count = mmap.mmap(-1, 4)
os.write(1, b"ready\\n")
while True:
    if count[0] < 100 and os.fork() == 0:
        count[0] += 1
        if count[0] % 3 == 0:
            os.setsid()
    time.sleep(0.01)
"""
    with started(box, *OPEN, "--", "/usr/bin/python3", "-c", bomb, mark) as tool:
        assert tool.stdout.readline() == "ready\n"
        wait_until(lambda: len(processes_with(mark)) > 30, what="the bomb to grow")
        tool.kill()
        wait_until(lambda: not processes_with(mark), 10, "the end of the bomb")
