"""Inside a default container: its seccomp profile refuses pidfd_getfd, newer calls and namespaces, and root has few capabilities."""

import os
import subprocess

import pytest

from conftest import IN_PLACE, LEARN_MODE

WORK = """
set -e
cp /etc/hostname copy
chmod 600 copy
chmod g+s .
touch -d 2020-02-02 copy
ln copy linked
mv copy moved
mkdir -p a/b
python3 -c 'import os; f = os.open("moved", os.O_RDONLY); os.fchmod(f, 0o640); os.utime(f, (1, 2)); os.setxattr(f, "user.x", b"y")'
nice -n 1 true
(sleep 0.1; echo child) & wait
stat -c '%a %Y' moved
mktemp >/dev/null
grep -c . /proc/self/status >/dev/null
"""


def inside(box, *command, **more):
    done = subprocess.run(
        [box.program("container"), *map(str, command)], cwd=box.work, env=box.env, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=False, **more,
    )  # fmt: skip
    return done


def test_R11_the_container_refuses_what_it_should(box):
    probe = """
import ctypes, os

libc = ctypes.CDLL(None, use_errno=True)
for name, call in (("pidfd_getfd", 438), ("fchmodat2", 452), ("unshare", 272)):
    print(name, libc.syscall(call, -1, 0, 0, 0), os.strerror(ctypes.get_errno()))
"""
    done = inside(box, "/usr/bin/python3", "-c", probe)
    assert done.stdout.splitlines() == [f"{n} -1 Operation not permitted" for n in ("pidfd_getfd", "fchmodat2", "unshare")]


def test_R11_learn_and_run_in_a_container(box):
    profile = box.out / "container.toml"
    learned = inside(box, box.sandlock, *LEARN_MODE, "-o", profile, "--", "/bin/sh", "-c", WORK)
    assert learned.returncode == 0, learned.stderr
    assert learned.stdout == "child\n640 2\n"
    if IN_PLACE:
        for name in ("moved", "linked"):
            os.unlink(box.work / name)
        (box.work / "a" / "b").rmdir()
        (box.work / "a").rmdir()
    assert not list(box.work.iterdir())
    run = inside(box, box.sandlock, "run", "-p", profile)
    assert (run.returncode, run.stdout, run.stderr) == (0, learned.stdout, "")
    assert os.getxattr(box.work / "moved", "user.x") == b"y"


def test_R11_R12_a_container_refuses_attributes_all_the_same(box):
    target = box.work / "target"
    target.write_text("x")
    target.chmod(0o644)
    script = """
import os
f = os.open("target", os.O_RDONLY)
for what in (lambda: os.fchmod(f, 0o600), lambda: os.chmod("target", 0o600), lambda: os.utime(f), lambda: os.setxattr("target", "user.x", b"y")):
    try:
        what()
        print("SUCCEEDED")
    except OSError as error:
        print(error.strerror)
"""
    run = inside(box, box.sandlock, "run", "-r", "/", "--", "/usr/bin/python3", "-c", script)
    assert run.stdout == "Permission denied\n" * 4, run.stderr
    assert target.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("options", [("run", "-r", "/"), (*LEARN_MODE, "--keep-failed", "-o", "/dev/null")])
def test_R11_status_and_killing_in_a_container(box, options):
    assert inside(box, box.sandlock, *options, "--", "/bin/sh", "-c", "exit 7").returncode == 7
    left = inside(box, box.sandlock, *options, "-t" if options[0] == "run" else "--timeout", "1", "--", "/bin/sh", "-c", "setsid sleep 300 & sleep 300")
    assert left.returncode == 124, left.stderr


def test_R11_sockets_in_a_container(box):
    script = """
import socket

server = socket.socket(socket.AF_UNIX)
server.bind("server.sock")
server.listen()
print("listening")
try:
    socket.socket(socket.AF_INET)
    print("SUCCEEDED")
except OSError as error:
    print(error.strerror)
"""
    run = inside(box, box.sandlock, "run", "-r", "/", "-w", box.work, "--", "/usr/bin/python3", "-c", script)
    assert run.stdout == "listening\nPermission denied\n", run.stderr
