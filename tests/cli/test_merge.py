"""profile merge: what the command does beyond sl_profile_merge(), which test-profile-merge.c holds to its properties."""

import os
import stat
import subprocess

import pytest

A = """# about this file
version = 2

[program]
exec = "/bin/a"

# what it may touch
[filesystem]
read = [
  # why b
  "/b/x",
  "/a", # why # a
]
deny = ["/a/secret"]

[limits]
memory = "512M"
processes = 7
# the end
"""
B = """version = 2
[program]
exec = "/bin/b"
[filesystem]
read = ["/b", "/a/secret"]
write = ["/w#1"]
[limits]
memory = "1G"
"""
MERGED = """# about this file
version = 2

[program]
exec = "/bin/a"

# what it may touch
[filesystem]
# why b
read = [
  "/a", # why # a
  "/b",
]
write = [
  "/w#1",
]
deny = [
  "/a/secret",
]

[limits]
memory = "1G"
# the end
"""


def merge(box, *texts, options=()):
    files = [box.file(f"m{i}.toml", text) for i, text in enumerate(texts)]
    return box.tool("profile", "merge", *options, *files), files


def test_P2_golden(box):
    result, files = merge(box, A, B)
    assert (result.status, result.stdout) == (0, MERGED), result.describe()
    assert result.messages == [f"sandlock: warning: dropped limits.processes: {files[1]} has none"]


def test_P2_merging_again_changes_nothing(box):
    result, _ = merge(box, A, B)
    again, _ = merge(box, result.stdout, B)
    assert again.stdout == result.stdout, again.describe()


def test_P2_covered_grants_are_named(box):
    result, _ = merge(box, 'version = 2\n[filesystem]\ndeny = ["/d"]\n', 'version = 2\n[filesystem]\nread = ["/d/f", "/e"]\n')
    assert result.status == 0 and len(result.messages) == 1, result.describe()
    assert 'filesystem.read "/d/f" is covered by filesystem.deny' in result.messages[0]


def test_P2_both_versions(box):
    box.file("f", "x")
    result, _ = merge(box, '[filesystem]\nread = ["/r", "rel"]\nwrite = ["/w", "~/f"]\n', "version = 2\n", options=())
    loaded = box.tool("profile", "check", box.file("result.toml", result.stdout))
    assert result.status == loaded.status == 0 and result.stdout.startswith("version = 2\n"), result.describe()
    assert f'"{box.work}/rel"' in result.stdout and result.stdout.count('"/w"') == 5 and result.stdout.count('"/r"') == 2
    (box.home / "f").write_text("x")
    result, _ = merge(box, '[filesystem]\nwrite = ["~/f"]\n', "version = 2\n")
    assert result.stdout.count('"~/f"') == 3, result.describe()


def test_P2_a_link_that_leads_out_is_kept(box):
    (box.work / "d").mkdir()
    (box.work / "d" / "out").symlink_to("/etc")
    (box.work / "d" / "in").mkdir()
    lines = "".join(f'"{box.work}/d/{n}", ' for n in ("out/passwd", "in/x"))
    result, _ = merge(box, f"version = 2\n[filesystem]\nread = [{lines}]\n", f'version = 2\n[filesystem]\nread = ["{box.work}/d"]\n')
    assert "out/passwd" in result.stdout and "in/x" not in result.stdout, result.describe()


def test_P2_the_result_loads_where_lists_exclude_each_other(box):
    result, _ = merge(box, '[network]\nallow = ["a.example"]\n', '[network]\ndeny = ["10.0.0.0/8"]\nallow_bind = ["*"]\n', '[network]\nallow_bind = [80]\n')  # fmt: skip
    assert result.status == 0 and "dropped network.allow:" in result.messages[0], result.describe()
    assert result.stdout == '[network]\ndeny = ["10.0.0.0/8"]\nallow_bind = ["*"]\n'


def test_P2_output_replaces_and_keeps_mode_and_link(box):
    target = box.file("real.toml", A, mode=0o640)
    link = box.work / "link.toml"
    link.symlink_to("real.toml")
    result = box.tool("profile", "merge", link, box.file("b.toml", B), "-o", link)
    assert (result.status, result.stdout) == (0, ""), result.describe()
    assert link.is_symlink() and target.read_text() == MERGED and stat.S_IMODE(target.stat().st_mode) == 0o640


def test_P2_concurrent_merges_lose_nothing(box):
    target = box.file("all.toml", "version = 2\n")
    parts = [box.file(f"part{i}.toml", f'version = 2\n[filesystem]\nread = ["/part/{i}"]\n') for i in range(12)]
    running = [subprocess.Popen([box.sandlock, "profile", "merge", target, part, "-o", target], env=box.env) for part in parts]
    assert [p.wait(60) for p in running] == [0] * len(parts)
    assert all(f'"/part/{i}"' in target.read_text() for i in range(len(parts)))


@pytest.mark.parametrize("bad", ["version = 2\nfoo = 1\n", None])
def test_P2_a_bad_input_changes_nothing(box, bad):
    target, other = box.file("a.toml", A), box.work / "bad.toml"
    if bad:
        other.write_text(bad)
    result = box.tool("profile", "merge", target, other, "-o", target)
    assert result.status == 125 and len(result.messages) == 1 and target.read_text() == A, result.describe()
    assert sorted(os.listdir(box.work)) == sorted(["a.toml"] + (["bad.toml"] if bad else []))


def test_merge_needs_two(box):
    assert box.tool("profile", "merge", box.file("a.toml", A)).status == 2


@pytest.mark.parametrize(
    "text, comments",
    [
        ('version = 2\n[filesystem]\nread = [\n  "/a", # x ] "\n  # before the end\n]\nwrite = ["/w"] # w\n', ['# x ] "', "# before the end", "# w"]),
        ("version = 2 # v\n[program]\nexec = '/bin/#no' # yes\nargs = ['''a\n# no''', \"\"\"b\\\n # no\"\"\"\"] # c\n[program.env]\n# lang\nLANG = \"C\"\n", ["# v", "# yes", "# c", "# lang"]),
        ("# only\n", ["# only"]),
        ("version = 2\r\n# crlf\r\n[filesystem]\r\n", ["# crlf"]),
    ],
)  # fmt: skip
def test_P2_comments_survive(box, text, comments):
    result, _ = merge(box, text, "version = 2\n")
    again, _ = merge(box, result.stdout, "version = 2\n")
    assert result.status == 0 and again.stdout == result.stdout, result.describe()
    found = result.stdout.splitlines()
    assert all(any(line.endswith(c) for line in found) for c in comments), result.describe()
    assert result.stdout.count("#") == text.count("#"), result.describe()


def test_P2_what_is_the_first_ones_is_said_where_another_differs(box):
    first = '[filesystem]\nchroot = "/a"\n[config]\nworkdir = "/w"\n'
    result, files = merge(box, first, '[filesystem]\non_exit = "commit"\non_error = "keep"\n')
    assert result.status == 0 and 'chroot = "/a"' in result.stdout and "on_error" not in result.stdout, result.describe()
    assert result.messages == [f"sandlock: warning: filesystem.{k} of {files[1]} differs: the first profile's holds" for k in ("chroot", "on_error")]


def test_P2_destinations_absorb(box):
    result, files = merge(
        box,
        'version = 2\n[network]\nallow = ["10.0.0.0/8", "udp://a:53"]\n[http]\nallow = ["GET x/a"]\n',
        'version = 2\n[network]\nallow = ["tcp://10.1.2.3:80", "a"]\ndeny = ["10.2.0.0/16"]\n',
        'version = 2\n[network]\nallow = ["10.2.3.4"]\n[http]\nallow = ["GET x/*"]\n',
    )
    assert '[network]\nallow = [\n  "10.0.0.0/8",\n  "a",\n]\n' in result.stdout, result.describe()
    assert '[http]\nallow = [\n  "* 10.1.2.3",\n  "* a",\n  "GET x/*",\n]\n' in result.stdout, result.describe()
    assert [m for m in result.messages if f"network rules of {files[1]} let through" in m], result.describe()
    denied, _ = merge(box, 'version = 2\n[network]\nallow = ["10.2.3.4:80"]\n', 'version = 2\n[network]\nallow = ["b"]\ndeny = ["10.2.0.0/16"]\n')
    assert [m for m in denied.messages if 'network.allow "10.2.3.4:80" is covered by network.deny' in m], denied.describe()
