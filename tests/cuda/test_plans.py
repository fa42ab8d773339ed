"""Plans: whatever is asked for, kernels get what they can read, and blocks for all of C."""

import random

import pytest

for needed in ("numba.cuda.compiler", "greenlet"):
    pytest.importorskip(needed, reason="needs fastla[cuda] and greenlet")

from device import A100, H200  # noqa: E402

from fastla.cuda import cache, epilogue, families, gemm, halves, plan, problem  # noqa: E402
from fastla.cuda.plan import Desc, Layout  # noqa: E402

LIMITS = {A100: 163 << 10, H200: 227 << 10}
TILES = {"float32": (128, 256), "float64": (128, 128), "float16": (128, 128), "bfloat16": (128, 128)}
SIZES = problem.SIZES


@pytest.fixture(autouse=True)
def _no_table(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTLA_CACHE_DIR", str(tmp_path))
    cache._read_tuned.cache_clear()


def layout(draw, dtype, rows, cols, count):
    """Rows or columns contiguous, padded to vectors or not; or neither; forwards or backwards; a stack."""
    size = SIZES[dtype]
    near, pad = size * draw.choice([1, 1, 1, 2, -1]), draw.choice([0, 0, 4, 16])
    swap = draw.random() < 0.5
    far = abs(near) * (rows if swap else cols) + pad
    far = -(-far // size) * size
    strides = (near, far) if swap else (far, near)
    following = draw.choice([0, far * (cols if swap else rows)]) if count > 1 else 0
    return Layout(dtype, (*strides, following), draw.choice([16, 16, 8, size]))


def drawn(seed):
    draw = random.Random(seed)
    m, n, k = (draw.choice([1, 2, 7, 64, 128, 300, 1000, 4096]) for _ in range(3))
    count = draw.choice([1, 1, 3, 50])
    kind = draw.choice(list(SIZES))
    types = [draw.choice([kind, kind, kind, "float32", "float16"]) for _ in range(2)]
    c = layout(draw, draw.choice(sorted(families.WRITTEN[kind])), m, n, count)
    a, b = layout(draw, types[0], m, k, count), layout(draw, types[1], k, n, count)
    return Desc(m, n, k, count, kind, a, b, c)


def operands(desc, found):
    """(line, step, following, alignment, dtype) of A and B as a plan's kernel sees them, by its arguments."""
    a, b, *rest = found.arguments(16, 32, 48, 64)
    out = rest[-epilogue.LENGTH:]
    assert (a, b, out[epilogue.OUT]) == (16, 32, 48) and tuple(rest[:3]) == (desc.m, desc.n, desc.k)
    assert tuple(out[epilogue.OUT + epilogue.ROW:epilogue.OUT + epilogue.DTYPE]) == desc.c.strides
    if found.variant.name.startswith("exact"):
        waits = out[epilogue.PARTIAL]
        assert waits == (64 if found.partial_bytes else 48 if desc.c.dtype == desc.kind else waits)
        a_row, a_step, _, _, a_next, b_step, b_col, _, _, b_next = rest[3:13]
        strides = (a_row, a_step, a_next), (b_col, b_step, b_next)
    else:
        strides = tuple(rest[3:6]), tuple(rest[6:9])
    for own, x, room in zip(strides, (desc.a, desc.b), found.copy_bytes, strict=True):
        yield *own, 16 if room else x.alignment, desc.kind if room else x.dtype


@pytest.mark.parametrize("device", LIMITS, ids=lambda d: d.name)
def test_kernels_get_what_they_can_read(device):
    for seed in range(600):
        desc = drawn(seed)
        found = plan.candidates(desc, device)
        assert len({p.name for p in found}) == len(found)
        assert [p.cycles for p in found] == sorted(p.cycles for p in found)
        for p in found:
            assert p.variant.shared_bytes <= LIMITS[device] and p.variant.threads * 255 <= 65536
            assert len(p.arguments(0, 0, 0, 0)) == len(p.variant.signature) - 1 + epilogue.LENGTH
            size = SIZES[desc.kind]
            waits = desc.k > 512 and p.variant.name.startswith("exact") and desc.c.dtype != desc.kind
            assert p.partial_bytes == (desc.count * desc.m * desc.n * size if waits else 0)
            rows, cols = TILES[desc.kind]
            assert p.grid == (-(-desc.m // rows) * -(-desc.n // cols) * desc.count, 1, 1)
            orders = p.variant.name.split()[2:]
            for seen, order in zip(operands(desc, p), orders, strict=True):
                line, step, following, alignment, dtype = seen
                assert dtype == desc.kind, (desc, p)
                size = SIZES[dtype]
                assert all(x % size == 0 for x in (line, step, following))
                vectors = order == "vectors" or p.variant.name.startswith("halves")
                near, far = (line, step) if order in ("vectors", "lines") else (step, line)
                if vectors:
                    assert near == size and all(x % 16 == 0 for x in (far, following, alignment)), (desc, p)


def test_copies_have_room():
    """The last byte that is written is the last one of the room, or padding follows."""
    seen = 0
    for seed in range(300):
        desc = drawn(seed)
        for p in plan.candidates(desc, A100):
            for copy, room in zip(p.copies, p.copy_bytes, strict=True):
                assert (copy is None) == (room == 0)
                if copy is None:
                    continue
                seen += 1
                rows, cols, row, col, following = copy.constants[:5]
                count = copy.grid[0] // (-(-rows // 32) * -(-cols // 32))
                assert min(row, col, following) >= 0
                end = (rows - 1) * row + (cols - 1) * col + (count - 1) * following + SIZES[desc.kind]
                assert room - 16 < end <= room
    assert seen > 100


def test_nothing_is_copied_that_can_be_read():
    halves_read = "steps lines"
    for kind, vector in (("float32", "vectors vectors"), ("float16", halves_read), ("bfloat16", halves_read)):
        size = SIZES[kind]
        rows = Layout(kind, (1024 * size, size, 0))
        columns = Layout(kind, (size, 1024 * size, 0))
        a = columns if kind == "float32" else rows
        found = plan.candidates(Desc(1024, 1024, 1024, 1, kind, a, rows, rows), A100)
        assert [p.name.split(maxsplit=2)[2] for p in found] == [vector]


def test_what_a_copy_costs():
    """Of float32 with A by rows, which is read an element at a time where it is: much, or nearly nothing."""
    for size, least, most in ((64, 1.1, 2), (8192, 1, 1.02)):
        rows = Layout("float32", (4 * size, 4, 0))
        direct, copied = plan.candidates(Desc(size, size, size, 1, "float32", rows, rows, rows), A100)
        assert direct.name == "exact float32 steps vectors"
        assert copied.name == "exact float32 vectors vectors, a copied"
        assert least < copied.cycles / direct.cycles < most


def test_a_measured_plan_goes_first():
    rows = Layout("float32", (256, 4, 0))
    desc = Desc(64, 64, 64, 1, "float32", rows, rows, rows)
    best, *others = plan.candidates(desc, A100)
    cache.keep_tuned(A100.name, {desc.key: others[0].name})
    assert plan.choose(desc, A100).name == others[0].name != best.name
    assert plan.choose(desc, H200).name == best.name
    cache.keep_tuned(A100.name, {desc.key: "a kernel that is no more"})
    assert plan.choose(desc, A100).name == best.name


def test_keys_tell_problems_apart():
    keys = {drawn(seed).key: drawn(seed) for seed in range(300)}
    assert len(keys) == len({drawn(seed) for seed in range(300)})


def test_what_no_kernel_computes():
    rows = Layout("float32", (256, 4, 0))
    with pytest.raises(TypeError, match="no kernel computes products of int8 on emulated"):
        plan.candidates(Desc(64, 64, 64, 1, "int8", rows, rows, rows), A100)


def test_a_family_is_one_entry(monkeypatch):
    """The next one yields plans like those that are there."""
    def wgmma(desc, device):
        if device.compute_capability[0] == 9:
            yield problem.Plan("wgmma", None, (1, 1, 1), None, (None, None), (0, 0), 0, 1.0)

    monkeypatch.setitem(families.FAMILIES, "wgmma", wgmma)
    rows = Layout("bfloat16", (2048, 2, 0))
    desc = Desc(1024, 1024, 1024, 1, "bfloat16", rows, rows, rows)
    assert plan.choose(desc, H200).name == "wgmma" and plan.choose(desc, A100).name != "wgmma"


def test_tiles_are_the_kernels():
    assert {kind: (tile.rows, tile.cols) for kind, tile in gemm.EXACT_TILES.items()}.items() <= TILES.items()
    assert (halves.ROWS, halves.COLS) == TILES["float16"]
