"""[filesystem] deny: what is denied inside of what is granted, and that everything beside it still works."""

import os
import pathlib
import shutil
import socket
import subprocess
import time

import attacks
import pytest

DENIED = ("secret", "dir/deep/inner", "dir/deep/inner2", "closed", "missing", "way/missing", "way2/missing", "way3/missing", "link", "emptied/missing")
SYSTEM = [word for path in ("/usr", "/lib", "/lib64", "/bin", "/etc") if os.path.exists(path) for word in ("-r", path)]
OUTCOMES = ("EACCES", "EPERM", "EXDEV")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "deny")


def tree(top):
    top.mkdir(exist_ok=True)
    box = top / "box"
    for directory in ("dir/deep", "closed", "open", "emptied", "free"):
        (box / directory).mkdir(parents=True)
    for name in ("secret", "dir/deep/inner", "dir/deep/inner2", "closed/file", "closed/removable", "pointed"):
        (box / name).write_text("Secret\n")
    for name in ("plain", "plain2", "open/file"):
        (box / name).write_text("plain\n")
    (box / "closed/program").write_text("no program\n")
    (box / "closed/program").chmod(0o755)
    (box / "open/hard").hardlink_to(box / "secret")
    (box / "link").symlink_to("pointed")
    return top


def denied_state(top):
    """Everything that is denied, and what leads there, as it is."""
    found = {}
    for name in ("secret", "dir", "dir/deep", "dir/deep/inner", "dir/deep/inner2", "closed", "closed/file", "closed/removable", "closed/program", "link", "pointed", "open/hard", "emptied"):  # fmt: skip
        st = (top / "box" / name).lstat()
        times = () if name in ("dir", "dir/deep", "emptied") else (st.st_mtime_ns, st.st_size)
        content = (top / "box" / name).read_bytes() if (top / "box" / name).is_file() else None
        found[name] = (st.st_mode, st.st_ino, content, os.listxattr(top / "box" / name, follow_symlinks=False), *times)
    found["missing"] = (top / "box/missing").exists(), (top / "box/way/missing").exists(), (top / "box/closed/new").exists()
    return found


def deny_profile(path, top, program, version=2, extra="", denied=DENIED):
    box = top / "box"
    lists = {"write": [box], "deny": [box / name for name in denied], "exec": [program]}
    if version == 2:
        lists |= {"read": [box], "create": [box], "delete": [box], "exec": [program, box]}
    else:
        lists["read"] = [lists.pop("exec")[0]]
    lines = ["version = 2"] if version == 2 else []
    lines.append("[filesystem]")
    if version == 2:
        lists["read"] = [*lists["read"], program]
    for key, entries in lists.items():
        lines.append(f"{key} = [" + ", ".join(f'"{entry}"' for entry in entries) + "]")
    path.write_text("\n".join(lines) + "\n" + extra)
    return path


@pytest.fixture
def both(sandlock, program, tmp_path):
    def run(group, version=2):
        mine, theirs = tree(tmp_path / "confined"), tree(tmp_path / "bare")
        profile = deny_profile(tmp_path / "p.toml", mine, program, version)
        before = denied_state(mine)
        confined = attacks.confined(sandlock, profile, [program, group], cwd=mine, timeout=120)
        assert denied_state(mine) == before
        if group == "beside":
            return confined, attacks.call([program, group], cwd=theirs, timeout=120)
        bare = {}
        for name in confined:
            until = time.monotonic() + 60  # a race is met sooner or later
            while bare.get(name) != "SUCCEEDED" and (name not in bare or (group == "race" and time.monotonic() < until)):
                shutil.rmtree(theirs / "box")
                bare |= attacks.call([program, group, name], cwd=tree(theirs), timeout=120)
        return confined, bare

    return run


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("group", ["read", "change", "names"])
def test_R5_denied_objects_and_names(both, group, version):
    confined, bare = both(group, version)
    wrong = {name: outcome for name, outcome in confined.items() if outcome not in OUTCOMES}
    assert not wrong, wrong
    assert set(bare.values()) == {"SUCCEEDED"}, bare


def test_R5_races(both):
    """What another thread turns meanwhile: paths, links, directories, descriptors."""
    confined, bare = both("race")
    assert set(confined.values()) == {"EACCES"}, confined
    assert set(bare.values()) == {"SUCCEEDED"}, bare


@pytest.mark.parametrize("version", [1, 2])
def test_R5_what_is_beside_still_works(both, version):
    confined, bare = both("beside", version)
    assert set(confined.values()) == {"SUCCEEDED"}, confined
    assert set(bare.values()) == {"SUCCEEDED"}, bare


def test_R5_holds_without_a_supervisor(sandlock, program, tmp_path):
    """Stopped, the tool answers nothing: what the kernel has is there, and nothing that is denied."""
    top = tree(tmp_path / "top")
    profile = deny_profile(tmp_path / "p.toml", top, "/usr/bin/python3")
    code = (
        "import os, sys\nprint('ready', flush=True); sys.stdin.readline()\n"
        "f = os.open('box/closed', os.O_PATH)\nprint(os.stat('box/secret').st_size)\n"
        "try: os.execv('box/closed/program', ['x'])\nexcept OSError as e: print(e.errno)\n"
    )
    command = [sandlock, "run", "-p", profile, *SYSTEM, "--", "/usr/bin/python3", "-c", code]
    with subprocess.Popen(command, cwd=top, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tool:
        assert tool.stdout.readline() == "ready\n"
        os.kill(tool.pid, 19)
        try:
            tool.stdin.write("go\n")
            tool.stdin.flush()
            assert tool.stdout.readline() == "7\n"
            assert tool.stdout.readline() == "13\n"
        finally:
            os.kill(tool.pid, 18)
        tool.stdin.close()
        assert tool.wait(60) == 0


def test_R5_nested_the_kernel_alone_denies(sandlock, program, tmp_path):
    """An inner sandbox has no listener: what is denied stays denied, what was there beside it is granted."""
    top = tree(tmp_path / "top")
    profile = deny_profile(tmp_path / "p.toml", top, program)
    outer = [sandlock, "run", "-r", "/", "-w", top, "-w", tmp_path, "--"]
    for group in ("read", "change", "names"):
        found = attacks.call([*outer, sandlock, "run", "-p", profile, "--", program, group], cwd=top)
        # Names beside are refused as well here, so attempts that need one first end earlier.
        wrong = {name: outcome for name, outcome in found.items() if outcome not in (*OUTCOMES, "ENOENT")}
        assert not wrong, wrong
    found = attacks.call([*outer, sandlock, "run", "-p", profile, "--", program, "beside"], cwd=top)
    assert found["old"] == found["old-directory"] == "SUCCEEDED" and found["make"] == "EACCES", found


def test_R5_option_and_relative_paths(box):
    box.file("d/secret", "Secret\n")
    box.file("d/open", "open\n")
    result = box.tool("run", *SYSTEM, "-w", "d", "--fs-deny", "d/../d/secret", "--", "/bin/sh", "-c", "cat d/open; cat d/secret; echo x >d/new; cat d/new")
    assert result.stdout == "open\nx\n" and "d/secret: Permission denied" in result.stderr, result.describe()
    assert not result.messages


def test_R5_a_grant_of_what_is_denied_gives_nothing(box):
    """Wider, narrower, the same: the denial holds, and the private temporary directory is the run's own all the same."""
    secret = box.file("d/sub/secret", "Secret\n")
    profile = box.out / "p.toml"
    profile.write_text(
        f'version = 2\n[filesystem]\nread = ["/usr", "/lib", "/etc/ld.so.cache", "{secret}", "{secret.parent}", "{box.work}"]\n'
        f'exec = ["/usr", "/lib"]\ndeny = ["{secret.parent}", "/tmp", "/var/tmp"]\ntmp = "private"\n'
    )
    code = "import os, tempfile\nfor p in ('d/sub/secret', 'd/sub'):\n try: os.open(p, 0)\n except OSError as e: print(e.errno)\nprint(tempfile.TemporaryFile().write(b'x'))"
    result = box.run(profile, ("/usr/bin/python3", "-c", code), *SYSTEM)
    assert result.stdout == "13\n13\n1\n", result.describe()


def test_R5_own_proc_entries_can_be_denied(box):
    profile = box.out / "p.toml"
    base = 'version = 2\n[filesystem]\nread = ["/usr", "/lib", "/lib64", "/etc/ld.so.cache", {}]\nexec = ["/usr", "/lib", "/lib64"]\ndeny = ["/proc/self/environ"]\n'
    profile.write_text(base.format('"/proc/self"'))
    code = "for n in ('status', 'environ'):\n try: print(len(open(f'/proc/self/{n}').read()) > 0)\n except OSError as e: print(e.errno)"
    result = box.run(profile, ("/usr/bin/python3", "-c", code))
    assert result.stdout == "True\n13\n", result.describe()
    profile.write_text(base.format('"/proc"'))
    result = box.run(profile, ("/usr/bin/python3", "-c", code))
    assert result.status == 125 and "/proc/self is denied" in result.messages[-1], result.describe()


def test_R8_explain_names_the_line_that_denies(box):
    secret = box.file("d/secret", "Secret\n")
    profile = box.out / "p.toml"
    profile.write_text(f'version = 2\n[filesystem]\nread = ["/usr", "/lib", "/lib64", "/etc", "{box.work}"]\nexec = ["/usr", "/lib", "/lib64"]\ndeny = [\n  "{secret}",\n]\n')
    result = box.run(profile, ("/usr/bin/cat", "d/secret"), "--explain")
    lines = [m for m in result.messages if "secret" in m]
    assert result.status == 1 and len(lines) == 1, result.describe()
    assert "filesystem.deny" in lines[0] and f'{profile}:6' in lines[0] and "add to" not in lines[0], lines
    result = box.run(profile, ("/usr/bin/python3", "-c", ""), "--fs-deny", "/usr/bin", "--strict")
    assert result.status == 126 and "--fs-deny" in result.messages[-1], result.describe()


def test_R3_without_something_denied_inside_nothing_is_notified(box, program):
    """A denied path outside of all that is granted costs nothing: no way, no notification."""
    box.file("d/open", "open\n")
    code = "import os, sys\nprint('ready', flush=True)\nsys.stdin.readline()\nfor i in range(3000): os.close(os.open('d/open', 0))\nprint('done', flush=True); sys.stdin.readline()"
    counts = {}
    for name, denied in (("outside", box.home), ("inside", box.work / "d/none")):
        command = [box.sandlock, "run", *SYSTEM, "-r", str(box.work), "--fs-deny", str(denied), "--", "/usr/bin/python3", "-c", code]
        with subprocess.Popen(command, cwd=box.work, env=box.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tool:
            assert tool.stdout.readline() == "ready\n"
            before = sleeps(tool.pid)
            tool.stdin.write("go\n")
            tool.stdin.flush()
            assert tool.stdout.readline() == "done\n"
            counts[name] = sleeps(tool.pid) - before
            tool.stdin.close()
            assert tool.wait(60) == 0
    assert counts["outside"] == 0 and counts["inside"] > 0, counts


def sleeps(pid):
    total = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        total += sum(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt_switches"))
    return total


def test_R5_N5_a_denied_socket_is_not_reached(box, monkeypatch):
    """Neither one that [network] unix names, nor by another name of it, while one beside it is."""
    served = []
    for name in ("open", "closed"):
        server = socket.socket(socket.AF_UNIX)
        monkeypatch.chdir(box.work)  # a path of a socket is short
        server.bind(name)
        server.listen(16)
        served.append(server)
    os.link(box.work / "closed", box.work / "other-name")
    profile = box.file("p.toml", f"""
version = 2
[filesystem]
read = ["/usr", "/lib", "/lib64", "/etc", "{box.work}"]
exec = ["/usr", "/lib", "/lib64"]
deny = ["{box.work}/closed"]
[network]
unix = ["{box.work}/open", "{box.work}/closed", "{box.work}/other-name"]
""")
    script = """
import socket
for name in ("open", "closed", "./closed", "other-name"):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(name)
            print("reached")
        except OSError as error:
            print(error.strerror)
"""
    result = box.tool("run", "-p", profile, "--", "/usr/bin/python3", "-c", script)
    assert result.stdout.splitlines() == ["reached", *["Permission denied"] * 3], result.describe()
    for server in served:
        server.close()
