"""What is kept between processes: once made, found again; damaged, made again; never half a file."""

import importlib.metadata
import json
import subprocess
import sys
import threading

import pytest

pytest.importorskip("numba.cuda.compiler", reason="needs fastla[cuda]")

from fastla.cuda import cache, copies


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTLA_CACHE_DIR", str(tmp_path / "cache"))
    cache._read_tuned.cache_clear()
    yield tmp_path / "cache"
    cache._read_tuned.cache_clear()
    cache._toolchain.cache_clear()


class Maker:
    def __init__(self, code=b"machine code"):
        self.code, self.made = code, 0

    def __call__(self):
        self.made += 1
        return self.code


def test_where(monkeypatch, tmp_path):
    assert cache.folder() == tmp_path / "cache"
    monkeypatch.delenv("FASTLA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "fastla"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.folder() == tmp_path / "home" / ".cache" / "fastla"


def test_made_once(folder):
    make = Maker()
    for _ in range(3):
        assert cache.cubin("a kernel", (8, 0), make) == make.code
    assert make.made == 1 and len(list(folder.iterdir())) == 1


def test_made_anew_for_another_device_kernel_or_toolchain(monkeypatch):
    make = Maker()
    cache.cubin("a", (8, 0), make)
    cache.cubin("a", (9, 0), make)
    cache.cubin("b", (8, 0), make)
    assert make.made == 3
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "another")
    cache._toolchain.cache_clear()
    cache.cubin("a", (8, 0), make)
    assert make.made == 4


def test_other_sources_are_another_toolchain(monkeypatch, tmp_path):
    seen = set()
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "cache.py"))
    for text in ("a = 1", "a = 2"):
        (tmp_path / "kernel.py").write_text(text)
        cache._toolchain.cache_clear()
        seen.add(cache._toolchain())
    assert len(seen) == 2


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:40], lambda b: b"", lambda b: b"x" + b[1:],
                                    lambda b: b[:-3] + b"xyz", lambda b: b[:32]])
def test_a_damaged_file_is_made_again(folder, damage):
    make = Maker(bytes(range(256)))
    cache.cubin("a", (8, 0), make)
    (path,) = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert cache.cubin("a", (8, 0), make) == make.code and make.made == 2
    assert cache.cubin("a", (8, 0), make) == make.code and make.made == 2


def test_where_nothing_can_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FASTLA_CACHE_DIR", str(tmp_path / "file"))
    make = Maker()
    for _ in range(2):
        assert cache.cubin("a", (8, 0), make) == make.code
    assert make.made == 2


def test_many_threads(folder):
    code, wrong = bytes(1 << 20), []

    def work():
        for i in range(20):
            if cache.cubin(f"kernel {i % 3}", (8, 0), lambda: code) != code:
                wrong.append(i)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(list(folder.iterdir())) == 3


WORK = """
import sys
from fastla.cuda import cache
print("ready", flush=True)
sys.stdin.readline()
code = bytes(1 << 22)
for i in range(5):
    assert cache.cubin("kernel", (8, i), lambda: code) == code
"""


def test_two_processes(folder):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", WORK], **pipes) for _ in range(2)]
    assert [one.stdout.readline() for one in both] == ["ready\n"] * 2
    for one in both:  # both begin before either is waited for
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in both:
        one.communicate(timeout=60)
    assert [one.returncode for one in both] == [0, 0]
    assert len(list(folder.iterdir())) == 5 and not list(folder.glob(".*"))


def test_a_real_kernel(folder):
    variant = copies.variant()
    code = variant.cubin((8, 0))
    assert code.startswith(b"\x7fELF")
    (path,) = folder.iterdir()
    assert path.name.startswith("copy-sm80-") and path.read_bytes().endswith(code)


def test_tuned_plans(folder):
    assert cache.tuned("a device", "a problem") is None
    cache.keep_tuned("a device", {"a problem": "a plan"})
    cache.keep_tuned("a device", {"another": "b plan"})
    cache.keep_tuned("a neighbour", {"a problem": "c plan"})
    assert cache.tuned("a device", "a problem") == "a plan" and cache.tuned("a device", "another") == "b plan"
    assert cache.tuned("a neighbour", "a problem") == "c plan" and cache.tuned("nobody", "a problem") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": {"b": 1}}', '{"a": ["b"]}', "\xff"])
def test_a_damaged_table_is_not_used(folder, text):
    folder.mkdir()
    (folder / "tuned.json").write_bytes(text.encode("latin-1"))
    with pytest.warns(RuntimeWarning, match="tuned.json is damaged and is not used"):
        assert cache.tuned("a", "b") is None
    assert cache.tuned("a", "b") is None  # and warns once
    with pytest.warns(RuntimeWarning):
        cache.keep_tuned("a", {"b": "plan"})
    assert json.loads((folder / "tuned.json").read_text()) == {"a": {"b": "plan"}}
