"""What the tests of attacks share: the attack programs, profiles for them, and reading what they report.

An attack program makes a table of attempts and prints "name: ERRNO", "name: SUCCEEDED" or "name: SIGNAL" for each.
It is run twice: confined, where each line must be what the test says, and bare, where the same attempts must come
out differently, since an attempt that fails anyway proves nothing about the sandbox.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

SOURCES = pathlib.Path(__file__).resolve().parent.parent / "attacks"
FLAGS = ("-O1", "-g", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-pthread", "-static")
SUCCEEDED = "SUCCEEDED"


def attack(tmp_path_factory, name):
    """The path of tests/attacks/attack-NAME.c compiled; built once for all workers, static, so that a profile needs only exec."""
    top = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        top = top.parent
    program = top / f"attack-{name}"
    if not program.exists():
        mine = top / f"attack-{name}.{os.getpid()}"
        source = SOURCES / f"attack-{name}.c"
        subprocess.run(["gcc", *FLAGS, "-o", mine, source], check=True, stdin=subprocess.DEVNULL)
        # Who comes second must not replace what a profile of the first names already: rules bind to the file itself.
        with contextlib.suppress(FileExistsError):
            program.hardlink_to(mine)
    return str(program)


def profile(path, version=2, extra="", **lists):
    """Write a profile with these [filesystem] lists; extra is text for the end of the file. The kernel executes only what may
    be read as well, so what is in exec is in read."""
    lists["read"] = [*lists.get("read", []), *lists.get("exec", [])]
    lines = [f"version = {version}"] if version != 1 else []
    lines.append("[filesystem]")
    for key, entries in lists.items():
        quoted = ", ".join('"' + str(entry) + '"' for entry in entries)
        lines.append(f"{key} = [{quoted}]")
    path.write_text("\n".join(lines) + "\n" + extra)
    return path


def results(output):
    """{name: outcome} of an attack program's lines."""
    return dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)


def confined(sandlock, profile_path, command, *, status=0, **options):
    """Run an attack program under the profile; its results."""
    command = [sandlock, "run", "-p", profile_path, "--", *command]
    return call(command, status=status, **options)


def call(command, *, status=0, timeout=60, stdin=subprocess.DEVNULL, **options):
    done = subprocess.run(
        [os.fspath(c) for c in command], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
        check=False, **options,
    )  # fmt: skip
    assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return results(done.stdout)


def compare(found, expected):
    """Each attempt came out as it must: the value is one outcome or a tuple of them."""
    assert found.keys() == expected.keys(), f"attempts differ: {found.keys() ^ expected.keys()}"
    wrong = {}
    for name, outcome in found.items():
        wanted = expected[name] if isinstance(expected[name], tuple) else (expected[name],)
        if outcome not in wanted:
            wrong[name] = f"{outcome} instead of {' or '.join(wanted)}"
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())


def proves(bare, refused, but=()):
    """Run bare, each refused attempt came out differently; `but` names those that this machine or user forbids anyway."""
    same = {name for name, outcome in refused.items() if outcome != SUCCEEDED and bare[name] == outcome}
    assert same <= set(but), f"prove nothing, they fail bare in the same way: {sorted(same - set(but))}"


def wait_until(condition, timeout_s=60, step_s=0.01):
    """The condition's first true value; AssertionError when it takes too long."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"still not so after {timeout_s} s"
        time.sleep(step_s)


def alive(pid):
    """Is the process there, and not a zombie?"""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextlib.contextmanager
def running(command, **options):
    """A process that is killed and reaped at the end."""
    child = subprocess.Popen([os.fspath(c) for c in command], **options)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGKILL)
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream:
                stream.close()
