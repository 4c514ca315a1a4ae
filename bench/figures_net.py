"""Figures of the network, in a network namespace of the bench's own: bench-net-server holds the servers and the nameserver."""

import contextlib
import os
import pathlib
import statistics
import subprocess
import sys

from harness import Supervisor, works

RULES = {
    "host": '"tcp://localhost:7001-7004", "udp://localhost:7003"',
    "port": '"tcp://*:7001-7004"',
    "name": '"tcp://host.example:80"',
}


class Namespace:
    """Where the servers are; enter is the command that leads into it."""

    def __init__(self, bench):
        resolv_conf = bench.work / "resolv.conf"
        resolv_conf.write_text("nameserver 127.0.0.53\n")
        user = () if os.geteuid() == 0 else ("-U", "--map-current-user", "--keep-caps")
        self.make = ["unshare", *user, "-n", "-m"]
        command = [*self.make, bench.program("net-server"), str(resolv_conf)]
        if not works([*self.make, "true"]):
            sys.exit("bench: no network namespace can be made here")
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.server.stdout.readline() != "ready\n":
            sys.exit("bench: bench-net-server did not start")
        enter = () if os.geteuid() == 0 else ("-U", "--preserve-credentials")
        self.enter = ["nsenter", "-t", str(self.server.pid), *enter, "-n", "-m"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stdin.close()
        self.server.stdout.close()
        self.server.wait()


class Program(Supervisor):
    """bench-net in the namespace, under a wrapper or none ([])."""

    def __init__(self, bench, namespace, wrapper, kind, count):
        super().__init__([*namespace.enter, *wrapper], [bench.program("net"), kind, str(count)])
        self.wrapped = bench.sandlock in wrapper  # what else wraps becomes the program
        self.count = count

    def wrapper_cpu_ns(self):
        total = 0
        for stat in pathlib.Path(f"/proc/{self.child.pid}/task").glob("*/schedstat") if self.wrapped else ():
            with contextlib.suppress(OSError):
                total += int(stat.read_text().split()[0])
        return total

    def step(self):
        """What one thing took, in nanoseconds: wall clock, and CPU of the program and the wrapper."""
        before = self.wrapper_cpu_ns()
        self.child.stdin.write("\n")
        wall, cpu = map(float, self.child.stdout.readline().split())
        return wall, cpu + (self.wrapper_cpu_ns() - before) / self.count


def run_under(bench, rules):
    """run with a profile of these destinations and of the files that any program needs."""
    profile = bench.work / f"net-{rules}.toml"
    program = bench.program("net")
    profile.write_text(
        f'version = 2\n[filesystem]\nread = ["/usr", "/etc", "/run", "{program}"]\nexec = ["/usr", "{program}"]\n'
        f"[network]\nallow = [{RULES[rules]}]\n"
    )
    return [bench.sandlock, "run", "-p", str(profile), "--"]


class Measured:
    """Medians of one kind under each wrapper: wall and cpu in nanoseconds, and how often the wrapper slept."""

    def __init__(self, bench, namespace, kind, count, wrappers, rounds):
        rows = {name: [] for name in wrappers}
        self.switches = dict.fromkeys(wrappers, 0)
        for _ in range(rounds):
            for name, wrapper in wrappers.items():
                program = Program(bench, namespace, wrapper, kind if isinstance(kind, str) else kind[name], count)
                before = program.switches()
                rows[name].append(program.step())
                self.switches[name] += program.switches() - before
                program.finish()
        self.wall = {name: statistics.median(row[0] for row in of) for name, of in rows.items()}
        self.cpu = {name: statistics.median(row[1] for row in of) for name, of in rows.items()}

    def note(self, unit, scale, names):
        """Wall clock and CPU of each."""
        return ", ".join(f"{name} {self.wall[name] / scale:.4g} {unit} (CPU {self.cpu[name] / scale:.4g})" for name in names)


def connects(bench, namespace):
    wrappers = {"bare": [], "host": run_under(bench, "host"), "port": run_under(bench, "port")}
    m = Measured(bench, namespace, "connect", 2_000 if bench.quick else 10_000, wrappers, 3 if bench.quick else 9)
    what = "a loopback connect with a rule"
    over = (m.wall["host"] - m.wall["bare"]) / 1000
    bench.row(f"{what} that names a host, over bare", over, "µs", 15, note=m.note("µs", 1000, ("bare", "host")))
    bench.row(f"{what} that names a host, CPU over bare", (m.cpu["host"] - m.cpu["bare"]) / 1000, "µs")
    note = m.note("µs", 1000, ("port",))
    bench.row(f"{what} of a port alone, to bare", m.wall["port"] / m.wall["bare"], "x", 1.02, note=note)
    bench.row(f"{what} of a port alone, CPU to bare", m.cpu["port"] / m.cpu["bare"], "x", 1.02)
    bench.row(f"{what} of a port alone: times the supervisor woke up", m.switches["port"], "", 0)


def free_of_charge(bench, namespace, what, kind, count, rounds, unit, scale):
    """What no notification is needed for, once the socket is connected."""
    wrappers = {"bare": [], "floor": [bench.program("floor"), "/"], "run": run_under(bench, "host")}
    m = Measured(bench, namespace, kind, count, wrappers, rounds)
    bench.row(f"{what}, to bare", m.wall["run"] / m.wall["bare"], "x", 1.02, note=m.note(unit, scale, ("bare", "run")))
    bench.row(f"{what}, CPU to bare", m.cpu["run"] / m.cpu["bare"], "x", 1.02)
    note = "one allowing instruction and one rule"
    bench.row(f"{what}: the kernel's least, CPU to bare", m.cpu["floor"] / m.cpu["bare"], "x", note=note)


def blocked(bench, namespace):
    wrapper = run_under(bench, "host")
    kinds = {"usual": "connect", "beside": "blocked"}
    m = Measured(
        bench, namespace, kinds, 2_000 if bench.quick else 10_000, dict.fromkeys(kinds, wrapper), 3 if bench.quick else 9
    )
    note = m.note("µs", 1000, kinds)
    bench.row("a notified connect while another process waits in one, to usual", m.wall["beside"] / m.wall["usual"], "x", 1.05, note=note)


def look_ups(bench, namespace):
    wrappers = {"bare": [], "run": run_under(bench, "name")}
    m = Measured(bench, namespace, "lookup", 500 if bench.quick else 2_000, wrappers, 3 if bench.quick else 9)
    note = m.note("µs", 1000, wrappers)
    bench.row("getaddrinfo through a local nameserver, to bare", m.wall["run"] / m.wall["bare"], "x", 1.2, note=note)
    bench.row("getaddrinfo through a local nameserver, CPU to bare", m.cpu["run"] / m.cpu["bare"], "x")


def bench_net(bench):
    with Namespace(bench) as namespace:
        connects(bench, namespace)
        rounds = 3 if bench.quick else 9
        free_of_charge(bench, namespace, "a mebibyte over a TCP connection", "stream", 1024, rounds, "ms", 1e6)
        count = 100_000 if bench.quick else 1_000_000
        free_of_charge(bench, namespace, "a connected UDP send", "datagram", count, rounds, "ns", 1)
        blocked(bench, namespace)
        look_ups(bench, namespace)


PARTS = {"net": bench_net}
