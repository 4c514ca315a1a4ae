"""sandlock under sandlock, and under what a container's default profile leaves."""

import os
import signal

from conftest import LEARN_MODE
from supervision import OPEN, children, marker, processes_with, started, wait_until


def nested(box, *inner):
    return (*OPEN, "-w", box.work, "--", box.sandlock, *inner)


def test_R11_run_under_run(box):
    box.file("data", "hello\n")
    result = box.tool(*nested(box, "run", "-r", "/", "--", "/bin/sh", "-c", "cat data; echo x > data; exit 5"))
    assert result.status == 5 and result.stdout == "hello\n", result.describe()
    assert (box.work / "data").read_text() == "hello\n"
    # What the inner one grants, the outer one may withhold.
    outside = box.out / "outside"
    result = box.tool(*nested(box, "run", "-r", "/", "-w", "/", "--", "/bin/sh", "-c", f"echo y > data && ! echo z > {outside}"))
    assert result.status == 0 and (box.work / "data").read_text() == "y\n" and not outside.exists(), result.describe()


def test_R11_run_under_learn(box):
    result, _, profile = box.learn([box.sandlock, *OPEN, "--", "/bin/cat", "/etc/hostname"])
    assert result.stdout and profile.grants("/etc/hostname", "read")


def test_R11_learn_under_run_says_why_it_cannot(box):
    result = box.tool(*nested(box, *LEARN_MODE, "--shared-tmp", "-o", "p.toml", "--", "/bin/true"))
    assert result.status == 125 and any("outer sandbox" in m or "cannot make the directory" in m for m in result.messages), result.describe()


def test_R11_three_deep(box):
    result = box.tool(*nested(box, *OPEN, "--", box.sandlock, *OPEN, "--", "/bin/sh", "-c", "exit 8"))
    assert result.status == 8, result.describe()


def test_R11_renames_across_directories_in_the_inner_one(box):
    (box.work / "a").mkdir()
    (box.work / "b").mkdir()
    box.file("a/f", "x")
    script = "import os; os.rename('a/f', 'b/f'); os.link('b/f', 'a/g')"
    result = box.tool(*nested(box, "run", "-r", "/", "-w", box.work, "--", "/usr/bin/python3", "-c", script))
    assert result.status == 0 and (box.work / "a" / "g").exists(), result.describe()


def test_R11_killing_the_inner_tool_ends_the_inner_tree_alone(box):
    mark = marker()
    inner = f"{box.sandlock} {' '.join(OPEN)} -- /bin/sh -c 'setsid sleep 60 & echo $PPID; sleep 60; :' {mark}; echo inner=$?; read line; exit 4"
    with started(box, *OPEN, "--", "/bin/sh", "-c", inner, stdin=-1) as tool:
        pid = int(tool.stdout.readline())
        inside = [p for p in processes_with(mark) if pid in (p, *parents(p))]
        assert inside
        os.kill(pid, signal.SIGKILL)
        assert tool.stdout.readline() == "inner=137\n"
        wait_until(lambda: not [p for p in inside if os.path.exists(f"/proc/{p}/exe")], 3, "the end of the inner tree")
        tool.stdin.write("\n")
        tool.stdin.flush()
        assert tool.wait(60) == 4


def test_R11_killing_the_outer_tool_ends_both(box):
    mark = marker()
    with started(box, *nested(box, *OPEN, "--", "/bin/sh", "-c", "echo ready; setsid sleep 60 & sleep 60; :", mark)) as tool:
        assert tool.stdout.readline() == "ready\n"
        assert children(tool.pid)
        tool.kill()
        wait_until(lambda: not processes_with(mark), 3, "the end of both")


def test_R11_signals_go_all_the_way_in(box):
    with started(box, *nested(box, *OPEN, "--", "/bin/sh", "-c", "trap 'exit 3' USR1; echo ready; while :; do sleep 0.05; done")) as tool:
        assert tool.stdout.readline() == "ready\n"
        tool.send_signal(signal.SIGUSR1)
        assert tool.wait(60) == 3


def parents(pid):
    found = []
    while pid > 1:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                pid = int(f.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            break
        found.append(pid)
    return found
