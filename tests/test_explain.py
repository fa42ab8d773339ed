"""explain, kernels, use_isa, roof, show_config: what the library says about itself is what it does."""

import dataclasses
import time

import numpy as np
import oracle
import pytest
import shapes
from process import run_python

import fastla
from fastla import _core


def zeros(m, n, dtype):
    """Costs no memory."""
    return np.broadcast_to(dtype(0), (m, n))


def test_plan_is_a_frozen_record_of_numbers(isa, dtype):
    plan = fastla.explain(zeros(500, 600, dtype), zeros(600, 700, dtype), num_threads=2)
    row = shapes.row_of(isa, dtype)
    assert (plan.isa, plan.mr, plan.nr) == (isa, row.mr, row.nr)
    assert plan.path == "packed"
    assert 1 <= plan.threads <= 2
    assert plan.kc <= oracle.kb(dtype) and oracle.kb(dtype) % plan.kc == 0
    assert min(plan.mc, plan.nc, plan.tasks) >= 1
    assert plan.scratch_bytes > 0
    assert 0 < plan.predicted_roof_share <= 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.path = "direct"
    for text in ("packed", isa, str(plan.mc), str(plan.kc)):
        assert text in str(plan)


def test_plan_is_a_function_of_its_arguments(dtype):
    arguments = zeros(123, 456, dtype), zeros(456, 789, dtype)
    first = fastla.explain(*arguments, num_threads=3)
    fastla.matmul(np.ones((300, 300)), np.ones((300, 300)))
    assert fastla.explain(*arguments, num_threads=3) == first
    c, f = np.zeros((400, 400), dtype), np.zeros((400, 400), dtype, order="F")
    assert fastla.explain(c, f, num_threads=1) == fastla.explain(c + 1, f + 1, num_threads=1)


@pytest.mark.parametrize("shape,path", [
    (((3, 3), (3, 3)), "direct"), (((1, 5000), (5000, 4000)), "vector"), (((4000, 5000), (5000,)), "vector"),
    (((5000,), (5000, 4000)), "vector"), (((900, 900), (900, 900)), "packed"),
], ids=str)
def test_path_suits_the_shape(dtype, shape, path):
    a, b = (np.broadcast_to(dtype(0), s) for s in shape)
    assert fastla.explain(a, b).path == path


@pytest.mark.parametrize("path", ["packed", "direct"])
def test_forced_path(dtype, path):
    _core.force_path(path)
    assert fastla.explain(zeros(40, 50, dtype), zeros(50, 60, dtype)).path == path
    with pytest.raises(ValueError):
        _core.force_path("scenic")


def test_a_fortran_output_is_computed_as_the_transpose(dtype):
    a, b = np.zeros((300, 300), dtype), np.zeros((300, 300), dtype)
    out = np.full((300, 300), shapes.SENTINEL, dtype, order="F")
    assert fastla.explain(a, b, out=out).transposed != fastla.explain(a, b, out=out.T).transposed
    assert (out == shapes.SENTINEL).all()


def test_threads_and_scratch(dtype):
    a = zeros(2048, 2048, dtype)
    plans = [fastla.explain(a, a, num_threads=t) for t in (1, 2, 8)]
    assert [p.threads for p in plans] == [1, 2, 8]
    assert all(p.tasks >= p.threads for p in plans)
    assert plans[0].scratch_bytes <= plans[1].scratch_bytes <= plans[2].scratch_bytes <= 64 << 20
    with fastla.threads(1):
        assert fastla.explain(a, a) == plans[0]


@pytest.mark.parametrize("m,k,n", [
    (100000, 64, 10), (100000, 64, 64), (10, 64, 100000), (100000, 1000, 10), (64, 4096, 4096),
    (1, 4096, 4096), (4096, 4096, 1), (300, 300, 300),
], ids=str)
@pytest.mark.parametrize("transposed", [False, True])
def test_every_thread_has_work(dtype, m, k, n, transposed):
    """Narrow and flat products, too, with B as it is and as the transpose of a weight (out, in)."""
    b = np.empty((n, k), dtype).T if transposed else np.empty((k, n), dtype)  # never touched
    for threads in (2, 8):
        plan = fastla.explain(zeros(m, k, dtype), b, num_threads=threads)
        assert plan.threads == threads
        assert plan.tasks >= threads, plan


def test_workspace_is_the_size_explained(dtype):
    """After a product, no more is held than was said; and nothing after release_workspace."""
    a = np.ones((500, 500), dtype)
    fastla.release_workspace()
    scratch = fastla.explain(a, a, num_threads=1).scratch_bytes
    fastla.matmul(a, a, num_threads=1)
    assert _core.workspace_bytes() <= 2 * scratch + (64 << 10)
    fastla.release_workspace()
    assert _core.workspace_bytes() == 0


@pytest.mark.parametrize("a,b,kind", [
    ((2, 3), (4, 5), ValueError), ((), (3,), ValueError), ((2, 3), (3,), None), ((3,), (3,), None),
    ((5, 2, 3), (3, 4), None), ((0, 3), (3, 4), None),
], ids=str)
def test_shapes(dtype, a, b, kind):
    x, y = np.ones(a, dtype), np.ones(b, dtype)
    if kind is None:
        assert fastla.explain(x, y).isa in shapes.isa_names()
    else:
        with pytest.raises(kind, match="explain"):
            fastla.explain(x, y)


@pytest.mark.parametrize("count,kind", [(0, ValueError), (-1, ValueError), (2**40, ValueError),
                                        ("2", TypeError)], ids=str)
def test_number_of_threads_is_checked(dtype, count, kind):
    a = zeros(3, 3, dtype)
    with pytest.raises(kind):
        fastla.explain(a, a, num_threads=count)
    with pytest.raises(kind):
        fastla.roof(count, seconds=0.001)


@pytest.mark.parametrize("code", ["?", "O", "g"])
def test_products_that_are_numpys(code):
    x = np.ones((3, 3)).astype(code)
    with pytest.raises(TypeError, match=f"products of {x.dtype} have no plan"):
        fastla.explain(x, x)


@pytest.mark.parametrize("code", "ebiQFD")
def test_other_dtypes(isa, code):
    x = np.ones((300, 300), code)
    plan = fastla.explain(x, x)
    assert (plan.path, plan.isa) == ("packed", isa)
    assert 0 < plan.predicted_roof_share <= 1
    assert fastla.explain(x[:2, :2], x[:2, :2]).path == "direct"


def test_kernels():
    rows = fastla.kernels()
    names = shapes.isa_names()
    assert "generic" in names
    dtypes = ("float32", "float64", "int8", "int16", "int32", "int64", "int8->int32", "uint8->int32",
              "int8,uint8->int32", "uint8,int8->int32", "int16->int32", "complex64", "complex128",
              "float16", "bfloat16", "bfloat16->float32")
    assert [(r.isa, r.dtype) for r in rows] == [(n, d) for n in names for d in dtypes]
    assert all(r.usable for r in rows if r.isa == "generic")
    usable = [n for n in names if shapes.usable(n)]
    (picked,) = {r.isa for r in rows if r.chosen}
    assert picked in (usable[:2] if usable[0] == "zen4" else usable[:1])  # zen4 is for one CPU
    assert all(r.mr > 0 and r.nr > 0 and r.vector_bytes in (16, 32, 64) for r in rows)


def chosen():
    return next(r.isa for r in fastla.kernels() if r.chosen)


def test_use_isa():
    best = chosen()
    with fastla.use_isa("generic"):
        assert chosen() == "generic"
        with fastla.use_isa(None):
            assert chosen() == best
        assert chosen() == "generic"
    assert chosen() == best
    with pytest.raises(KeyError), fastla.use_isa("generic"):
        raise KeyError
    fastla.use_isa("generic")
    assert chosen() == "generic"
    fastla.use_isa(None)
    assert chosen() == best
    with pytest.raises(ValueError, match="sse9"):
        fastla.use_isa("sse9")
    for row in fastla.kernels():
        if not row.usable:
            with pytest.raises(RuntimeError, match=row.isa):
                fastla.use_isa(row.isa)
    assert chosen() == best


def test_isa_by_environment():
    show = "import fastla; print(next(r.isa for r in fastla.kernels() if r.chosen))"
    assert run_python(show, env={"FASTLA_ISA": "generic"}) == "generic"
    assert run_python(show) == run_python(show, env={"FASTLA_ISA": ""})
    config = run_python("import fastla; fastla.show_config()", env={"FASTLA_ISA": "sse9"})
    assert "sse9" in config


def test_roof():
    roof = fastla.roof(1, seconds=0.01)
    assert set(roof.flops) == {"float32", "float64"}
    assert roof.flops["float32"] > roof.flops["float64"] > 0
    assert roof.bandwidth > 0
    assert (roof.num_threads, roof.isa) == (1, chosen())
    for seconds in (0, -1, float("nan")):
        with pytest.raises(ValueError):
            fastla.roof(1, seconds=seconds)
    for rounds in (0, 16):
        with pytest.raises(ValueError):
            _core.roof_fma("float32", 1, 0.01, rounds=rounds)


def test_roof_over_one_stretch():
    start = time.perf_counter()
    assert _core.roof_fma("float32", 1, 0.1, rounds=1) > 0
    assert time.perf_counter() - start > 0.05


def test_show_config(capsys):
    config = fastla.show_config("dicts")
    assert capsys.readouterr().out == ""
    assert config["fastla"] == fastla.__version__
    assert fastla.show_config() is None
    said = capsys.readouterr().out
    for text in (fastla.__version__, chosen(), str(fastla.get_num_threads())):
        assert text in said
    with pytest.raises(ValueError, match="mode"):
        fastla.show_config("json")


def test_a_wider_dtype_has_another_plan():
    """What is computed of narrow operands as they are, and what is converted first."""
    x = np.zeros((200, 300), np.int8)
    wide = fastla.explain(x, x.T, dtype=np.int32, num_threads=1)
    narrow = fastla.explain(x, x.T, num_threads=1)
    converted = fastla.explain(x.astype(np.int32), x.T.astype(np.int32), num_threads=1)
    rows = {row.dtype: row for row in fastla.kernels() if row.chosen}
    assert (wide.mr, wide.nr) == (rows["int8->int32"].mr, rows["int8->int32"].nr)
    assert (converted.mr, converted.nr) == (rows["int32"].mr, rows["int32"].nr)
    assert wide.scratch_bytes < converted.scratch_bytes and narrow.path == wide.path == "packed"
    unsigned = x.astype(np.uint8)
    assert fastla.explain(unsigned, unsigned.T, dtype=np.uint32, num_threads=1).kc == wide.kc
    single = np.ones((200, 300), np.float32)
    assert fastla.explain(single, single.T, dtype=float, num_threads=1) == fastla.explain(
        single.astype(float), single.T.astype(float), num_threads=1)
    for dtype, said in ((bool, "bool have no plan"), (">f8", "have no plan"), (np.int16, "not converted")):
        with pytest.raises(TypeError, match=said):
            fastla.explain(single, single.T, dtype=dtype)
