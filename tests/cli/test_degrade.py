"""R9: what the kernel lacks is named, never skipped in silence. Older kernels are simulated by their Landlock ABI."""

import pytest

FIRST_ABI = {
    "fs-refer": 2,
    "fs-truncate": 3,
    "net-tcp": 4,
    "fs-ioctl-dev": 5,
    "signal-scope": 6,
    "abstract-unix-socket-scope": 6,
}
OLD = {"SANDLOCK_TEST_LANDLOCK_ABI": "1"}


def old(abi):
    return {"SANDLOCK_TEST_LANDLOCK_ABI": str(abi)}


def missing(abi):
    return [name for name, first in FIRST_ABI.items() if abi < first]


def allow(names):
    return [word for name in names for word in ("--allow-degraded", name)]


@pytest.mark.parametrize("abi", [1, 2, 3, 4, 5])
def test_R9_each_missing_protection_is_an_error(box, abi):
    result = box.tool("run", "-r", "/", "-w", box.work, "--", "touch", "ran", env=old(abi))
    assert result.status == 125 and not (box.work / "ran").exists(), result.describe()
    assert len(result.messages) == len(missing(abi)), result.describe()
    for name, message in zip(missing(abi), result.messages):
        assert name in message and "warning" not in message and f"ABI {abi}" in message


@pytest.mark.parametrize("abi", [1, 2, 3, 4, 5])
def test_R9_degraded_when_allowed_and_reported(box, abi):
    names = missing(abi)
    result = box.tool("run", "-r", "/", *allow(names), "--", "echo", "ran", env=old(abi))
    assert result.status == 0 and result.stdout == "ran\n", result.describe()
    assert len(result.messages) == len(names), result.describe()
    for name, message in zip(names, result.messages):
        assert message.startswith("sandlock: warning: ") and name in message


def test_R9_one_that_was_not_allowed_is_enough(box):
    names = missing(1)[1:]
    result = box.tool("run", "-r", "/", *allow(names), "--", "echo", "ran", env=OLD)
    assert result.status == 125 and result.stdout == "", result.describe()
    errors = [m for m in result.messages if "warning" not in m]
    assert len(errors) == 1 and "fs-refer" in errors[0], result.describe()


@pytest.mark.parametrize("name", list(FIRST_ABI))
def test_R9_allowed_to_degrade_but_there_is_enforced_in_silence(box, name):
    result = box.tool("run", "-r", "/", "--allow-degraded", name, "--", "echo", "ran")
    assert (result.status, result.stdout, result.messages) == (0, "ran\n", []), result.describe()


def test_R9_names_are_taken_in_either_case(box):
    result = box.tool("run", "-r", "/", "--allow-degraded", "FS-Refer", "--", "true", env=old(7))
    assert result.status == 0, result.describe()


def test_R9_disabled_is_not_asked_for(box):
    names = [n for n in missing(1) if n != "fs-refer"]
    options = [word for name in names for word in ("--disable", name)]
    result = box.tool("run", "-r", "/", *options, "--allow-degraded", "fs-refer", "--", "echo", "ran", env=OLD)
    assert result.status == 0 and result.stdout == "ran\n", result.describe()
    assert len(result.messages) == 1 and "fs-refer" in result.messages[0], result.describe()


def test_R9_what_is_enforced_still_holds_on_an_old_kernel(box):
    secret = box.file("secret", "x")
    result = box.tool("run", "-r", "/usr", "-r", "/bin", "-r", "/lib", "-r", "/lib64", *allow(missing(1)), "--", "cat", secret, env=OLD)
    assert result.status == 1 and "Permission denied" in result.stderr, result.describe()


def test_R9_disable_really_leaves_out(box):
    """Cutting a file that may only be read: refused with fs-truncate, possible without."""
    cut = ["--", "python3", "-c", "import os; os.truncate('f', 0)"]
    for options, status, size in (([], 1, 3), (["--disable", "fs-truncate"], 0, 0)):
        path = box.file("f", "abc")
        result = box.tool("run", "-r", "/", *options, *cut)
        assert (result.status, path.stat().st_size) == (status, size), result.describe()


@pytest.mark.parametrize("options", [[], allow(FIRST_ABI)])
def test_R9_without_landlock_nothing_runs(box, options):
    result = box.tool("run", "-r", "/", *options, "--", "echo", "ran", env=old(0))
    assert result.status == 125 and result.stdout == "", result.describe()
    assert len(result.messages) == 1 and "Landlock" in result.messages[0]


@pytest.mark.parametrize("abi", [0, 1, 2, 3, 4, 5])
def test_R9_check_says_what_is_missing(box, abi):
    result = box.tool("check", env=old(abi))
    assert result.status == 1, result.describe()
    for name in FIRST_ABI:
        line = next(line for line in result.stdout.splitlines() if line.split()[:1] == [name])
        assert ("NOT ENFORCED" in line) == (name in missing(abi)), line
        assert (f"--allow-degraded {name}" in line) == (name in missing(abi)), line
    assert ("nothing can be run" in result.stdout) == (abi == 0)


def test_R9_check_on_a_whole_kernel(box):
    result = box.tool("check")
    assert result.status == 0 and "NOT ENFORCED" not in result.stdout, result.describe()
    for part in ("kernel: Linux", "Landlock: ABI", "/dev/null", "/dev/urandom", "everything can be enforced"):
        assert part in result.stdout


def test_R9_a_value_that_is_no_abi_changes_nothing(box):
    for value in ("x", "-1", "", "99"):
        assert box.tool("check", env={"SANDLOCK_TEST_LANDLOCK_ABI": value}).status == 0
