"""learn --learn-syscalls and [syscalls] allow: which calls are listed, what a run makes of the list."""

import os
import pathlib
import re
import subprocess

import pytest
from conftest import Profile

PYTHON = "/usr/bin/python3"
MANUAL = pathlib.Path(__file__).resolve().parents[2] / "man" / "sandlock-profile.5"
MAKEFILE = """\
all: program library.a
\t./program
program: main.o a.o b.o
\tgcc -o $@ $^
%.o: %.c
\tgcc -O1 -c -o $@ $<
library.a: a.o b.o
\tar rc $@ $^
\tranlib $@
"""


def listed(profile):
    return profile.data["syscalls"]["allow"]


def with_list(profile, calls, path):
    """A copy of the profile with another list."""
    text = re.sub(r"\n\[syscalls\]\nallow = \[.*?\]\n", "\n", profile.text, flags=re.S)
    assert "[syscalls]" not in text
    path.write_text(text + "\n[syscalls]\nallow = [" + ", ".join(f'"{c}"' for c in calls) + "]\n")
    return path


def compile_job(box):
    box.file("Makefile", MAKEFILE)
    box.file("main.c", '#include <stdio.h>\nint a(void), b(void);\nint main(void) { printf("%d\\n", a() + b()); return 0; }\n')
    box.file("a.c", "int a(void) { return 1; }\n")
    box.file("b.c", "int b(void) { return 2; }\n")
    return ["make", "-j2"]


def git_job(_):
    return ["sh", "-c", "git init -q r && cd r && echo x >f && git add f && git -c user.name=a -c user.email=a@b commit -qm x && git log --format=%s && git clone -q . ../s && git -C ../s status -s"]  # fmt: skip


def python_job(_):
    code = (
        "import subprocess, threading, tempfile, os, json, hashlib\n"
        "t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()\n"
        "print(subprocess.run(['ls', '/etc/hostname'], capture_output=True, text=True).stdout)\n"
        "with tempfile.NamedTemporaryFile() as f: f.write(b'x'); f.flush(); os.fsync(f.fileno())\n"
        "open('out', 'w').write('y'); os.chmod('out', 0o600); os.rename('out', 'other'); print(sorted(os.listdir('.')))\n"
    )
    return [PYTHON, "-c", code]


def node_job(_):
    return ["node", "-e", "const fs = require('fs'), c = require('child_process'); fs.writeFileSync('o', 'x'); fs.promises.readFile('o', 'utf8').then(console.log); console.log(c.execFileSync('cat', ['o']).toString()); new (require('worker_threads').Worker)('console.log(1)', {eval: true})"]  # fmt: skip


@pytest.mark.parametrize("job", [compile_job, git_job, python_job, node_job])
def test_L2_programs_replay_under_their_list_of_calls(box, needs, job):
    command = job(box)
    needs(command[0])
    profile = box.replays(command, options=["--learn-syscalls"], ignore=[r"!/\.git/", r"\.a$"], normal=lambda text: "".join(sorted(text.splitlines(True))))  # fmt: skip
    calls = listed(profile)
    assert calls[0] == "@base" and calls == sorted(set(calls))
    assert "clone" in calls and "mount" not in calls
    # What is part of the base, or has a portable name, does not stand there beside it.
    assert not {"read", "openat", "open", "stat", "fork", "vfork", "mkdir", "unlink", "rename"} & set(calls)


def test_L18_the_list_is_the_same_each_time(box):
    texts = []
    for _ in range(2):
        _, _, profile = box.learn(["sh", "-c", "mkdir d; rmdir d; ls >/dev/null"], "--learn-syscalls")
        texts.append(profile.without_date())
    assert texts[0] == texts[1]


def test_nothing_is_listed_unasked(box):
    _, _, profile = box.learn(["true"])
    assert "syscalls" not in profile.data


def test_version_1_cannot_hold_a_list(box):
    result = box.tool("learn", "--in-place", "--learn-syscalls", "--profile-version", "1", "--", "true")
    assert result.status == 2 and "--learn-syscalls" in result.messages[0], result.describe()


def test_P2_learn_merge_extends_a_list_that_is_there(box):
    (box.work / "old").mkdir()
    _, path, first = box.learn(["mkdir", "d"], "--learn-syscalls")
    assert "unlinkat" not in listed(first)
    done = box.tool("learn", "--in-place", "--merge", path, "--", "rmdir", "old")
    assert done.status == 0, done.describe()
    both = Profile(path, box.home)
    assert {"@base", "mkdirat", "unlinkat"} <= set(listed(both))
    (box.work / "old").mkdir()
    _, path, _ = box.learn(["mkdir", "e"])
    done = box.tool("learn", "--in-place", "--learn-syscalls", "--merge", path, "--", "rmdir", "old")
    assert done.status == 0 and "allow" not in Profile(path, box.home).data.get("syscalls", {}), done.describe()


ATTEMPTS = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
for number in map(int, sys.argv[1:]):
    ctypes.set_errno(0)
    r = libc.syscall(number, -1, 0, 0, 0, 0, 0)
    print(errno.errorcode.get(ctypes.get_errno(), "0") if r < 0 else "0")
"""
# x86_64 and aarch64 numbers of calls that python makes no use of here.
NUMBERS = {
    "x86_64": {"setpgid": 109, "flock": 73, "splice": 275, "mlockall": 151, "rmdir": 84, "renameat2": 316, "memfd_create": 319, "pidfd_open": 434, "mount": 165, "bpf": 321, "shmdt": 67, "clone3": 435},
    "aarch64": {"setpgid": 154, "flock": 32, "splice": 76, "mlockall": 230, "renameat2": 276, "memfd_create": 279, "pidfd_open": 434, "mount": 40, "bpf": 280, "shmdt": 197, "clone3": 435},
}[os.uname().machine]  # fmt: skip


def attempts(box, profile, names, *options):
    result = box.run(profile, (PYTHON, "-c", ATTEMPTS, *(str(NUMBERS[n]) for n in names)), *options)
    assert result.status == 0, result.describe()
    return dict(zip(names, result.stdout.split(), strict=True))


@pytest.fixture
def python_profile(box):
    """Learned from python doing nothing but calls of "@base", with the list."""
    return box.learn([PYTHON, "-c", ATTEMPTS], "--learn-syscalls")[2]


def test_R4_a_call_outside_the_list_is_refused(box, python_profile):
    """EPERM for what every program expects to be there, ENOSYS for what there are older ways for; and nothing that is
    refused without a list is possible with it."""
    names = list(NUMBERS)
    expected = {n: "ENOSYS" if n in ("renameat2", "memfd_create", "pidfd_open", "shmdt", "clone3") else "EPERM" for n in names}
    assert attempts(box, python_profile, names) == expected
    everything = with_list(python_profile, [*listed(python_profile), *names], box.out / "all.toml")
    open_now = attempts(box, everything, names)
    for name in names:
        if name in ("mount", "bpf"):
            assert open_now[name] == "EPERM"
        elif name in ("shmdt", "clone3"):
            assert open_now[name] == "ENOSYS"
        else:
            assert open_now[name] not in ("EPERM", "ENOSYS"), (name, open_now[name])
    warned = box.run(everything, (PYTHON, "-c", ""))
    assert [m for m in warned.messages if '"mount"' in m and "without effect" in m], warned.describe()
    assert [m for m in warned.messages if '"shmdt"' in m and "sysv_ipc" in m], warned.describe()
    assert box.run(everything, (PYTHON, "-c", ""), "--strict").status == 125


def test_R4_extra_lists_and_the_list(box, python_profile):
    """extra_deny takes from the list, extra_allow adds its group to it."""
    names = ["flock", "shmdt"]
    more = with_list(python_profile, [*listed(python_profile), "flock"], box.out / "more.toml")
    assert attempts(box, more, names) == {"flock": "EINVAL", "shmdt": "ENOSYS"}
    assert attempts(box, more, names, "--extra-deny-syscall", "flock") == {"flock": "EPERM", "shmdt": "ENOSYS"}
    assert attempts(box, more, names, "--extra-allow-syscall", "sysv_ipc") == {"flock": "EINVAL", "shmdt": "EINVAL"}


def test_names_of_the_other_architecture_hold(box, python_profile):
    """What only x86_64 has stands for its portable call, and a name that this architecture lacks does no harm."""
    other = [*(c for c in listed(python_profile)), "rmdir", "sync_file_range2", "socketcall"]
    profile = with_list(python_profile, other, box.out / "other.toml")
    code = "import os; os.mkdir('d')"
    assert box.run(profile, (PYTHON, "-c", code), "-w", box.work).status == 1
    (box.work / "d").mkdir()
    assert box.run(profile, (PYTHON, "-c", "import os; os.rmdir('d')"), "-w", box.work, check=True).status == 0


def test_an_unknown_name_is_an_error(box, python_profile):
    profile = with_list(python_profile, ["@base", "opneat"], box.out / "unknown.toml")
    result = box.run(profile, (PYTHON, "-c", ""))
    assert result.status == 125 and '"opneat": unknown system call' in result.messages[0], result.describe()


def test_an_empty_list_still_lets_the_command_start(box, python_profile):
    """execve, and nothing else that could be seen: the program ends at its first call."""
    profile = with_list(python_profile, [], box.out / "empty.toml")
    result = box.run(profile, (PYTHON, "-c", "print('ran')"))
    assert result.status not in (0, 125, 126) and not result.stdout, result.describe()


def test_R8_explain_names_the_call(box, python_profile):
    result = box.run(python_profile, (PYTHON, "-c", "import os\nos.setpgid(0, 0)"), "--explain")
    lines = [m for m in result.messages if "setpgid" in m]
    assert result.status == 1 and "PermissionError" in result.stderr, result.describe()
    assert len(lines) == 1 and 'add to [syscalls] allow: "setpgid"' in lines[0], result.describe()


@pytest.mark.parametrize("cc", ["musl-gcc", "gcc"])
def test_L12_legacy_calls_are_listed_by_their_portable_names(box, program, cc):
    box.file("old", "text")
    profile = box.replays([program("legacy", cc=cc), "old"], options=["--learn-syscalls"])
    assert {"mkdirat", "unlinkat", "renameat", "linkat", "symlinkat", "fchmodat", "clone"} <= set(listed(profile))
    assert not {"open", "creat", "mkdir", "rmdir", "rename", "link", "symlink", "unlink", "chmod", "vfork"} & set(listed(profile))


def test_check_prints_the_base(box):
    result = box.tool("check")
    base = result.stdout.split('system calls of "@base":\n')[1].split("\n\n")[0].split()
    assert {"read", "write", "openat", "execve", "futex", "exit_group"} <= set(base)
    assert not {"clone", "socket", "kill", "mkdirat", "unlinkat", "mount", "ptrace"} & set(base)
    page = subprocess.run(["mandoc", "-T", "ascii", MANUAL], capture_output=True, text=True, check=True).stdout
    page = re.sub(r".\x08", "", page)
    missing = [name for name in base if not re.search(rf"\b{name}\b", page)]
    assert not missing, missing
