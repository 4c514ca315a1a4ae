"""What every command-line test uses: where the tool is, a home and a working directory of the test's own, learning,
running, replaying, and asking from inside a sandbox what a profile refuses.

The binary is named by the environment variable SANDLOCK. Everything a test makes is below tmp_path, which the runner
puts below /var/tmp (--basetemp), so that it is not below the temporary directory that learn makes private. Nothing
here needs root, and nothing is skipped where a program is missing: the test that needs it fails.
"""

import dataclasses
import hashlib
import os
import pathlib
import pty
import pwd
import re
import select
import shutil
import signal
import stat
import subprocess
import time
import tomllib

import pytest

PROGRAMS = pathlib.Path(__file__).resolve().parent.parent / "programs"
DEFAULT_TIMEOUT_S = 120
RIGHTS = ("read", "list", "exec", "write", "create", "delete")
# Which of its two ways learn goes in a run of these tests: on the copy-on-write view, or in place.
IN_PLACE = os.environ.get("SANDLOCK_LEARN", "view") == "in-place"
LEARN_MODE = ("learn", "--in-place") if IN_PLACE else ("learn",)
# What learn may say on the standard error besides warnings: everything of ours begins so.
PREFIX = "sandlock: "


# A runner in the background of a shell ignores the signals of the keyboard, and so would every tool and command that a
# test starts: dispositions are inherited.
for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(ignored) == signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored == signal.SIGINT else signal.SIG_DFL)


def is_root():
    return os.geteuid() == 0


def sandlock_path():
    path = os.environ.get("SANDLOCK")
    if not path:
        pytest.exit("SANDLOCK must name the binary to test", 2)
    return str(pathlib.Path(path).absolute())


@pytest.fixture(scope="session")
def sandlock():
    """The absolute path of the binary."""
    return sandlock_path()


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """program(NAME, *FLAGS, cc="gcc"): tests/programs/NAME.c compiled, once a worker; static unless FLAGS say more."""
    built = {}
    directory = tmp_path_factory.mktemp("programs", numbered=True)

    def build(name, *flags, cc="gcc"):
        key = (name, flags, cc)
        if key not in built:
            output = directory / f"{len(built)}" / name
            output.parent.mkdir()
            command = [cc, "-O1", "-g", "-Wall", "-Wextra", "-pthread", *(flags or ("-static",)), "-o", output, PROGRAMS / f"{name}.c"]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
            built[key] = str(output)
        return built[key]

    return build


@dataclasses.dataclass
class Result:
    """How a command ended. `messages` are the tool's own lines, taken out of stderr."""

    status: int
    stdout: str
    stderr: str
    messages: list
    command: list
    elapsed_s: float

    def describe(self):
        return (
            f"{' '.join(map(str, self.command))}\nstatus {self.status} after {self.elapsed_s:.1f} s\n"
            f"stdout: {self.stdout[-2000:]}\nstderr: {self.stderr[-3000:]}\nmessages: {self.messages}"
        )


class Profile:
    """A profile that learn wrote: the parsed TOML in `data`, its lists by key, its header."""

    def __init__(self, path, home):
        self.path = pathlib.Path(path)
        self.text = self.path.read_text()
        self.data = tomllib.loads(self.text)
        self.home = str(home)

    def list(self, key):
        entries = self.data.get("filesystem", {}).get(key, [])
        return [self.home + e[1:] if e.startswith("~/") else e for e in entries]

    @property
    def tmp(self):
        return self.data.get("filesystem", {}).get("tmp")

    @property
    def partial(self):
        header = [line for line in self.text.splitlines() if line.startswith("#")]
        return any(re.search(r"\bpartial\b", line) for line in header)

    def entries(self):
        """{path: set of rights} of the [filesystem] lists."""
        found = {}
        for right in RIGHTS:
            for path in self.list(right):
                found.setdefault(path, set()).add(right)
        return found

    def grants(self, path, right):
        """Does an entry grant the right on the path, by itself or from above? As the contract says, not as the tool does."""
        above = {str(p) for p in [pathlib.PurePosixPath(path), *pathlib.PurePosixPath(path).parents]}
        keys = {"list": ("list", "read"), "write": ("write", "create")}.get(right, (right,))
        if "version" not in self.data:
            keys = ("read", "write") if right in ("read", "list", "exec") else ("write",)
        return any(entry in above for key in keys for entry in self.list(key))

    def without_date(self):
        return re.sub(r"\b\d{4}-\d\d-\d\d\b", "DATE", self.text)


class Box:
    """A test's own place: home and work below it, the environment, and the tool."""

    def __init__(self, top, binary, program_builder):
        self.top = top
        self.sandlock = binary
        self.program = program_builder
        self.box = top / "box"
        self.home = self.box / "home"
        self.work = self.box / "work"
        self.out = top / "out"
        for directory in (self.box, self.home, self.work, self.out):
            directory.mkdir()
        user = pwd.getpwuid(os.geteuid()).pw_name
        self.env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.home), "USER": user, "LOGNAME": user, "SHELL": "/bin/sh", "LANG": "C.UTF-8", "TERM": "dumb",
        }  # fmt: skip
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        ssh = self.home / ".ssh"
        ssh.mkdir(mode=0o700)
        (ssh / "id_secret").write_text("secret\n")
        self.counter = 0

    def file(self, name, text="", mode=None):
        """Write a file below the working directory; its directories are made."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text)
        if mode is not None:
            path.chmod(mode)
        return path

    def new_profile(self):
        self.counter += 1
        return self.out / f"p{self.counter}.toml"

    def call(self, command, *, stdin=None, env=None, cwd=None, timeout=DEFAULT_TIMEOUT_S, **popen):
        """Run a command to its end, in a process group of its own; bytes that are not UTF-8 become surrogates."""
        command = [os.fspath(c) for c in command]
        start = time.monotonic()
        if isinstance(stdin, str):
            stdin = stdin.encode()
        source = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(
            command, capture_output=True, cwd=cwd or self.work, env=self.env | (env or {}), timeout=timeout, check=False, **source, **popen
        )  # fmt: skip
        stderr = done.stderr.decode(errors="surrogateescape")
        messages = [line for line in stderr.splitlines() if line.startswith(PREFIX)]
        rest = "".join(line for line in stderr.splitlines(True) if not line.startswith(PREFIX))
        return Result(
            done.returncode, done.stdout.decode(errors="surrogateescape"), rest, messages, command, time.monotonic() - start
        )

    def tool(self, *arguments, **options):
        """Run sandlock itself."""
        return self.call([self.sandlock, *arguments], **options)

    def learn(self, command, *options, check=True, profile=None, **call):
        """Learn: (result, path of the profile, parsed profile or None where none was written)."""
        path = pathlib.Path(profile) if profile else self.new_profile()
        result = self.tool(*LEARN_MODE, "-o", path, *options, "--", *command, **call)
        if check:
            assert result.status == 0, result.describe()
        parsed = Profile(path, self.home) if path.exists() else None
        if check:
            assert parsed, result.describe()
        return result, path, parsed

    def run(self, profile, command=(), *options, check=False, **call):
        """Run a command (the profile's own without one) under a profile."""
        path = profile.path if isinstance(profile, Profile) else profile
        end = ["--", *command] if command else []
        result = self.tool("run", "-p", path, *options, *end, **call)
        if check:
            assert result.status == 0, result.describe()
        return result

    def save(self):
        """Keep the box as it is, to be put back by restore()."""
        saved = self.top / "saved"
        shutil.rmtree(saved, ignore_errors=True)
        subprocess.run(["cp", "-a", self.box, saved], check=True)

    def restore(self):
        """Everything below home and work as it was; the two directories themselves stay."""
        for name in ("home", "work"):
            target = self.box / name
            for child in target.iterdir():
                if child.is_dir() and not child.is_symlink():
                    force_writable(child)
                    shutil.rmtree(child)
                else:
                    child.unlink()
            subprocess.run(["cp", "-a", f"{self.top}/saved/{name}/.", target], check=True)

    def snapshot(self, ignore=(), exact=False):
        """{relative path: what is there}: kind, mode, owner, content or target. `ignore`: patterns whose content may differ,
        or, with a leading "!", that are left out with all below. exact: times, links and extended attributes too."""
        found = {}
        contents = [re.compile(p) for p in ignore if not p.startswith("!")]
        left_out = [re.compile(p[1:]) for p in ignore if p.startswith("!")]
        for directory, names, files in os.walk(self.box):
            for name in sorted(names + files):
                path = pathlib.Path(directory, name)
                relative = str(path.relative_to(self.box))
                if any(p.search(relative) for p in left_out):
                    continue
                found[relative] = describe(path, any(p.search(relative) for p in contents))
                if exact:
                    found[relative] += describe_inode(path)
            names[:] = [n for n in names if str(pathlib.Path(directory, n).relative_to(self.box)) in found]
        return found

    def replays(self, command, *, status=0, stdin=None, normal=None, ignore=(), options=(), run_options=(), denied=(), allow_messages=(), siblings=True, bare=None, **call):  # fmt: skip
        """Run the command bare, learn it, run the profile alone, each from the same start, and compare status, output and
        tree. On the view learn must leave the tree as it was. Then show that the profile refuses what the command did not
        use. Returns the parsed profile. bare: what to run bare instead.

        normal: a function that takes out of an output what differs from run to run. ignore: see snapshot().
        allow_messages: patterns of messages of learn that are expected. denied: more ("HOW", path) to be refused."""
        normal = normal or (lambda text: text)
        self.save()
        bare = self.call(bare or command, stdin=stdin, **call)
        assert bare.status == status, f"bare: {bare.describe()}"
        after_bare = self.snapshot(ignore)
        self.restore()
        before = self.snapshot(exact=True)
        keep = ["--keep-failed"] if status and "--keep-failed" not in options else []
        learned, path, profile = self.learn(command, "-v", *keep, *options, check=False, stdin=stdin, **call)
        assert learned.status == status, f"learn: {learned.describe()}"
        assert profile, f"no profile: {learned.describe()}"
        context = f"{path.read_text()}\nlearn: {learned.describe()}"
        warnings = [m for m in learned.messages if "warning" in m]
        warnings = [m for m in warnings if not any(re.search(p, m) for p in allow_messages)]
        assert not warnings, f"unexpected warnings {warnings}\n{context}"
        assert not profile.partial, context
        assert normal(learned.stdout) == normal(bare.stdout), f"stdout differs:\n{bare.describe()}\n{context}"
        assert normal(learned.stderr) == normal(bare.stderr), f"stderr differs:\n{bare.describe()}\n{context}"
        if IN_PLACE:
            after_learn = self.snapshot(ignore)
            assert after_learn == after_bare, f"trees differ:\n{difference(after_bare, after_learn)}\n{context}"
            self.restore()
        else:
            after_learn = self.snapshot(exact=True)
            assert after_learn == before, f"learn changed:\n{difference(before, after_learn)}\n{context}"
        ran = self.run(path, (), *run_options, stdin=stdin, **call)
        assert ran.status == status, f"run: {ran.describe()}\nprofile:\n{context}"
        assert not ran.messages, f"run said {ran.messages}\n{context}"
        assert normal(ran.stdout) == normal(bare.stdout), f"stdout differs:\n{ran.describe()}\n{context}"
        assert normal(ran.stderr) == normal(bare.stderr), f"stderr differs:\n{ran.describe()}\n{context}"
        after_run = self.snapshot(ignore)
        assert after_run == after_bare, f"trees differ:\n{difference(after_bare, after_run)}\n{context}"
        self.restore()
        self.refuses(profile, denied, siblings=siblings)
        return profile

    def probe(self, profile, requests, *options):
        """What the kernel answers to each (how, path) under the profile: "0" or an error's name."""
        prober = self.program("probe")
        data = b"".join(how.encode() + b" " + os.fsencode(path) + b"\0" for how, path in requests)
        result = self.run(profile, [prober], "-r", prober, "--cwd", "/", *options, stdin=data)
        answers = result.stdout.split()
        assert result.status == 0 and len(answers) == len(requests), result.describe()
        return answers

    def refuses(self, profile, more=(), siblings=True):
        """Show that a learned profile refuses what it does not name: secrets, siblings of what was used, changes."""
        requests = [*more, ("read", str(self.home / ".ssh" / "id_secret"))]
        secrets = ["/etc/passwd", "/etc/hostname", "/etc/shadow", "/proc/1/environ", "/proc/1/maps"]
        requests += [("read", p) for p in secrets if not profile.grants(p, "read")]
        requests += [("list", d) for d in (str(self.home / ".ssh"), "/etc", "/", "/root", "/usr/bin") if not profile.grants(d, "list")]
        for directory in (str(self.home), "/tmp", "/usr/bin", "/etc", "/var/tmp", "/dev/shm"):
            if not profile.grants(directory, "create"):
                requests += [("create", f"{directory}/probe-{os.getpid()}"), ("mkdir", f"{directory}/probe-{os.getpid()}")]
        if not profile.grants("/usr/bin/id", "exec"):
            requests.append(("exec", "/usr/bin/id"))
        if siblings:
            requests += sibling_requests(profile)
        answers = self.probe(profile, requests)
        # ETXTBSY comes before Landlock is asked, for a program that somebody runs just now.
        refused = ("EACCES", "EPERM", "ENOENT", "EROFS", "ETXTBSY")
        wrong = [(request, answer) for request, answer in zip(requests, answers) if answer not in refused]
        assert not wrong, f"not refused: {wrong}\n{profile.text}"
        assert "EACCES" in answers, f"nothing was refused by the sandbox: {list(zip(requests, answers))}"

    def denied(self, profile, path, how="read"):
        """Is this refused under the profile by the sandbox (EACCES), though it is there?"""
        assert os.path.lexists(path), path
        return self.probe(profile, [(how, str(path))]) == ["EACCES"]

    def allowed(self, profile, path, how="read"):
        return self.probe(profile, [(how, str(path))]) == ["0"]


def sibling_requests(profile, most=40):
    """("HOW", path) of neighbours of what the profile names, that it does not grant and this user could have."""
    requests = []
    granted = {(st.st_dev, st.st_ino) for st in map(stat_or_none, profile.entries()) if st}  # hard links are the same file
    directories = sorted({os.path.dirname(path) for path in profile.entries()})
    for directory in directories:
        if directory.startswith(("/proc", "/sys", "/dev")):
            continue
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        taken = 0
        for name in names:
            path = os.path.join(directory, name)
            if taken == 2:
                break
            st = stat_or_none(path)
            if os.path.islink(path) or not st or (st.st_dev, st.st_ino) in granted:
                continue
            if os.path.isfile(path) and os.access(path, os.R_OK) and not profile.grants(path, "read"):
                requests.append(("read", path))
                taken += 1
            elif os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK) and not profile.grants(path, "list"):
                requests.append(("list", path))
                taken += 1
    step = max(1, len(requests) // most)
    requests = requests[::step]
    # What was only read must not be writable, and not executable.
    for path in profile.list("read")[:400:8]:
        if os.path.isfile(path) and os.access(path, os.W_OK) and not profile.grants(path, "write"):
            requests.append(("write", path))
    return requests


def stat_or_none(path):
    try:
        return os.stat(path)
    except OSError:
        return None


def force_writable(directory):
    for path, _, _ in os.walk(directory):
        os.chmod(path, os.lstat(path).st_mode | stat.S_IRWXU)


def describe(path, without_content):
    st = path.lstat()
    kind = stat.filemode(st.st_mode)
    if stat.S_ISLNK(st.st_mode):
        return (kind, os.readlink(path))
    if stat.S_ISREG(st.st_mode) and not without_content:
        return (kind, st.st_uid, st.st_gid, hashlib.sha256(path.read_bytes()).hexdigest()[:16])
    return (kind, st.st_uid, st.st_gid)


def describe_inode(path):
    """What only somebody who looks closely sees of an object."""
    st = path.lstat()
    links = not stat.S_ISDIR(st.st_mode) and st.st_nlink
    names = os.listxattr(path, follow_symlinks=False)
    return (st.st_ino, links, st.st_mtime_ns, st.st_ctime_ns, st.st_size, [(n, os.getxattr(path, n, follow_symlinks=False)) for n in names])


def difference(a, b):
    lines = []
    for path in sorted(a.keys() | b.keys()):
        if a.get(path) != b.get(path):
            lines.append(f"{path}: first {a.get(path)}, then {b.get(path)}")
    return "\n".join(lines[:40])


@pytest.fixture
def box(tmp_path, sandlock, program):
    """The test's own place and its tool: see class Box."""
    made = Box(tmp_path, sandlock, program)
    yield made
    force_writable(tmp_path)


@pytest.fixture
def home(box):
    return box.home


@pytest.fixture
def work(box):
    return box.work


@pytest.fixture
def learn(box):
    return box.learn


@pytest.fixture
def run(box):
    return box.run


@pytest.fixture
def replays(box):
    return box.replays


@pytest.fixture
def denied(box):
    return box.denied


@pytest.fixture
def env(box):
    """The environment that commands are given: a minimal one, the sanitizers' options kept. Change it in place."""
    return box.env


@pytest.fixture
def needs():
    """needs("gawk"): the path of a program that the test cannot do without; the test fails where it is missing."""

    def find(name):
        found = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        assert found, f"{name} is missing: see the check group of scripts/packages.txt"
        return found

    return find


class Terminal:
    """A command on a terminal of its own, to type at and to read from."""

    def __init__(self, command, env, cwd):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(cwd)
                os.execvpe(command[0], [os.fspath(c) for c in command], env)
            finally:
                os._exit(127)
        self.seen = ""  # since the last match
        self.everything = ""
        self.status = None

    def expect(self, pattern, timeout_s=60):
        """Read until the pattern is seen; returns the match and forgets everything up to it."""
        end = time.monotonic() + timeout_s
        while True:
            match = re.search(pattern, self.seen)
            if match:
                self.seen = self.seen[match.end() :]
                return match
            left = end - time.monotonic()
            assert left > 0, f"no {pattern!r} within {timeout_s} s in {self.seen!r}"
            if select.select([self.fd], [], [], left)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    data = b""
                assert data, f"the terminal ended before {pattern!r}: {self.seen!r}"
                self.see(data)

    def see(self, data):
        self.seen += data.decode(errors="replace")
        self.everything += data.decode(errors="replace")

    def send(self, text):
        os.write(self.fd, text.encode())

    def wait(self, timeout_s=60):
        """The exit status, as the shell gives it; what is still written is read."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            self.see_more(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self.see_more(0):
                    pass
                self.status = os.waitstatus_to_exitcode(status)
                return self.status if self.status >= 0 else 128 - self.status
        raise AssertionError(f"still running after {timeout_s} s: {self.seen!r}")

    def see_more(self, timeout_s):
        """Read what is there within that time; False where nothing is."""
        try:
            data = os.read(self.fd, 65536) if select.select([self.fd], [], [], timeout_s)[0] else b""
        except OSError:
            data = b""
        self.see(data)
        return bool(data)

    def close(self):
        if self.status is None:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def terminal(box):
    """terminal(COMMAND): start a command on a terminal of its own; ended with the test."""
    started = []

    def start(command, env=None, cwd=None):
        started.append(Terminal([str(c) for c in command], box.env | (env or {}), cwd or box.work))
        return started[-1]

    yield start
    for one in started:
        one.close()
