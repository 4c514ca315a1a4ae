"""What the parts of the bench share: rows, commands that must work, a program under a wrapper that is spoken to in lines."""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time


class Bench:
    def __init__(self, arguments, work):
        self.sandlock = os.path.abspath(arguments.sandlock)
        self.programs = pathlib.Path(arguments.build).resolve()
        self.quick = arguments.quick
        self.work = work
        self.rows = []
        self.strace = shutil.which("strace")
        self.bwrap = shutil.which("bwrap")

    def row(self, name, value, unit, budget=None, least=False, note=""):
        """One figure. budget: at most that, or at least with `least`; None: only to compare with."""
        mark = ""
        if budget is not None:
            mark = "ok" if (value >= budget if least else value <= budget) else "over" if not least else "under"
        self.rows.append(
            {"name": name, "value": value, "unit": unit, "budget": budget, "least": least, "mark": mark, "note": note}
        )

    def program(self, name):
        return str(self.programs / f"bench-{name}")

    def bwrap_command(self):
        """bubblewrap over the whole tree, read-only but for the work directory: what one would type."""
        work = str(self.work)
        return [self.bwrap, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--bind", work, work, "--unshare-all", "--"]


def quiet(command, **more):
    """Run, output dropped; ends the bench where it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **more)
    if done.returncode:
        sys.exit(f"bench: {' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def works(command):
    """Can this be run at all here? bubblewrap needs user namespaces, strace ptrace."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class Supervisor:
    """A bench-calls under some wrapper, spoken to in lines; what the wrapper's process costs meanwhile."""

    def __init__(self, wrapper, command):
        self.child = subprocess.Popen(
            [*wrapper, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1
        )
        self.expect("ready")

    def expect(self, what):
        line = self.child.stdout.readline().strip()
        if line != what:
            sys.exit(f"bench: {' '.join(self.child.args)}: {what!r} expected, got {line!r}")

    def step(self):
        """Let it work; the nanoseconds it printed."""
        self.child.stdin.write("\n")
        return float(self.child.stdout.readline())

    def finish(self):
        """Let it end; the seconds until the wrapper had ended too."""
        start = time.monotonic()
        self.child.stdin.write("\n")
        self.child.stdin.close()
        if self.child.wait():
            sys.exit(f"bench: {' '.join(self.child.args)}: status {self.child.returncode}")
        return time.monotonic() - start

    def switches(self):
        """How often the wrapper's threads have slept and woken: one for each notification, if there are any."""
        total = 0
        for status in pathlib.Path(f"/proc/{self.child.pid}/task").glob("*/status"):
            for line in status.read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    total += int(line.split()[1])
        return total

    def rss_bytes(self):
        for line in pathlib.Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0


def learned(bench, command, name):
    """A profile of files only for the command."""
    profile = bench.work / f"{name}.toml"
    quiet([bench.sandlock, "learn", "--in-place", "-o", profile, "--", *command], input=None)
    return str(profile)


def interleaved(bench, kind, path, count, wrappers, rounds):
    """Median nanoseconds of one call under each wrapper, and the wrapper's sleeps while it worked."""
    times = {name: [] for name in wrappers}
    switches = dict.fromkeys(wrappers, 0)
    for _ in range(rounds):
        for name, (wrapper, share) in wrappers.items():
            child = Supervisor(wrapper, [bench.program("calls"), kind, path, str(count // share)])
            before = child.switches()
            times[name].append(child.step())
            switches[name] += child.switches() - before
            child.finish()
    return {name: statistics.median(row) for name, row in times.items()}, switches
