"""What no profile can grant: namespaces, mounts, the kernel itself, foreign entry points, the terminal's input, privileges."""

import os
import pathlib
import platform
import pty
import shutil
import subprocess

import attacks
import pytest

ROOT = os.geteuid() == 0
X86 = platform.machine() == "x86_64"
# Not in a chroot, nor where the administrator forbids it: then an ordinary user has nothing to compare with.
USER_NAMESPACES = subprocess.run(["unshare", "--user", "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
FLAGS = ("newns", "newcgroup", "newuts", "newipc", "newuser", "newpid", "newnet", "newtime")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "kernel")


@pytest.fixture
def run(sandlock, program, tmp_path):
    """run(GROUP): the group's results, confined and bare, under a profile that is as wide as one can be."""
    wide = attacks.profile(tmp_path / "p.toml", read=["/usr"], exec=[program], create=["/tmp"], delete=["/tmp"])

    def both(group, **options):
        bare = attacks.call([program, group], **options)
        return attacks.confined(sandlock, wide, [program, group], **options), bare

    return both


def test_R4_namespaces(run):
    confined, bare = run("namespaces")
    expected = {f"unshare-{flag}": "EPERM" for flag in (*FLAGS, "newnet-rubbish")}
    expected |= {f"clone-{flag}": "EPERM" for flag in (*FLAGS, "newnet-rubbish") if flag != "newtime"}
    expected |= {f"clone3-{flag}": "ENOSYS" for flag in FLAGS}
    expected |= {f"setns-{flag}": "EPERM" for flag in FLAGS}
    attacks.compare(confined, expected)
    # An ordinary user has no right in those of a child's child; setns itself is reached with the other flags.
    same = [] if ROOT else ["setns-newpid", "setns-newtime"]
    if not USER_NAMESPACES:
        same += [name for name in confined if not ROOT or name.endswith("newuser")]
    attacks.proves(bare, confined, same)


def test_R4_mounts_old_and_new(run):
    confined, bare = run("mounts")
    attacks.compare(confined, {name: "EPERM" for name in bare})
    assert len(bare) == 15
    attacks.proves(bare, confined, bare if not ROOT and not USER_NAMESPACES else ())


def test_R4_the_kernel_itself(run):
    confined, bare = run("kernel")
    seem_absent = ("add_key", "request_key", "keyctl", "keyctl-session", "io_uring_setup", "io_uring_enter", "io_uring_register")
    expected = {name: "EPERM" for name in bare} | {name: "ENOSYS" for name in (*seem_absent, "nfsservctl", "uselib") if name in bare}
    attacks.compare(confined, expected | {"perf_event_open": "EACCES"})
    unbuilt = ["nfsservctl", "uselib"]  # no kernel of today has them
    privileged = ["bpf", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "swapon", "swapoff"]
    privileged += ["reboot", "sethostname", "setdomainname", "settimeofday", "acct", "quotactl", "syslog", "syslog-read", "vhangup"]
    privileged += ["iopl", "ioperm", "open_by_handle_at", "fanotify_init", "perf_event_open", "userfaultfd"]
    attacks.proves(bare, confined, unbuilt if ROOT else unbuilt + privileged)


def test_R4_foreign_and_future_entry_points(run):
    confined, bare = run("entry")
    attacks.compare(confined, {name: "ENOSYS" for name in bare})
    assert len(bare) == (9 if X86 else 4)
    # The kernel itself answers so to numbers that it lacks; that a 32-bit call runs bare is up to its configuration.
    absent = ["future-470", "future-100000", "gap-400", "negative", "x32-getpid", "x32-rt_sigaction"]
    attacks.proves(bare, confined, absent)


def test_R4_probing_programs_fall_back(run, sandlock, program, tmp_path):
    confined, bare = run("fallback")
    attacks.compare(bare, {name: "SUCCEEDED" for name in ("pthread_create", "posix_spawn", "unshare-files")})
    attacks.compare(confined, bare)


def test_R4_terminal_input(run):
    """On a terminal that is the controlling one of nobody here, so that nothing typed reaches a shell."""
    master, slave = pty.openpty()
    try:
        confined, bare = run("terminal", stdin=slave)
    finally:
        os.close(master)
        os.close(slave)
    refused = ("TIOCSTI", "TIOCSTI-rubbish", "TIOCLINUX", "TIOCCONS", "TIOCSETD")
    attacks.compare(confined, {name: "EPERM" for name in refused} | {"TIOCGWINSZ": "SUCCEEDED"})
    # Typing into a terminal that is not one's own, and taking the console, need privilege.
    attacks.proves(bare, confined, [] if ROOT else ["TIOCSTI", "TIOCSTI-rubbish", "TIOCCONS", "TIOCLINUX"])


def test_R4_no_new_privileges(run):
    confined, bare = run("privileges")
    assert confined == bare | {"no_new_privs": "1"}
    assert bare["no_new_privs"] == "0"


def test_R4_root_learns_with_the_capabilities_that_it_runs_with(box):
    """Else the machine's network, say, could be changed while learning, and the profile would not be enough afterwards."""
    learned, _, profile = box.learn(["grep", "CapEff", "/proc/self/status"])
    assert learned.stdout == box.run(profile, check=True).stdout
    effective = int(learned.stdout.split()[1], 16)
    assert not effective & (1 << 12 | 1 << 21)  # CAP_NET_ADMIN, CAP_SYS_ADMIN
    assert bool(effective) == ROOT


if ROOT:

    def test_R4_set_user_id_gains_nothing(sandlock, program, tmp_path):
        """A program that makes its caller root bare leaves it an ordinary user confined."""
        top = pathlib.Path("/var/tmp") / f"sandlock-attack-{os.getpid()}"
        top.mkdir(mode=0o755)
        try:
            other = 65534
            copy = pathlib.Path(shutil.copy(program, top / "set-user-id"))
            os.chown(copy, 0, 0)
            copy.chmod(0o6755)
            binary = pathlib.Path(shutil.copy(sandlock, top / "sandlock"))
            binary.chmod(0o755)
            granted = attacks.profile(top / "p.toml", exec=[copy])
            granted.chmod(0o644)

            def as_other(*command):
                user = ["setpriv", f"--reuid={other}", f"--regid={other}", "--clear-groups", "--inh-caps=-all"]
                done = subprocess.run([*user, *command], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=True)
                return attacks.results(done.stdout)

            bare = as_other(copy, "privileges")
            assert (bare["euid"], bare["egid"]) == ("0", "0")
            confined = as_other(binary, "run", "-p", granted, "--", copy, "privileges")
            assert (confined["euid"], confined["egid"]) == (str(other), str(other))
        finally:
            shutil.rmtree(top)
