"""calls-at-random.py SEED COUNT: file-system calls at random below the working directory, one line of outcome each.

The same seed makes the same calls. Descriptors that were opened stay open for a while and are used: reopened through
/proc/self/fd, linked from, as the directory of relative paths.
"""

import errno
import os
import random
import sys

DIRS = ["r", "w", "c", "cd", "rcd", "rcd/sub", "rcd/other", "x", "n", "n/sub", "rcd/deny_dir", "r/moved"]
NAMES = ["a", "b", "f", "g", "denied", "rule_r", "rule_w", "rule_x", "new1", "new2", "sub", "other", "l"]

rng = random.Random(int(sys.argv[1]))
held = []  # (descriptor, is a directory)
links = []


def path():
    return f"{rng.choice(DIRS)}/{rng.choice(NAMES)}"


def place():
    """A path for a call: relative, or by way of a directory that is open, or of one of the links that were made."""
    kind = rng.random()
    if kind < 0.08 and links:
        return rng.choice(links) + rng.choice(["", "/f", "/sub"])
    if kind < 0.12:
        return f"{rng.choice(DIRS)}/../{path()}"
    return path()


def directory():
    found = [fd for fd, is_dir in held if is_dir]
    return rng.choice(found) if found and rng.random() < 0.2 else None


def keep(fd):
    held.append((fd, os.path.isdir(f"/proc/self/fd/{fd}")))
    if len(held) > 12:
        os.close(held.pop(rng.randrange(len(held)))[0])


def do_open():
    flags = rng.choice([os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_DIRECTORY, os.O_PATH, os.O_WRONLY | os.O_TRUNC])
    if rng.random() < 0.5 and flags & os.O_WRONLY:
        flags |= os.O_CREAT | rng.choice([0, os.O_EXCL])
    fd = os.open(place(), flags, 0o644, dir_fd=directory())
    keep(fd)
    if flags & os.O_PATH or os.path.isdir(f"/proc/self/fd/{fd}"):
        return "open"
    if flags & (os.O_WRONLY | os.O_RDWR):
        return os.write(fd, b"text\n")
    return os.read(fd, 100)


def do_reopen():
    if not held:
        return None
    fd, is_dir = rng.choice(held)
    again = os.open(f"/proc/self/fd/{fd}", rng.choice([os.O_RDONLY, os.O_WRONLY, os.O_RDWR]))
    text = "" if is_dir else os.pread(again, 100, 0) if os.stat(again).st_size else ""
    os.close(again)
    return text


def do_rename():
    return os.rename(place(), place())


def do_link():
    if held and rng.random() < 0.3:
        return os.link(f"/proc/self/fd/{rng.choice(held)[0]}", place(), follow_symlinks=True)
    return os.link(place(), place(), follow_symlinks=False)


def do_symlink():
    at = place()
    os.symlink(os.path.abspath(rng.choice(DIRS)), at)
    links.append(at)


def do_chmod():
    return os.chmod(place(), rng.choice([0o600, 0o640, 0o755]))


def do_fchmod():
    return os.fchmod(rng.choice(held)[0], rng.choice([0o700, 0o755])) if held else None


def do_unnamed():
    at = rng.choice(DIRS)
    fd = os.open(at, os.O_TMPFILE | rng.choice([os.O_WRONLY, os.O_RDWR]), 0o600)
    keep(fd)
    return os.write(fd, b"unnamed\n")


def do_exec():
    pid = os.fork()
    if pid == 0:
        try:
            os.execv(place(), ["program"])
        except OSError as e:
            os._exit(e.errno)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


CALLS = [
    do_open, do_open, do_open, do_open, do_reopen, do_rename, do_rename, do_link, do_symlink, do_chmod, do_fchmod, do_unnamed, do_exec,
    lambda: os.mkdir(place()), lambda: os.unlink(place()), lambda: os.rmdir(place()), lambda: os.truncate(place(), 3),
    lambda: sorted(os.listdir(place())), lambda: sorted(os.listdir(rng.choice(DIRS))), lambda: os.stat(place()).st_size >= 0,
    lambda: os.utime(place(), (1, 1)),
]  # fmt: skip

for i in range(int(sys.argv[2])):
    call = rng.choice(CALLS)
    state = rng.getstate()
    try:
        outcome = str(call())
    except OSError as e:
        outcome = errno.errorcode[e.errno]
    rng.setstate(state)
    again = [rng.random() for _ in range(16)][0]  # what a call has drawn does not depend on how it ended
    rng.seed(f"{again} {i}")
    name = call.__name__ if call.__name__ != "<lambda>" else f"call {CALLS.index(call)}"
    print(i, name, outcome, flush=True)
