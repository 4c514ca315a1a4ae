"""profile show, list, check, delete: names and paths, statuses, messages."""

import pytest

GOOD = 'version = 2\n\n[filesystem]\nread = [\n  "/etc/hostname",\n]\n'


@pytest.fixture
def store(box):
    path = box.home / ".config" / "sandlock" / "profiles"
    path.mkdir(parents=True)
    return path


def test_list_sorts_names(box, store):
    for name in ("zebra", "alpha", "with space"):
        (store / f"{name}.toml").write_text(GOOD)
    (store / "no-profile.txt").write_text("x")
    (store / ".toml").write_text("x")
    result = box.tool("profile", "list")
    assert (result.status, result.stdout) == (0, "alpha\nwith space\nzebra\n"), result.describe()


def test_list_without_a_directory_is_empty(box):
    result = box.tool("profile", "list")
    assert (result.status, result.stdout, result.messages) == (0, "", [])


def test_list_honours_xdg_config_home(box):
    config = box.box / "config"
    (config / "sandlock" / "profiles").mkdir(parents=True)
    (config / "sandlock" / "profiles" / "one.toml").write_text(GOOD)
    assert box.tool("profile", "list", env={"XDG_CONFIG_HOME": str(config)}).stdout == "one\n"
    # A relative one is to be ignored.
    assert box.tool("profile", "list", env={"XDG_CONFIG_HOME": "config"}, cwd=box.box).stdout == ""


def test_list_escapes(box, store):
    (store / "a\nb.toml").write_text(GOOD)
    assert box.tool("profile", "list").stdout == "a\\nb\n"


def test_show_by_name_and_by_path(box, store):
    (store / "good.toml").write_text('# comment\nversion = 2\n[filesystem]\nread = ["/b", "/a"]\n')
    by_name = box.tool("profile", "show", "good")
    by_path = box.tool("profile", "show", store / "good.toml")
    relative = box.tool("profile", "show", "good.toml", cwd=store)
    assert by_name.status == 0 and by_name.stdout == by_path.stdout == relative.stdout, by_name.describe()
    assert by_name.stdout.index('"/a"') < by_name.stdout.index('"/b"') and "comment" not in by_name.stdout


def test_show_is_a_fixed_point(box):
    first = box.tool("profile", "show", box.file("a.toml", GOOD))
    second = box.tool("profile", "show", box.file("b.toml", first.stdout))
    assert first.status == second.status == 0 and first.stdout == second.stdout


def test_show_of_a_bad_profile(box):
    result = box.tool("profile", "show", box.file("bad.toml", "version = 2\nfoo = 1\n"))
    assert result.status == 125 and result.stdout == "" and "bad.toml:2:1" in result.messages[0], result.describe()


@pytest.mark.parametrize("command", ["show", "check"])
def test_missing_profile(box, command):
    for name in ("nothing", "./nothing", "nothing.toml"):
        result = box.tool("profile", command, name)
        assert result.status == 125 and len(result.messages) == 1 and "No such file" in result.messages[0], result.describe()


def test_check_of_good_files_says_nothing(box):
    result = box.tool("profile", "check", box.file("a.toml", GOOD), box.file("b.toml", GOOD))
    assert (result.status, result.stdout, result.messages) == (0, "", []), result.describe()


def test_check_reports_every_error_of_every_file(box):
    bad = box.file("bad.toml", 'version = 2\n[filesystem]\nreed = ["/x"]\nwrite = "/y"\nexec = ["relative"]\n')
    worse = box.file("worse.toml", "[nonsense]\n[limits]\ncpu = true\n")
    result = box.tool("profile", "check", bad, box.file("good.toml", GOOD), worse)
    assert result.status == 125, result.describe()
    text = "\n".join(result.messages)
    for part in ("bad.toml:3:", "bad.toml:4:", "bad.toml:5:", "worse.toml:1:", "worse.toml:3:"):
        assert part in text, (part, text)
    assert "good.toml" not in text


def test_check_notes_what_is_not_built(box):
    result = box.tool("profile", "check", box.file("net.toml", 'version = 2\n[network]\nport_remap = true\n'))
    assert result.status == 0, result.describe()
    assert len(result.messages) == 1 and "note: " in result.messages[0] and "network.port_remap" in result.messages[0]


def test_delete(box, store):
    (store / "old.toml").write_text(GOOD)
    (store / "keep.toml").write_text(GOOD)
    result = box.tool("profile", "delete", "old")
    assert (result.status, result.messages) == (0, []), result.describe()
    assert sorted(p.name for p in store.iterdir()) == ["keep.toml"]


def test_delete_of_what_is_not_there(box, store):
    result = box.tool("profile", "delete", "old")
    assert result.status == 125 and "No such file" in result.messages[0]


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/passwd", "..", ".", "", "x.toml"])
def test_delete_takes_plain_names_only(box, store, name):
    (store.parent / "x.toml").write_text(GOOD)
    (store / "x.toml").write_text(GOOD)
    result = box.tool("profile", "delete", name)
    assert result.status == 2 and len(result.messages) == 1, result.describe()
    assert (store.parent / "x.toml").exists() and (store / "x.toml").exists()


def test_delete_removes_a_link_not_its_target(box, store):
    target = box.file("target.toml", GOOD)
    (store / "link.toml").symlink_to(target)
    assert box.tool("profile", "delete", "link").status == 0
    assert target.exists() and not (store / "link.toml").is_symlink()


def test_no_directory_of_profiles(box):
    env = {"HOME": "", "XDG_CONFIG_HOME": ""}
    for words in (["profile", "list"], ["profile", "show", "x"], ["run", "-p", "x", "true"]):
        result = box.tool(*words, env=env)
        assert result.status == 125 and "neither XDG_CONFIG_HOME nor HOME" in result.messages[0], result.describe()
