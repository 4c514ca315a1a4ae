"""figures_view.py - the figures about learning on the copy-on-write view: programs that make, read and remove
many files, bare, learned in place and learned on the view; what the view costs a call where nothing was changed; and
the memory that the supervisor takes for what was made.
"""

import resource
import shutil
import subprocess
import sys
import tarfile
import time
from functools import partial

from harness import Supervisor

CLONED_FILES = 5_000
TAR_FILES = 20_000
PER_DIRECTORY = 100
FOUND_FILES = 100_000
FOUND_PER_DIRECTORY = 1_000
MADE = 50_000
BUDGET = 3  # times bare
WAYS = ("bare", "in place", "view")


def measured(command, cwd):
    """Run it: seconds on the clock, of CPU in the command and all that it waited for, the supervisor among it, and how often
    those slept."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"bench: {' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_nvcsw - before.ru_nvcsw


def way(bench, name, command):
    """The command bare, learned in place, or learned on the view."""
    if name == "bare":
        return command
    place = ["--in-place"] if name == "in place" else []
    return [bench.sandlock, "learn", "-q", "--shared-tmp", *place, "-o", bench.work / "job.toml", "--", *command]


def round_trip(bench):
    """Seconds that a notification takes of which nobody makes anything: bench-notify-loop, less what its call takes bare."""
    target = bench.work / "round-trip"
    target.write_bytes(b"x")
    loop, bare = [], []
    for _ in range(3):
        loop.append(float(measured_output([bench.program("notify-loop"), str(target), "20000"])))
        child = Supervisor([], [bench.program("calls"), "open", str(target), "20000"])
        bare.append(child.step())
        child.finish()
    return (min(loop) - min(bare)) / 1e9


def measured_output(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True).stdout


def put_aside(path):
    """Away with what was made, to where learn does not count what a grant opens; it is removed at the end, since ext4 is slow
    to make files where others just were."""
    if path.is_dir():
        path.rename(path.parent.parent / f"{path.name}.{time.monotonic_ns()}")


class Clone:
    title = f"git clone of {CLONED_FILES} files"

    def __init__(self, top):
        self.source, self.made = top / "source", top / "run" / "clone"
        self.command = ["git", "clone", "-q", self.source, self.made]
        for i in range(CLONED_FILES):
            path = self.source / f"d{i // PER_DIRECTORY}" / f"f{i}.c"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"int f{i}(void) {{ return {i}; }}\n" * (1 + i % 20))
        git = ["git", "-C", self.source, "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        for step in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"], ["repack", "-adq"]):
            measured([*git, *step], top)

    def reset(self):
        put_aside(self.made)


class Venv:
    title = "python3 -m venv, with pip"

    def __init__(self, top):
        self.made = top / "run" / "venv"
        self.command = ["/usr/bin/python3", "-m", "venv", self.made]

    def reset(self):
        put_aside(self.made)


class Untar:
    title = f"tar x of {TAR_FILES} small files"

    def __init__(self, top):
        self.archive, self.made = top / "files.tar", top / "run" / "files"
        self.command = ["tar", "xf", self.archive]
        for i in range(TAR_FILES):
            path = self.made / f"d{i // PER_DIRECTORY}" / f"f{i}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * (100 + i % 1900))
        with tarfile.open(self.archive, "w") as archive:
            archive.add(self.made, "files")

    def reset(self):
        put_aside(self.made)


class Remove(Untar):
    title = f"rm -rf of {TAR_FILES} small files"

    def __init__(self, top):
        super().__init__(top)
        self.command = ["rm", "-rf", self.made]
        self.top = top

    def reset(self):
        if not self.made.exists():
            measured(["tar", "xf", self.archive], self.top / "run")


class Find:
    title = f"find over {FOUND_FILES} files"

    def __init__(self, top):
        self.made = top / "run" / "found"
        self.command = ["find", self.made, "-type", "f"]
        for d in range(FOUND_FILES // FOUND_PER_DIRECTORY):
            (self.made / str(d)).mkdir(parents=True)
            for f in range(FOUND_PER_DIRECTORY):
                (self.made / str(d) / str(f)).touch()

    def reset(self):
        pass


class FindStat(Find):
    title = f"find -size over {FOUND_FILES} files (a stat each)"

    def __init__(self, top):
        super().__init__(top)
        self.command = ["find", self.made, "-size", "+1"]


JOBS = {"clone": Clone, "venv": Venv, "tar": Untar, "rm": Remove, "find": Find, "findstat": FindStat}


def bench_trees(bench, which):
    """One job, each way in turn. The first round warms the caches."""
    top = bench.work / which
    (top / "run").mkdir(parents=True)
    job = JOBS[which](top)
    times = {name: [] for name in WAYS}
    for turn in range((1 if bench.quick else 3) + 1):
        for name in WAYS:
            job.reset()
            one = measured(way(bench, name, job.command), top / "run")
            if turn:
                times[name].append(one)
    job.reset()
    # The least of each: what else the machine does only adds, and adds more to what switches often.
    wall, cpu, slept = ({name: min(one[i] for one in row) for name, row in times.items()} for i in (0, 1, 2))
    # Each notified call is one sleep of its caller and one of the supervisor.
    calls = max(0, slept["view"] - slept["bare"]) / 2
    least = 1 + calls * round_trip(bench) / wall["bare"]
    note = f"bare {wall['bare']:.2f} s; CPU time {cpu['view'] / cpu['bare']:.2f} ×; {calls:.0f} notified calls, with nothing but their round trips {least:.2f} ×"
    bench.row(f"{job.title}, learn to bare", wall["view"] / wall["bare"], "x", BUDGET, note=note)
    note = f"CPU time {cpu['in place'] / cpu['bare']:.2f} ×"
    bench.row(f"{job.title}, learn --in-place to bare", wall["in place"] / wall["bare"], "x", note=note)


def bench_untouched(bench):
    """Where nothing was changed: what a call costs more on the view than in place."""
    target = bench.work / "untouched"
    target.write_bytes(b"x" * 64)
    for kind in ("open", "stat"):
        ns = {name: [] for name in WAYS}
        for _ in range(3 if bench.quick else 7):
            for name in WAYS:
                command = way(bench, name, [bench.program("calls"), kind, str(target), "20000"])
                child = Supervisor(command, [])
                ns[name].append(child.step())
                child.finish()
        ns = {name: min(row) for name, row in ns.items()}
        note = f"bare {ns['bare']:.0f} ns, in place {ns['in place']:.0f} ns, view {ns['view']:.0f} ns"
        bench.row(f"{kind} where nothing was changed, view to in place", ns["view"] / ns["in place"], "x", note=note)


def bench_memory(bench):
    """What the supervisor holds for each file that was made: its facts in place, the view's index besides."""
    sizes = {}
    for name in ("in place", "view"):
        top = bench.work / "made"
        top.mkdir()
        child = Supervisor(way(bench, name, [bench.program("calls"), "make", str(top), str(MADE)]), [])
        before = child.rss_bytes()
        child.step()
        sizes[name] = (child.rss_bytes() - before) / MADE
        child.finish()
        shutil.rmtree(top)
    note = f"{MADE} files made; {sizes['in place']:.0f} more for the facts about each, as in place"
    bench.row("memory of the view for an object made on it", sizes["view"] - sizes["in place"], "bytes", 200, note=note)


PARTS = {"untouched": bench_untouched, "memory": bench_memory} | {name: partial(bench_trees, which=name) for name in JOBS}
