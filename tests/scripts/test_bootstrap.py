"""./bootstrap with make, dpkg-query, apt-get and sudo put in its way: what it calls, and what it says."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Each tool appends its arguments to $LOG. dpkg-query knows what is in $HAVE; apt-get install adds to it, but fails
# until `update` was called when $STALE is there.
TOOLS = {
    "make": 'echo "make $*" >>"$LOG"\n',
    "id": 'echo "$UID_HERE"\n',
    "dpkg-query": 'for last; do :; done\ngrep -qx "$last" "$HAVE" && printf installed\n',
    "apt-get": """\
for word in "$@"; do case $word in -s) simulate=1 ;; install | update) verb=$word ;; esac; done
[ -z "$simulate" ] && echo "apt-get $verb" >>"$LOG"
[ "$verb" = install ] && [ -x "$POLICY_RC_D" ] && "$POLICY_RC_D"
[ $? = 101 ] && : >"$KEPT"
[ "$verb" = update ] && rm -f "$STALE"
[ "$verb" = install ] && [ -e "$STALE" ] && exit 100
[ "$verb" = install ] && [ -z "$simulate" ] && for word in "$@"; do echo "$word" >>"$HAVE"; done
exit 0
""",
    "sudo": '[ "$1" = -n ] && shift; [ -e "$REFUSE" ] && exit 1; echo "sudo $2" >>"$LOG"; exec "$@"\n',
}


@pytest.fixture
def bootstrap(tmp_path):
    """Returns run(targets…, tools, uid) -> (status, stderr, calls)."""
    checkout = tmp_path / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    for name in ("bootstrap", "scripts/packages.txt"):
        (checkout / name).write_bytes((ROOT / name).read_bytes())
    for name in ("have", "log"):
        (tmp_path / name).touch()

    def run(*targets, tools=("make", "id", "dpkg-query", "apt-get"), uid=0):
        bin_dir = tmp_path / "bin"
        bin_dir.mkdir(exist_ok=True)
        for name in ("sh", "env", "dirname", "grep", "sed", "rm", "true"):
            if not (bin_dir / name).exists():
                (bin_dir / name).symlink_to(f"/usr/bin/{name}")
        for name in tools:
            (bin_dir / name).write_text("#!/bin/sh\n" + TOOLS[name])
            (bin_dir / name).chmod(0o755)
        env = {"PATH": str(bin_dir), "UID_HERE": str(uid)}
        env.update({k.upper(): str(tmp_path / k) for k in ("log", "have", "stale", "refuse", "policy_rc_d", "kept")})
        done = subprocess.run(
            ["/bin/sh", checkout / "bootstrap", *targets], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        calls = (tmp_path / "log").read_text().splitlines()
        (tmp_path / "log").write_text("")
        return done.returncode, done.stderr, calls

    return run


def packages(*groups):
    lines = [line.split() for line in (ROOT / "scripts/packages.txt").read_text().splitlines()]
    return [words[1] for words in lines if words and words[0] in groups]


def test_installs_what_is_missing_then_nothing(bootstrap, tmp_path):
    status, _, calls = bootstrap("demo")
    assert (status, calls) == (0, ["apt-get install", "make demo"])
    assert set(packages("build")) <= set((tmp_path / "have").read_text().split())
    assert not set(packages("check", "bench")) - set(packages("build")) & set((tmp_path / "have").read_text().split())
    assert bootstrap("demo") == (0, "", ["make demo"])


def test_check_needs_more(bootstrap, tmp_path):
    bootstrap("check")
    assert set(packages("build", "check")) <= set((tmp_path / "have").read_text().split())


@pytest.mark.parametrize("uid", (0, 1000))
def test_servers_are_not_started(bootstrap, tmp_path, uid):
    """Their packages ask policy-rc.d, which is there while they are installed; the machine's own is left alone."""
    tools = ("make", "id", "dpkg-query", "apt-get", "sudo")
    assert bootstrap("check", tools=tools, uid=uid)[0] == 0
    assert (tmp_path / "kept").exists() and not (tmp_path / "policy_rc_d").exists()


def test_a_policy_of_the_machines_own_stays(bootstrap, tmp_path):
    own = tmp_path / "policy_rc_d"
    own.write_text("#!/bin/sh\nexit 0\n")
    own.chmod(0o755)
    assert bootstrap("check")[0] == 0
    assert own.read_text() == "#!/bin/sh\nexit 0\n" and not (tmp_path / "kept").exists()


def test_updates_only_where_lists_are_stale(bootstrap, tmp_path):
    (tmp_path / "stale").touch()
    assert bootstrap("all")[2] == ["apt-get update", "apt-get install", "make all"]


def test_goes_through_sudo(bootstrap):
    tools = ("make", "id", "dpkg-query", "apt-get", "sudo")
    status, _, calls = bootstrap("demo", tools=tools, uid=1000)
    assert status == 0
    assert [c for c in calls if not c.startswith("sudo")] == ["apt-get install", "make demo"]
    assert any(c.startswith("sudo") for c in calls)


@pytest.mark.parametrize("why", ["no sudo", "refused", "no apt"])
def test_says_what_to_install(bootstrap, tmp_path, why):
    tools = ["make", "id", "dpkg-query"]
    tools += ["apt-get"] if why != "no apt" else []
    tools += ["sudo"] if why == "refused" else []
    (tmp_path / "refuse").touch()
    status, err, calls = bootstrap("demo", tools=tools, uid=1000)
    assert (status, calls) == (1, [])
    assert all(name in err for name in packages("build"))


def test_unknown_target(bootstrap):
    assert bootstrap("frobnicate")[::2] == (2, [])


def test_every_package_has_a_reason():
    for line in (ROOT / "scripts/packages.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            assert len(line.split()) > 2, line
