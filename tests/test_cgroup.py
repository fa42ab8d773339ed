"""CPU quotas of containers, from fixture trees: cgroup v1, v2, both at once, broken ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastla import _core

FIXTURES = Path(__file__).parent / "fixtures" / "cgroup"

# CPUs granted, 0 for no limit.
EXPECTED = {
    "v1": 1,  # half a CPU for the job, 4 for its parent, no limit at the top
    "v2": 3,  # 2.5, rounded up
    "v2-nested": 3,  # 8 for the process, but 3 for its parent
    "hybrid": 2,  # the cpu controller is v1, the unified tree has no quota
    "unlimited": 0,
    "garbled": 0,
    "container": 4,  # the host's name of the folder; a blank in the path; a mount beside it
    "container-namespace": 6,  # a path that leads out of the mount: the mount itself counts
    "container-host-path": 7,  # a folder that cannot be seen: its nearest visible ancestor counts
}


def test_every_fixture_is_expected():
    assert sorted(EXPECTED) == sorted(folder.name for folder in FIXTURES.iterdir())


@pytest.mark.parametrize("name", EXPECTED)
def test_quota(name):
    assert _core.cgroup_cpus(str(FIXTURES / name)) == EXPECTED[name]


def test_no_files_means_no_limit(tmp_path):
    assert _core.cgroup_cpus(str(tmp_path)) == 0
    assert _core.cgroup_cpus("/nowhere/" * 1000) == 0  # longer than any path can be


def tree(root, *, folder, mountinfo, quotas):
    """A version 2 system below root."""
    proc = root / "proc" / "self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(f"0::{folder}\n")
    (proc / "mountinfo").write_text(mountinfo)
    for place, text in quotas.items():
        (root / place).mkdir(parents=True, exist_ok=True)
        (root / place / "cpu.max").write_text(text)
    return str(root)


MOUNT = "30 24 0:26 / /cg rw - cgroup2 cgroup2 rw\n"


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("100000 100000", 1),
        ("100001 100000", 2),
        ("1 100000", 1),
        ("9223372036854775807 1", 2**31 - 1),
        ("max", 0),
        ("100000", 0),
        ("-1 100000", 0),
        ("100000 -5", 0),
        ("100000 0", 0),
        ("", 0),
        ("\0\xff\n", 0),
    ],
)
def test_cpu_max_texts(tmp_path, text, cpus):
    root = tree(tmp_path, folder="/a", mountinfo=MOUNT, quotas={"cg/a": text})
    assert _core.cgroup_cpus(root) == cpus


def test_root_folder_and_a_prefix_that_is_no_ancestor(tmp_path):
    root = tree(tmp_path / "root", folder="/", mountinfo=MOUNT, quotas={"cg": "200000 100000"})
    assert _core.cgroup_cpus(root) == 2
    # The mount shows /ab; the process is in /abc, which is not below it.
    beside = MOUNT.replace(" / ", " /ab ", 1)
    root = tree(tmp_path / "beside", folder="/abc", mountinfo=beside,
                quotas={"cg": "500000 100000", "cg/c": "100000 100000"})
    assert _core.cgroup_cpus(root) == 5


def test_very_long_lines(tmp_path):
    layers = ":".join(f"/layers/{i:064}" for i in range(1000))
    overlay = f"20 1 0:20 / / rw - overlay overlay rw,lowerdir={layers}\n"
    root = tree(tmp_path, folder="/a", mountinfo=overlay + MOUNT, quotas={"cg/a": "300000 100000"})
    assert _core.cgroup_cpus(root) == 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux's CPU affinity")
def test_affinity():
    assert _core.affinity_cpus() == len(os.sched_getaffinity(0))
    one = min(os.sched_getaffinity(0))
    code = (f"import os; os.sched_setaffinity(0, [{one}])\n"
            "import fastla; from fastla import _core\n"
            "print(_core.affinity_cpus(), fastla.get_num_threads())")
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("FASTLA_NUM_THREADS", "OMP_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                          text=True, check=True)
    assert done.stdout.split() == ["1", "1"]
