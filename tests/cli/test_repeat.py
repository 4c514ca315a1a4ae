"""learn --repeat: what only some runs need, and names that are others at every run."""

import subprocess
import tomllib


def said(result, text):
    return [m for m in result.messages if text in m]


def test_L18_what_only_some_runs_needed(box):
    """A cache that the second run finds: both what makes it and what reads it are learned, and said."""
    box.file("source", "x\n")
    (box.work / "cache").mkdir()
    script = "if [ -e cache/c ]; then read x <cache/c; read y <hit; else read x <source && echo $x >cache/c; fi; read z <both"
    box.file("hit", "h\n"), box.file("both", "b\n")
    result, _, profile = box.learn(["sh", "-c", script], "--repeat=2")
    work = str(box.work)
    lines = said(result, "needed by only some of the 2 runs")
    expected = {f"read on {work}/hit", f"read on {work}/source", f"create on {work}/cache", f"read on {work}/cache"}
    assert {line.split(": ", 2)[2] for line in lines} == expected, result.describe()
    assert "# observed: 4 entries were needed by only some of 2 runs\n" in profile.text
    for _ in range(2):
        assert box.run(profile).status == 0
        (box.work / "cache" / "c").unlink(missing_ok=True)
    assert box.learn(["true"], "--repeat=3")[0].messages == []


def test_L8_a_later_run_goes_on_with_what_the_one_before_has_changed(box):
    """On the copy-on-write view too, and nothing of it stays."""
    box.file("source", "x\n")
    (box.work / "cache").mkdir()
    script = "if [ -e cache/c ]; then cat cache/c; rm source; else cp source cache/c; cp /bin/true t; fi; ./t"
    before = box.snapshot()
    path = box.out / "p.toml"
    result = box.tool("learn", "--repeat=2", "-o", path, "--", "sh", "-c", script)
    assert result.status == 0 and result.stdout == "x\n", result.describe()
    assert box.snapshot() == before and not said(result, "warning"), result.describe()
    assert said(result, "needed by only some of the 2 runs: exec on /usr/bin/rm"), result.describe()
    for _ in range(2):
        assert box.run(path).status == 0
    assert not (box.work / "source").exists()


def test_L19_no_view_is_left(box):
    place = box.top / "tmp"
    place.mkdir()
    script = "if [ -e made ]; then exit 3; fi; echo x >made"
    result = box.tool("learn", "--repeat=5", "-o", box.out / "p.toml", "--", "sh", "-c", script, env={"TMPDIR": str(place)})
    assert result.status == 3 and not (box.work / "made").exists() and list(place.iterdir()) == [], result.describe()


def test_L18_the_header_counts(box):
    box.file("f", "x")
    _, _, one = box.learn(["cat", "f"])
    _, _, two = box.learn(["cat", "f"])
    line = next(line for line in one.text.splitlines() if line.startswith("# observed: "))
    lists = {k: len(v) for k, v in tomllib.loads(one.text)["filesystem"].items()}
    counts = ", ".join(f"{lists[k]} {k}" for k in ("read", "list", "exec") if k in lists)
    assert line == f"# observed: {counts}; granted / used is below 2"
    assert one.without_date() == two.without_date()


def test_L17_a_name_that_another_run_will_not_find(box):
    """Made and removed by somebody else while the command runs."""
    (box.work / "jobs").mkdir()
    box.file("jobs/job-48151", "4711")
    box.file("jobs/fixed", "x")
    box.file("jobs/plain", "x")
    script = 'cat jobs/job-48151 jobs/plain; echo ready; read x'
    tool = [box.sandlock, "learn", "--in-place", "-o", box.out / "p.toml", "--", "sh", "-c", script]
    with subprocess.Popen(tool, env=box.env, cwd=box.work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as learn:
        assert learn.stdout.readline() == "4711xready\n"
        (box.work / "jobs" / "job-48151").unlink()
        (box.work / "jobs" / "plain").unlink()
        _, messages = learn.communicate("\n", timeout=60)
    read = tomllib.loads((box.out / "p.toml").read_text())["filesystem"]["read"]
    jobs = str(box.work / "jobs")
    assert jobs in read and not [p for p in read if p.startswith(jobs + "/")], read
    assert f"other names at every run: read on {jobs} stands for 1 that was seen" in messages


def test_L17_names_that_differ_between_merged_runs(box):
    (box.work / "log").mkdir()
    first, second = box.file("log/2026-11-25.log", "1"), box.file("log/2026-11-26.log", "2")
    libs = [box.file("log/lib-101.so"), box.file("log/lib-102.so")]
    _, path, _ = box.learn(["cat", first, libs[0]])
    result = box.tool("learn", "--in-place", "--merge", path, "--", "cat", second, libs[1])
    read = tomllib.loads(path.read_text())["filesystem"]["read"]
    assert str(box.work / "log") in read and str(first) not in read and str(second) not in read, result.describe()
    assert said(result, f"other names at every run: read on {box.work}/log stands for 2 that were seen"), result.describe()
    assert box.run(path, ["cat", box.file("log/2027-01-01.log", "3")]).stdout == "3"


def test_L17_versions_that_are_both_there_stay(box):
    libs = [box.file("log/lib-101.so"), box.file("log/lib-102.so")]
    _, path, _ = box.learn(["cat", libs[0]])
    assert box.tool("learn", "--in-place", "--merge", path, "--", "cat", libs[1]).status == 0
    assert set(map(str, libs)) <= set(tomllib.loads(path.read_text())["filesystem"]["read"])
    libs[0].unlink()
    _, other, _ = box.learn(["true"])
    text = other.read_text().replace("read = [", f'read = [\n  "{libs[0]}",')
    other.write_text(text)
    assert box.tool("learn", "--in-place", "--merge", other, "--", "cat", libs[1]).status == 0
    read = tomllib.loads(other.read_text())["filesystem"]["read"]
    assert str(box.work / "log") in read and str(libs[0]) not in read
