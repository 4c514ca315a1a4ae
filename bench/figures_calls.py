"""Figures of single calls: starting, calls that nobody is notified of, calls that are observed, calls that are substituted."""

import statistics

from harness import Supervisor, interleaved, learned, quiet, works


def bench_spawn(bench):
    profile = learned(bench, ["/bin/true"], "true")
    rounds = 100 if bench.quick else 500
    commands = {
        "bare": ["/bin/true"],
        "run": [bench.sandlock, "run", "-p", profile, "--", "/bin/true"],
        "floor": [bench.program("floor"), "/", "/bin/true"],
    }
    if bench.bwrap and works([*bench.bwrap_command(), "/bin/true"]):
        commands["bwrap"] = [*bench.bwrap_command(), "/bin/true"]
    line = []
    for command in commands.values():
        line += [",", *command] if line else command
    out = quiet([bench.program("spawn"), str(rounds), *line])
    times = {name: tuple(int(x) / 1e6 for x in row.split()) for name, row in zip(commands, out.splitlines())}
    note = f"bare {times['bare'][0]:.2f} ms, run {times['run'][0]:.2f} ms, {rounds} rounds"
    bench.row("start of run on /bin/true, over bare: median", times["run"][0] - times["bare"][0], "ms", 0.5, note=note)
    bench.row("start of run on /bin/true, over bare: 10th percentile", times["run"][1] - times["bare"][1], "ms", 0.5)
    least = times["floor"][0] - times["bare"][0]
    bench.row("start of the kernel's and libc's least on /bin/true, over bare: median", least, "ms", note="a static program, one instruction, one rule")
    if "bwrap" in times:
        bench.row("start of bwrap on /bin/true, over bare: median", times["bwrap"][0] - times["bare"][0], "ms")


def bench_calls(bench):
    target = bench.work / "target"
    target.write_bytes(b"x" * 64)
    for kind in ("open", "stat", "read"):
        profile, listed = learned_calls(bench, kind, target), learned_calls(bench, kind, target, "--learn-syscalls")
        wrappers = {
            "bare": ([], 1),
            "floor": ([bench.program("floor"), "/"], 1),
            "run": ([bench.sandlock, "run", "-p", profile, "--"], 1),
            "listed": ([bench.sandlock, "run", "-p", listed, "--"], 1),
        }
        count = 100_000 if bench.quick else 1_000_000
        ns, switches = interleaved(bench, kind, str(target), count, wrappers, 3 if bench.quick else 9)
        what = {"open": "open+close", "stat": "stat", "read": "read"}[kind]
        note = f"bare {ns['bare']:.0f} ns, run {ns['run']:.0f} ns"
        bench.row(f"{what} under a file-only profile, to bare", ns["run"] / ns["bare"], "x", 1.02, note=note)
        note = f"one allowing instruction and one rule: {ns['floor']:.0f} ns"
        bench.row(f"{what}: the kernel's least, to bare", ns["floor"] / ns["bare"], "x", note=note)
        bench.row(f"{what} under a file-only profile, to the kernel's least", ns["run"] / ns["floor"], "x", 1.02)
        note = f"only the calls that it makes are possible: {ns['listed']:.0f} ns"
        bench.row(f"{what} under a profile with a list of calls, to one without", ns["listed"] / ns["run"], "x", 1.02, note=note)
        bench.row(f"{what}: times the supervisor woke up", switches["run"] + switches["listed"], "", 0, note="one for each notification")


def learned_calls(bench, kind, target, *options):
    profile = bench.work / f"{kind}{'.listed' if options else ''}.toml"
    child = Supervisor(
        [bench.sandlock, "learn", "--in-place", *options, "-o", str(profile), "--"], [bench.program("calls"), kind, str(target), "10"]
    )
    child.step()
    child.finish()
    return str(profile)


def bench_notify(bench):
    target = bench.work / "target"
    target.write_bytes(b"x" * 64)
    count = 20_000 if bench.quick else 200_000
    out = bench.work / "notify.toml"
    wrappers = {"bare": ([], 1), "learn": ([bench.sandlock, "learn", "--in-place", "-o", str(out), "--"], 1)}
    strace = [bench.strace, "-f", "-e", "trace=%file", "-o", "/dev/null"] if bench.strace else None
    if strace and works([*strace, "/bin/true"]):
        wrappers["strace"] = (strace, 20)
    loops, rounds = [], 3 if bench.quick else 7
    times = {name: [] for name in wrappers}
    for _ in range(rounds):
        loops.append(float(quiet([bench.program("notify-loop"), str(target), str(count)])))
        for name, value in interleaved(bench, "open", str(target), count, wrappers, 1)[0].items():
            times[name].append(value)
    ns = {name: statistics.median(row) for name, row in times.items()}
    loop = statistics.median(loops)
    note = f"bare {ns['bare']:.0f} ns, loop {loop:.0f} ns, learn {ns['learn']:.0f} ns"
    bench.row("one observed open+close, to the bare RECV/SEND loop", ns["learn"] / loop, "x", 1.25, note=note)
    if "strace" in ns:
        note = f"strace -f -e trace=%file {ns['strace']:.0f} ns"
        bench.row("one observed open+close, times faster than strace", ns["strace"] / ns["learn"], "x", 10, True, note)


def bench_native(bench):
    """Entering and executing what the run has made: on the view the caller is made to do another call."""
    place = bench.work / "native"
    place.mkdir()
    count = 100 if bench.quick else 1000
    command = [bench.program("native"), str(count)]
    ways = {
        "bare": command,
        "in place": [bench.sandlock, "learn", "-q", "--in-place", "-o", "/dev/null", "--", *command],
        "view": [bench.sandlock, "learn", "-q", "-o", "/dev/null", "--", *command],
    }  # fmt: skip
    times = {name: [] for name in ways}
    for _ in range(3):
        for name, way in ways.items():
            times[name].append([float(line) / 1000 for line in quiet(way, cwd=place).split()])
    for i, what in enumerate(("chdir into", "execution of")):
        us = {name: statistics.median(row[i] for row in rows) for name, rows in times.items()}
        note = f"bare {us['bare']:.1f} µs, learn --in-place {us['in place']:.1f} µs"
        bench.row(f"{what} what the run has made, on the view", us["view"], "µs", note=note)


PARTS = {"spawn": bench_spawn, "calls": bench_calls, "notify": bench_notify, "native": bench_native}
