"""Terminals and job control: Ctrl-C, Ctrl-Z, fg, bg, shells inside, who has the terminal afterwards."""

import os
import pathlib
import signal

import pytest
from conftest import LEARN_MODE
from supervision import OPEN, exists, marker, processes_with, started, terminal, wait_until

LEARN = (*LEARN_MODE, "-o", "p.toml")
MODES = pytest.mark.parametrize("mode", [OPEN, LEARN], ids=["run", "learn"])
SHELL = ("/bin/bash", "--norc", "--noprofile", "-i")


def state(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


@MODES
def test_R1_control_c_ends_the_command_and_gives_130(box, mode):
    with terminal(box, *SHELL) as tty:
        tty.expect("ready> ")
        tty.line(f"{box.sandlock} {' '.join(mode)} -- /bin/sh -c 'echo go''ing; exec sleep 60'")
        tty.expect("going")
        tty.send("\x03")
        tty.expect("ready> ")
        tty.line("echo status=$?=")
        assert tty.expect(r"status=(\d+)=").group(1) == "130"


@MODES
def test_R1_a_command_that_handles_control_c_goes_on(box, mode):
    script = box.file("caught.py", """
import os, signal, sys
signal.signal(signal.SIGINT, lambda number, frame: os.write(1, b"caught\\n"))
print("inside", flush=True)
sys.exit(int(sys.stdin.readline()))
""")
    with terminal(box, *SHELL) as tty:
        tty.expect("ready> ")
        tty.line(f"{box.sandlock} {' '.join(mode)} -- /usr/bin/python3 {script}")
        tty.expect("inside")
        for _ in range(3):
            tty.send("\x03")
            tty.expect("caught")
        tty.line("5")
        tty.expect("ready> ")
        tty.line("echo status=$?=")
        assert tty.expect(r"status=(\d+)=").group(1) == "5"


@MODES
def test_R1_control_z_fg_and_bg(box, mode):
    mark = marker()
    with terminal(box, *SHELL) as tty:
        tty.expect("ready> ")
        shell = tty.foreground()
        tty.line(f"{box.sandlock} {' '.join(mode)} -- /bin/sh -c 'echo go''ing; read x; echo got $x; read y; exit 9' {mark}")
        tty.expect("going")
        for _ in range(3):
            tty.send("\x1a")
            tty.expect("Stopped")
            tty.expect("ready> ")
            assert tty.foreground() == shell
            pids = processes_with(mark)
            inside = [p for p in pids if pathlib.Path(f"/proc/{p}/comm").read_text() == "sh\n"]
            assert len(inside) == 1 and state(inside[0]) == "T"
            tty.line("fg")
            tty.expect(mark)
            wait_until(lambda inside=inside: state(inside[0]) != "T", what="the command to go on")
            assert tty.foreground() != shell
        tty.line("word")
        tty.expect("got word")
        tty.send("\x1a")
        tty.expect("Stopped")
        # In the background, reading the terminal stops it again, and the shell is told.
        tty.line("bg; sleep 0.3")
        wait_until(lambda: state(inside[0]) == "T", what="the command to be stopped by its reading")
        tty.line("jobs")
        tty.expect("Stopped")
        tty.line("fg")
        tty.line("line")
        tty.expect("ready> ")
        tty.line("echo status=$?=")
        assert tty.expect(r"status=(\d+)=").group(1) == "9"


@MODES
def test_R1_an_interactive_shell_has_job_control_and_gives_the_terminal_back(box, mode):
    with terminal(box, *SHELL) as tty:
        tty.expect("ready> ")
        outer = tty.foreground()
        tty.line("PS1='outer> '")
        tty.expect("outer> $")
        tty.line(f"PS1='inner> ' {box.sandlock} {' '.join(mode)} -- {' '.join(SHELL)}")
        tty.expect("inner> ")
        assert "no job control" not in tty.text and "cannot set terminal" not in tty.text
        tty.line("/bin/sh -c 'echo go''ing; exec cat'")
        tty.expect("going\r")
        tty.send("\x1a")
        tty.expect("Stopped")
        tty.expect("inner> ")
        tty.line("jobs; kill %1; sleep 0.5; wait; echo do''ne")
        tty.expect("done")
        tty.line("exit 3")
        tty.expect("outer> ")
        wait_until(lambda: tty.foreground() == outer, what="the terminal to be the outer shell's")
        tty.line("echo status=$?=")
        assert tty.expect(r"status=(\d+)=").group(1) == "3"


def test_R1_a_killed_shell_gives_the_terminal_back_too(box):
    script = f"{box.sandlock} {' '.join(OPEN)} -- {' '.join(SHELL)}; echo after=$?=; read line; echo got $line"
    with terminal(box, "/bin/sh", "-c", script) as tty:
        tty.expect("ready> ")
        assert tty.foreground() != tty.pid
        tty.line("kill -9 $$")
        assert tty.expect(r"after=(\d+)=").group(1) == "137"
        assert tty.foreground() == tty.pid
        tty.line("words")
        tty.expect("got words")


def test_R1_the_parent_sees_how_the_command_was_stopped(box):
    for number in (signal.SIGTSTP, signal.SIGSTOP, signal.SIGTTIN, signal.SIGTTOU):
        # Not in an orphaned process group, where the kernel ignores all but SIGSTOP: a shell's child has its own.
        with started(box, *OPEN, "--", "/bin/sh", "-c", f"kill -{int(number)} $$; exit 4", process_group=0) as tool:
            pid, status = os.waitpid(tool.pid, os.WUNTRACED)
            assert (pid, os.WIFSTOPPED(status)) == (tool.pid, True)
            assert os.WSTOPSIG(status) == number
            os.killpg(tool.pid, signal.SIGCONT)
            assert tool.wait(60) == 4


def test_R1_a_stop_sent_to_the_tool_alone_stops_the_command(box):
    with started(box, *OPEN, "--", "/bin/sh", "-c", "echo $$; read line; exit 6", stdin=-1, process_group=0) as tool:
        command = int(tool.stdout.readline())
        tool.send_signal(signal.SIGTSTP)
        _, status = os.waitpid(tool.pid, os.WUNTRACED)
        assert os.WSTOPSIG(status) == signal.SIGTSTP
        assert state(command) == "T"
        tool.send_signal(signal.SIGCONT)
        wait_until(lambda: state(command) != "T", what="the command to go on")
        tool.stdin.write("\n")
        tool.stdin.flush()
        assert tool.wait(60) == 6


def test_R1_sigkill_under_a_terminal_leaves_nothing(box):
    mark = marker()
    with terminal(box, *SHELL) as tty:
        tty.expect("ready> ")
        tty.line(f"{box.sandlock} {' '.join(OPEN)} -- /bin/sh -c 'echo go''ing; sleep 60; :' {mark}")
        tty.expect("going")
        tool = min(p for p in processes_with(mark))
        os.kill(tool, signal.SIGKILL)
        tty.expect("Killed")
        wait_until(lambda: not processes_with(mark), 3, "the end of all")
        assert not exists(tool)


def test_the_progress_line_appears_and_goes(box):
    script = f"{box.sandlock} {' '.join(LEARN)} -- /bin/sh -c 'sleep 2.2; echo out'"
    with terminal(box, "/bin/sh", "-c", script + "; echo af''ter") as tty:
        tty.expect(r"\r\x1b\[Ksandlock: learning, 1 s, \d+ calls seen")
        tty.expect("learning, 2 s")
        tty.expect("out")
        tty.expect("after")
        assert "learning" not in tty.text
