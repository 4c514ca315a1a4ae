"""What the tests of running sandboxes share: starting one and leaving it running, looking at processes, a terminal."""

import contextlib
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import time
import uuid

# Everything can be read and run; for tests that are about processes and not about files.
OPEN = ("run", "-r", "/", "-w", "/dev")


def wait_until(condition, timeout_s=60.0, what="a condition"):
    """The first true value of condition(); fails after the time."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"still waiting for {what} after {timeout_s} s"
        time.sleep(0.01)


def marker():
    """An argument that only this test's processes have."""
    return f"marker{uuid.uuid4().hex}"


def processes_with(text):
    """The pids whose command line holds the text (zombies have none)."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def children(pid):
    """Direct children by parent links, zombies included."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text(errors="replace")
                if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(entry.name))
    return found


def killer_of(pid):
    """The killer among the children of a running tool. It takes its name after it was made."""

    def named():
        found = []
        for child in children(pid):
            with contextlib.suppress(OSError):  # another one that ends meanwhile
                if pathlib.Path(f"/proc/{child}/comm").read_text().startswith("sandlock-kille"):
                    found.append(child)
        return found

    found = wait_until(named, what="the killer")
    assert len(found) == 1, found
    return found[0]


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[0] != "Z"


@contextlib.contextmanager
def started(box, *arguments, **popen):
    """sandlock running in the background; killed at the end if it still runs."""
    popen.setdefault("stdin", subprocess.DEVNULL)
    popen.setdefault("stdout", subprocess.PIPE)
    popen.setdefault("stderr", subprocess.PIPE)
    env = popen.pop("env", box.env)
    command = [box.sandlock, *map(os.fspath, arguments)]
    with subprocess.Popen(command, cwd=box.work, env=env, text=True, **popen) as process:
        try:
            yield process
        finally:
            process.kill()


class Terminal:
    """A command whose controlling terminal is a new pty."""

    def __init__(self, box, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(box.work)
            os.execve(command[0], [os.fspath(c) for c in command], box.env | {"PS1": "ready> ", "TERM": "dumb"})
        self.text = ""
        self.status = None

    def expect(self, pattern, timeout_s=60):
        """Read until the pattern has come; returns the match and drops the text up to its end."""
        deadline = time.monotonic() + timeout_s
        while True:
            match = re.search(pattern, self.text)
            if match:
                self.text = self.text[match.end() :]
                return match
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self.text!r}"
            if select.select([self.fd], [], [], left)[0]:
                try:
                    self.text += os.read(self.fd, 4096).decode(errors="replace")
                except OSError as error:
                    raise AssertionError(f"the terminal closed; no {pattern!r} in {self.text!r}") from error

    def send(self, text):
        os.write(self.fd, text.encode())

    def line(self, text):
        self.send(text + "\n")

    def foreground(self):
        return os.tcgetpgrp(self.fd)

    def close(self):
        os.close(self.fd)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@contextlib.contextmanager
def terminal(box, *command):
    opened = Terminal(box, command)
    try:
        yield opened
    finally:
        opened.close()
