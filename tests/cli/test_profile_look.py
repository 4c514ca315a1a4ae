"""profile show: the effective rules, coloured on a terminal; profile check: lines that can never matter."""

import re
import tomllib

import pytest

TEXT = """version = 2
[filesystem]
read = [
  "/usr/lib/x",
  "/usr/lib",
  "/b \\"#[",
]
list = ["/usr/lib"]
write = ["/w/f"]
create = ["/w"]

[network]
allow = ["10.1.2.3", "10.0.0.0/8"]
allow_bind = [80, "70-90"]
"""


def test_show_prints_what_is_effective(box):
    result = box.tool("profile", "show", box.file("p.toml", TEXT))
    data = tomllib.loads(result.stdout)
    assert data["filesystem"] == {"read": ['/b "#[', "/usr/lib"], "create": ["/w"]}, result.describe()
    assert data["network"] == {"allow": ["10.0.0.0/8"], "allow_bind": ["70-90"]}
    again = box.tool("profile", "show", box.file("q.toml", result.stdout))
    assert again.stdout == result.stdout


def test_show_is_coloured_on_a_terminal_alone(box, terminal):
    path = box.file("p.toml", TEXT)
    plain = box.tool("profile", "show", path).stdout
    assert "\033" not in plain
    shown = {}
    for name, env in {"xterm": {"TERM": "xterm"}, "dumb": {"TERM": "dumb"}, "no": {"TERM": "xterm", "NO_COLOR": "1"}}.items():
        t = terminal([box.sandlock, "profile", "show", path], env=box.env | env)
        t.expect(r"70-90")
        t.expect(r"\]")
        assert t.wait() == 0
        shown[name] = t.everything.replace("\r\n", "\n")
    assert "\033[1m[filesystem]\033[0m" in shown["xterm"] and '\033[32m"/b \\"#["\033[0m' in shown["xterm"] and "\033[36mread\033[0m" in shown["xterm"]
    assert re.sub(r"\033\[\d*m", "", shown["xterm"]) == plain
    assert shown["dumb"] == shown["no"] == plain


IDLE = [
    ('read = [\n"/usr/share/x",\n"/usr/share"]', 4, 'filesystem.read: "/usr/share/x" can never matter: filesystem.read "/usr/share" gives it'),
    ('read = ["/usr/share"]\nlist = ["/usr/share"]', 4, 'filesystem.list: "/usr/share" can never matter: filesystem.read "/usr/share" gives it'),
    ('create = ["/w"]\nwrite = ["/w/f"]', 4, 'filesystem.write: "/w/f" can never matter: filesystem.create "/w" gives it'),
    ('read = [\n"/a",\n"/a/"]', 5, '"/a/" can never matter: it stands there twice'),
    ('read = ["/a/b"]\ndeny = ["/a"]', 3, 'filesystem.read: "/a/b" can never matter: filesystem.deny takes it away'),
    ('read = ["/a"]\ndeny = ["/b"]', 4, 'filesystem.deny: "/b" can never matter: nothing that is granted is in it'),
    ('write = ["/dev/null"]', 3, '"/dev/null" can never matter: it is always granted'),
    ('create = ["/etc/hostname"]', 3, '"/etc/hostname" can never matter: it is no directory'),
    ('[network]\nallow = [\n"tcp://10.1.2.3:80",\n"10.0.0.0/8"]', 5, 'network.allow: "tcp://10.1.2.3:80" can never matter: network.allow "10.0.0.0/8" says it'),
    ('[network]\nallow = ["10.1.2.3"]\ndeny = ["10.0.0.0/8"]', 4, '"10.1.2.3" can never matter: network.deny "10.0.0.0/8" takes it away'),
    ('[network]\nallow_bind = [80, "70-90"]', 4, 'network.allow_bind: "80" can never matter: network.allow_bind "70-90" says it'),
    ('[http]\nallow = ["GET x/a", "* x"]', 4, 'http.allow: "GET x/a" can never matter: http.allow "* x" says it'),
    ('[syscalls]\nallow = ["read", "getpid"]\nextra_deny = ["getpid"]', 4, 'syscalls.allow: "getpid" can never matter: syscalls.extra_deny "getpid" takes it away'),
]  # fmt: skip


@pytest.mark.parametrize("lines, number, text", IDLE)
def test_check_names_what_can_never_matter(box, lines, number, text):
    path = box.file("p.toml", f"version = 2\n[filesystem]\n{lines}\n")
    result = box.tool("profile", "check", path)
    warnings = [m for m in result.messages if "warning" in m]
    assert result.status == 0 and len(warnings) == 1, result.describe()
    assert warnings[0].startswith(f"sandlock: warning: {path}:{number}: ") and text in warnings[0]


def test_check_of_version_1(box):
    path = box.file("p.toml", '[filesystem]\nread = ["/a", "/b/c"]\nwrite = ["/a", "/b"]\n')
    result = box.tool("profile", "check", path)
    assert result.status == 0 and len(result.messages) == 2 and all("filesystem.write" in m and "gives it" in m for m in result.messages), result.describe()


def test_check_says_nothing_of_what_leads_elsewhere(box):
    (box.work / "d").mkdir()
    (box.work / "d" / "out").symlink_to("/etc")
    path = box.file("p.toml", f'version = 2\n[filesystem]\nread = ["{box.work}/d", "{box.work}/d/out/passwd", "/proc", "/proc/self/maps"]\n')
    assert box.tool("profile", "check", path).messages == []


def test_check_of_a_learned_profile_says_nothing(box):
    _, path, _ = box.learn(["sh", "-c", "ls /usr >/dev/null; echo x >new; rm new"])
    result = box.tool("profile", "check", path)
    assert (result.status, result.messages) == (0, []), result.describe()
