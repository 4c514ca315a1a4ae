"""Figures of whole jobs: compiling, and profiles of many entries."""

import resource
import statistics
import subprocess
import sys
import time

from harness import Supervisor, quiet, works

GENERATED_FILES = 50
PATHS = 100_000
PATHS_PER_DIRECTORY = 1000


def generate_project(directory):
    """A C project of many small files, with a Makefile."""
    directory.mkdir()
    names = [f"part{i:02}" for i in range(GENERATED_FILES)]
    for i, name in enumerate(names):
        body = "\n".join(
            f"static int step{k}(int x) {{ char b[32]; snprintf(b, sizeof b, \"%d\", x * {k + i}); return x + (int)strlen(b); }}"
            for k in range(30)
        )
        calls = "\n".join(f"    x = step{k}(x);" for k in range(30))
        (directory / f"{name}.c").write_text(
            f"#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n{body}\nint {name}(int x)\n{{\n{calls}\n    return x;\n}}\n"
        )
    declared = "".join(f"int {n}(int);\n" for n in names)
    calls = "".join(f"    x = {n}(x);\n" for n in names)
    (directory / "main.c").write_text(f"#include <stdio.h>\n{declared}int main(void)\n{{\n    int x = 1;\n{calls}    return x == 0;\n}}\n")
    objects = " ".join(f"{n}.o" for n in [*names, "main"])
    (directory / "Makefile").write_text(
        f"CFLAGS = -O1\nprog: {objects}\n\t$(CC) -o $@ $^\nclean:\n\trm -f prog *.o\n.PHONY: clean\n"
    )


def bench_compile(bench):
    project = bench.work / "project"
    generate_project(project)
    job = ["make", "-s", "-j2"]
    profile = bench.work / "compile.toml"
    learn = [bench.sandlock, "learn", "--in-place", "-o", str(profile), "--"]
    listed = bench.work / "listed.toml"
    calls = [bench.sandlock, "learn", "--in-place", "--learn-syscalls", "-o", str(listed), "--"]
    view = [bench.sandlock, "learn", "-o", str(bench.work / "view.toml"), "--"]
    wrappers = {"bare": [], "view": view, "learn": learn, "run": [bench.sandlock, "run", "-p", str(profile), "--"], "learn calls": calls}
    wrappers["run calls"] = [bench.sandlock, "run", "-p", str(listed), "--"]
    strace = [bench.strace, "-f", "-e", "trace=%file", "-o", "/dev/null"] if bench.strace else None
    if strace and works([*strace, "/bin/true"]):
        wrappers["strace"] = strace
    if bench.bwrap and works([*bench.bwrap_command(), "/bin/true"]):
        wrappers["bwrap"] = bench.bwrap_command()
    times, cpu = {name: [] for name in wrappers}, {name: [] for name in wrappers}
    names = list(wrappers)
    for turn in range((2 if bench.quick else 11) + 1):
        # What runs right after what would else be the same each time. The first round warms the caches, and learns.
        first = turn % len(names) if turn else 0
        for name in names[first:] + names[:first]:
            quiet(["make", "-s", "clean"], cwd=project)
            start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            quiet([*wrappers[name], *job], cwd=project)
            end, after = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            if turn:
                times[name].append(end - start)
                cpu[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    def ratio(name, to, of=times):
        """The median of each round's: what slows the machine down for a while slows both."""
        return statistics.median(a / b for a, b in zip(of[name], of[to]))

    note = f"{GENERATED_FILES} files, make -j2, bare {statistics.median(times['bare']):.2f} s"
    bench.row("a compile job, run to bare", ratio("run", "bare"), "x", 1.02, note=note)
    bench.row("a compile job, learn to bare", ratio("view", "bare"), "x", 1.25)
    bench.row("a compile job, learn --in-place to bare", ratio("learn", "bare"), "x", 1.25)
    bench.row("a compile job, learn --learn-syscalls to bare", ratio("learn calls", "bare"), "x", 1.5)
    bench.row("a compile job, run with its list of calls to bare", ratio("run calls", "bare"), "x", 1.02)
    bench.row("a compile job, run with its list of calls to run", ratio("run calls", "run"), "x", 1.02)
    bench.row("a compile job, run with its list of calls to run: CPU time", ratio("run calls", "run", cpu), "x", 1.02)
    bench.row("a compile job, run with its list of calls to bare: CPU time", ratio("run calls", "bare", cpu), "x", 1.02)
    for name in ("strace", "bwrap"):
        if name in times:
            bench.row(f"a compile job, {name} to bare", ratio(name, "bare"), "x")


def bench_paths(bench):
    top = bench.work / "paths"
    for d in range(PATHS // PATHS_PER_DIRECTORY):
        (top / str(d)).mkdir(parents=True)
        for f in range(PATHS_PER_DIRECTORY):
            (top / str(d) / str(f)).touch()
    profile = bench.work / "paths.toml"
    wrapper = [bench.sandlock, "learn", "--in-place", "-o", str(profile), "--"]
    seconds, sizes = [], []
    for _ in range(1 if bench.quick else 3):
        child = Supervisor(wrapper, [bench.program("calls"), "paths", str(top), str(PATHS)])
        before = child.rss_bytes()
        child.step()
        sizes.append((child.rss_bytes() - before) / PATHS)
        seconds.append(child.finish())
    lines = sum(1 for line in profile.read_text().splitlines() if str(top) in line)
    if lines < PATHS:
        sys.exit(f"bench: {lines} of {PATHS} paths in the profile")
    note = "from the command's last step to the end of the tool"
    bench.row(f"{PATHS} distinct paths: profile written", statistics.median(seconds), "s", 1.0, note=note)
    bench.row(f"{PATHS} distinct paths: supervisor over its start", statistics.median(sizes), "bytes/path", 100)


def bench_merge(bench):
    """Two profiles of PATHS / 2 entries each, none of which are there."""
    files = []
    for name in ("usr", "opt"):
        entries = "".join(f'  "/{name}/d{i % 300}/e/f{i}",\n' for i in range(PATHS // 2))
        files.append(bench.work / f"{name}.toml")
        files[-1].write_text(f"version = 2\n[filesystem]\nread = [\n{entries}]\nexec = [\n  \"/{name}/d1\",\n]\n")
    seconds = []
    for _ in range(1 if bench.quick else 3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([bench.sandlock, "profile", "merge", *files], stdout=subprocess.PIPE, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    if done.stdout.count(b"/e/f") != PATHS:
        sys.exit("bench: entries were lost by merging")
    bench.row(f"{PATHS} entries: two profiles merged", statistics.median(seconds), "s", 1.0, note="CPU time")


PARTS = {"compile": bench_compile, "paths": bench_paths, "merge": bench_merge}
