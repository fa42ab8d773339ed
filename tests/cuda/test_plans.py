"""Plans: whatever is asked for, kernels get what they can read, and blocks for all of C."""

import random
from types import SimpleNamespace

import pytest

for needed in ("numba.cuda.compiler", "greenlet"):
    pytest.importorskip(needed, reason="needs fastla[cuda] and greenlet")

from device import A100, H200  # noqa: E402

from fastla.cuda import cache, epilogue, families, gemm, halves, plan, problem, rings  # noqa: E402
from fastla.cuda.plan import Desc, Layout  # noqa: E402

BY = {rings.VECTORS: "vectors", rings.STEPS: "steps"}
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
    kind = draw.choice(["float16", "bfloat16", "float32", "float64"])
    types = [draw.choice([kind, kind, kind, "float32", "float16"]) for _ in range(2)]
    c = layout(draw, draw.choice(sorted(families.WRITTEN[kind])), m, n, count)
    a, b = layout(draw, types[0], m, k, count), layout(draw, types[1], k, n, count)
    precision = draw.choice(["exact", "high"] if kind == "float32" else ["highest", "fast"])
    return Desc(m, n, k, count, kind, a, b, c, precision=precision)


def operands(desc, found):
    """(line, step, following, alignment, dtype, order) of A and B as a plan's kernel sees them,
    by its arguments; of one that has no such, None."""
    a, b, *rest = found.arguments(16, 32, 48, 64)
    if found.after is not None:
        *shape, out = found.after[2](16, 32, 48, 64)[:4]
        parts = found.partial_bytes // (desc.m * desc.n * desc.count * 4)
        assert shape == [desc.m, desc.n, parts] and out == 48
        return [None, None]
    family, _, *orders = found.variant.name.split()
    out = rest[-epilogue.LENGTH:]
    strides = desc.c.strides
    transposed = family == "vectors" and desc.m > 1
    if transposed:
        strides = strides[1], strides[0], strides[2]
    assert out[epilogue.OUT] == 48
    assert tuple(out[epilogue.OUT + epilogue.ROW:epilogue.OUT + epilogue.DTYPE]) == strides
    if family == "hopper":
        steps = 3 * desc.k if desc.kind == "float32" else desc.k
        assert tuple(rest[:3]) == (desc.m, desc.n, steps) and rest[5] == desc.count
        assert [x.address for x in (a, b)] == [16, 32]
        return [None, None]
    left_first = family != "vectors" or transposed
    assert (a, b) == ((16, 32) if left_first else (32, 16))
    if family == "vectors":
        lines, k, line, step, following, x_step, x_following, _ = rest[:8]
        assert (lines, k) == (max(desc.m, desc.n), desc.k)
        near = x_step if SIZES[desc.kind] >= 4 else SIZES[desc.kind]
        found_strides = [(line, step, following, orders[0]), (None, near, x_following, "vector")]
        if not left_first:
            found_strides.reverse()
        assert x_step == near
    elif family in ("exact", "doubles"):
        waits = out[epilogue.PARTIAL]
        wanted = 64 if found.partial_bytes else 48 if desc.c.dtype == desc.kind else waits
        assert waits == wanted or family == "doubles"
        assert tuple(rest[:3]) == (desc.m, desc.n, desc.k)
        a_row, a_step, _, _, a_next, a_by, b_step, b_col, _, _, b_next, b_by = rest[3:15]
        found_strides = (a_row, a_step, a_next, BY[a_by]), (b_col, b_step, b_next, BY[b_by])
    else:
        assert tuple(rest[:3]) == (desc.m, desc.n, desc.k)
        found_strides = (*rest[3:6], orders[0] + " vectors"), (*rest[6:9], orders[1] + " vectors")
    rooms = zip(found_strides, (desc.a, desc.b), found.copy_bytes, strict=True)
    return [(*own[:3], 16 if room else x.alignment, desc.kind if room else x.dtype, own[3])
            for own, x, room in rooms]


def covered(desc, p):
    """Whether there is a block for every tile."""
    family = p.variant.name.split()[0]
    if family == "vectors":
        most = max(desc.m, desc.n)
        return p.grid[0] * 256 >= most * desc.count and p.grid[0] <= (most // 32 + 1) * desc.count
    if family == "hopper":
        return 0 < p.grid[0] <= H200.multiprocessors and p.grid[0] % p.variant.cluster == 0
    rows, cols = (32, 32) if p.variant.name.endswith("small") else TILES[desc.kind]
    return p.grid == (-(-desc.m // rows) * -(-desc.n // cols) * desc.count, 1, 1)


@pytest.mark.parametrize("device", LIMITS, ids=lambda d: d.name)
def test_kernels_get_what_they_can_read(device):
    families_seen = set()
    for seed in range(600):
        desc = drawn(seed)
        found = plan.candidates(desc, device)
        assert len({p.name for p in found}) == len(found)
        assert [p.cycles for p in found] == sorted(p.cycles for p in found)
        for p in found:
            families_seen.add(p.variant.name.split()[0])
            assert p.variant.shared_bytes <= LIMITS[device] and p.variant.threads * 168 <= 65536
            assert len(p.arguments(0, 0, 0, 0)) == len(p.variant.signature) - 1 + epilogue.LENGTH
            size = SIZES[desc.kind]
            waits = desc.k > 512 and p.variant.name.startswith("exact") and desc.c.dtype != desc.kind
            totals = desc.count * desc.m * desc.n * (4 if p.after else size)
            assert p.partial_bytes == totals * (int(p.name.split()[-1]) if p.after else waits)
            assert (p.after is not None) == (", K in " in p.name)
            assert covered(desc, p), (desc, p)
            for line, step, following, alignment, dtype, order in filter(None, operands(desc, p)):
                assert dtype == desc.kind, (desc, p)
                size = SIZES[dtype]
                assert all(x % size == 0 for x in (line or 0, step, following))
                near, far = (line, step) if "lines" in order or order == "vectors" else (step, line)
                wide = p.variant.name.startswith("vectors") and order in ("lines", "steps")
                if "vectors" in order or wide:
                    assert near == size and all(x % 16 == 0 for x in (far, following, alignment)), (desc, p)
    hopper = {"hopper"} if device is H200 else set()
    assert families_seen == {"exact", "doubles", "vectors", "halves"} | hopper


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
    for kind, names in (("float32", {"exact float32", "exact float32 small"}),
                        ("float16", {"halves float16 steps lines"}),
                        ("bfloat16", {"halves bfloat16 steps lines"})):
        size = SIZES[kind]
        rows = Layout(kind, (1024 * size, size, 0))
        columns = Layout(kind, (size, 1024 * size, 0))
        a = columns if kind == "float32" else rows
        found = plan.candidates(Desc(1024, 1024, 1024, 1, kind, a, rows, rows), A100)
        assert {p.name for p in found} == names


def test_what_a_copy_costs():
    """Of float32 with A by rows, which is read an element at a time where it is: much, or nearly nothing."""
    for size, least, most in ((64, 1.1, 4), (8192, 1, 1.02)):
        rows = Layout("float32", (4 * size, 4, 0))
        direct, copied, *_ = plan.candidates(Desc(size, size, size, 1, "float32", rows, rows, rows), A100)
        assert direct.name in ("exact float32", "exact float32 small")
        assert copied.name == direct.name + ", a copied"
        assert least < copied.cycles / direct.cycles < most


def test_small_tiles_are_for_small_products():
    """And for stacks of them, and for few rows."""
    for kind in ("float32", "float64"):
        for m, n, k, count, small in ((8, 8, 8, 1, True), (64, 64, 64, 1000, True), (16, 4096, 4096, 1, True),
                                      (8, 8, 100000, 1, True), (512, 512, 512, 1, True),
                                      (2048, 2048, 2048, 1, False), (128, 256, 512, 108, False)):
            size = SIZES[kind]
            a, b, c = (Layout(kind, (cols * size, size, rows * cols * size * (count > 1)))
                       for rows, cols in ((m, k), (k, n), (m, n)))
            for device in LIMITS:
                desc = Desc(m, n, k, count, kind, a, b, c, precision="exact")
                assert plan.choose(desc, device).variant.name.endswith("small") == small, desc


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


def test_precisions():
    """float32 is cut off where that is asked for; without a kernel for that it is exact."""
    rows = Layout("float32", (256, 4, 0))
    for device, precision, cut in ((H200, "exact", False), (H200, "tf32", True), (A100, "tf32", False)):
        desc = Desc(64, 64, 64, 1, "float32", rows, rows, rows, precision=precision)
        found = [p.name.split()[0] for p in plan.candidates(desc, device)]
        assert ("hopper" in found) == cut and "exact" in found


def test_what_is_best_on_hopper():
    """Large tiles if there are enough of them, small ones if not; a vector of its own kind."""
    def best(m, n, k, kind="bfloat16", precision=None):
        precision = precision or ("exact" if kind == "float32" else "highest")
        size = SIZES[kind]
        a, b, c = (Layout(kind, (cols * size, size, 0)) for cols in (k, n, n))
        desc = Desc(m, n, k, 1, kind, a, b, c, precision=precision)
        return plan.choose(desc, H200).variant.name

    assert best(8192, 8192, 8192) == best(4096, 16384, 4096) == "hopper bf16 256 steps lines"
    assert best(1000, 1000, 1000) == "hopper bf16 64 steps lines"
    assert best(1, 4096, 4096).startswith("hopper")
    assert best(1, 4096, 4096, precision="fast").startswith("vectors bfloat16 lines")
    assert best(4096, 1, 4096, "float32").startswith("vectors float32 steps")
    assert best(1, 4096, 4096, "float64").startswith("doubles")


def test_the_order_of_sums_does_not_depend_on_the_shape():
    """Under highest and exact one order for all shapes; what divides K, or knows rows alone, is not asked."""
    orders = {"float32": {"exact", "vectors"}, "float64": {"doubles"}, "float16": {"hopper"}}
    for kind, allowed in orders.items():
        size = SIZES[kind]
        for m, n, k in ((1, 4096, 4096), (64, 64, 65536), (4096, 1, 512), (8192, 8192, 8192)):
            a, b, c = (Layout(kind, (cols * size, size, 0)) for cols in (k, n, n))
            precision = "exact" if kind == "float32" else "highest"
            found = plan.candidates(Desc(m, n, k, 1, kind, a, b, c, precision=precision), H200)
            assert {p.variant.name.split()[0] for p in found} <= allowed
            assert not any(p.after for p in found)


def test_a_family_is_one_entry(monkeypatch):
    """The next one yields plans like those that are there."""
    def wgmma(desc, device):
        if device.compute_capability[0] == 9:
            variant = SimpleNamespace(shared_bytes=0)
            yield problem.Plan("wgmma", variant, (1, 1, 1), None, (None, None), (0, 0), 0, 1.0)

    monkeypatch.setitem(families.FAMILIES, "wgmma", wgmma)
    rows = Layout("bfloat16", (2048, 2, 0))
    desc = Desc(1024, 1024, 1024, 1, "bfloat16", rows, rows, rows)
    assert plan.choose(desc, H200).name == "wgmma" and plan.choose(desc, A100).name != "wgmma"


def test_tiles_are_the_kernels():
    assert {kind: (tile.rows, tile.cols) for kind, tile in gemm.EXACT_TILES.items()}.items() <= TILES.items()
    assert (halves.ROWS, halves.COLS) == TILES["float16"]
