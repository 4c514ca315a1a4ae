"""What a profile of files, or of TCP ports, costs while the command runs: nothing, because no call of it is notified."""

import pathlib
import subprocess

from conftest import LEARN_MODE
from netservers import Servers

# Names the calls of everyday work, waits for a line between rounds, and says when each round is done.
WORK = r"""
import os, sys, subprocess
print("ready", flush=True)
while sys.stdin.readline():
    for n in range(200):
        with open("made", "w") as f:
            f.write("x")
        with open("/etc/hostname") as f:
            f.read()
        os.stat("made"); os.listdir("."); os.access("made", os.R_OK)
        os.rename("made", "moved"); os.link("moved", "made"); os.unlink("moved"); os.unlink("made")
        os.mkdir("dir"); os.symlink("x", "dir/link"); os.readlink("dir/link"); os.unlink("dir/link"); os.rmdir("dir")
    subprocess.run(["/bin/true"], check=True)
    print("done", flush=True)
"""


def sleeps(pid):
    """How often the tool's threads have slept: once more for each notification that one of them answered."""
    total = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        total += sum(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt_switches"))
    return total


def spoken_to(box, *options):
    return subprocess.Popen(
        [box.sandlock, *options], cwd=box.work, env=box.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


def rounds(tool, count):
    for _ in range(count):
        tool.stdin.write("go\n")
        assert tool.stdout.readline() == "done\n"


def test_R3_no_call_of_a_file_only_profile_is_notified(box):
    profile = box.out / "free.toml"
    command = ("/usr/bin/python3", "-c", WORK)
    learn = spoken_to(box, *LEARN_MODE, "-o", str(profile), "--", *command)
    assert learn.stdout.readline() == "ready\n"
    before = sleeps(learn.pid)
    rounds(learn, 1)
    assert sleeps(learn.pid) - before > 100, "the measure sees notified calls"
    learn.stdin.close()
    assert learn.wait(60) == 0

    run = spoken_to(box, "run", "-p", str(profile))
    assert run.stdout.readline() == "ready\n"
    rounds(run, 1)
    before = sleeps(run.pid)
    rounds(run, 3)
    assert sleeps(run.pid) == before
    assert len(list(pathlib.Path(f"/proc/{run.pid}/task").iterdir())) == 1
    run.stdin.close()
    assert run.wait(60) == 0


PORTS = r"""
import socket, sys
a, b = socket.socketpair()
print("ready", flush=True)
while sys.stdin.readline():
    for n in range(200):
        with socket.create_connection(("127.0.0.1", PORT)) as s:
            s.getpeername(); s.recvfrom(2); a.sendmsg([b"x"]); b.recv(1)
        for refused in (lambda: socket.create_connection(("127.0.0.1", 1)), lambda: socket.socket().listen(), lambda: socket.socket(socket.AF_UNIX)):
            try:
                refused()
                sys.exit(1)
            except PermissionError:
                pass
    print("done", flush=True)
"""


def test_R3_N6_no_call_of_a_profile_of_ports_is_notified(box):
    with Servers() as s:
        server = s.tcp()
        code = PORTS.replace("PORT", str(server.port))
        for rule, free in ((f"tcp://127.0.0.1:{server.port}", False), (f"tcp://*:{server.port}", True)):
            body = code if free else code.replace(", lambda: socket.socket(socket.AF_UNIX)", "")
            run = spoken_to(box, "run", "-r", "/", "--net-allow", rule, "--", "/usr/bin/python3", "-c", body)
            assert run.stdout.readline() == "ready\n"
            rounds(run, 1)
            before = sleeps(run.pid)
            rounds(run, 3)
            assert (sleeps(run.pid) == before) if free else (sleeps(run.pid) - before > 100), f"{rule}: {sleeps(run.pid) - before}"
            run.stdin.close()
            assert run.wait(60) == 0
