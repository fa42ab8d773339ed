"""The examples of decompositions run, say what is true, draw pictures, and multiply by fastla alone."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("eigenfaces", "denoise", "lsa", "image_svd", "segment_image", "communities")
if not EXAMPLES.is_dir():
    pytest.skip("needs the source tree", allow_module_level=True)
pytest.importorskip("sklearn", reason="needs scikit-learn for the images")
matplotlib = pytest.importorskip("matplotlib", reason="needs the extra fastla[plot]")
matplotlib.use("Agg")


def loaded(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """run("lsa", argument...): what is printed, in an empty folder."""
    def call(name, *arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", [f"{name}.py", *map(str, arguments)])
        loaded(name).main()
        return capsys.readouterr().out

    yield call
    matplotlib.pyplot.close("all")


def picture(path):
    """A PNG file's pixels; that it is one, and not blank."""
    pixels = matplotlib.image.imread(path)
    assert pixels.ndim == 3 and min(pixels.shape[:2]) > 100 and pixels.std() > 0.05
    return pixels


def number(pattern, said):
    (found,) = re.findall(pattern, said)
    return float(found)


def test_eigenfaces_of_digits(run, tmp_path):
    said = run("eigenfaces")
    from sklearn import datasets, decomposition

    ratio = decomposition.PCA().fit(datasets.load_digits().data).explained_variance_ratio_
    assert said.startswith("1797 images of 8x8, 10 digits\n")
    assert number(r"variance: (\d+) of 64", said) == np.searchsorted(np.cumsum(ratio), 0.95) + 1
    assert number(r"by 40 components: ([\d.]+)% of 896 images, from 901", said) > 97
    picture(tmp_path / "eigenfaces.png")


def test_generated_faces(run, tmp_path):
    module = loaded("eigenfaces")
    faces = module.generate(3, people=5, each=4)
    assert faces.images.shape == (20, 112 * 92) and faces.shape == (112, 92)
    assert np.array_equal(faces.images, module.generate(3, people=5, each=4).images)
    assert 0 <= faces.images.min() and faces.images.max() <= 1
    said = run("eigenfaces", "--generated", "--out", "faces.png")
    assert said.startswith("400 images of 112x92, 40 people\n")
    assert number(r"recognised by 40 components: ([\d.]+)% of 200", said) > 80
    picture(tmp_path / "faces.png")


def pgm(image, kind):
    height, width = image.shape
    most = 255 if image.dtype == np.uint8 else 1000
    head = f"{kind} # a comment\n{width}\n# another\n{height} {most}\n".encode()
    return head + (image.astype(image.dtype.newbyteorder(">")).tobytes() if kind == "P5" else
                   " ".join(map(str, image.ravel())).encode() + b"\n# the end\n")


@pytest.mark.parametrize("kind", ["P5", "P2"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pgm(tmp_path, rng, kind, dtype):
    module, path = loaded("eigenfaces"), tmp_path / "x.pgm"
    image = rng.integers(0, 256, (5, 3)).astype(dtype)
    image[0] = 10, 35, 32  # bytes that look like the head's
    path.write_bytes(pgm(image, kind))
    most = np.float32(255 if dtype == np.uint8 else 1000)
    assert np.array_equal(module.read_pgm(path), image.astype(np.float32) / most)
    for data in (pgm(image, kind)[: -14 if kind == "P2" else -1], b"", b"P6 1 1 255\n\0", b"P5 1 1 0\n\0",
                 b"P2 1 1 9\n10"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"x\.pgm"):
            module.read_pgm(path)


def test_a_folder_of_faces(run, tmp_path):
    module = loaded("eigenfaces")
    faces = module.generate(0, people=11, each=4)
    for i, (row, person) in enumerate(zip(faces.images, faces.people, strict=True)):
        folder = tmp_path / "faces" / f"s{person + 1}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i % 4 + 1}.pgm").write_bytes(pgm((row * 255).astype(np.uint8).reshape(112, 92), "P5"))
    found = module.load_folder(tmp_path / "faces")
    assert np.array_equal(found.people, faces.people + 1) and found.shape == (112, 92)
    assert abs(found.images - faces.images).max() <= 1 / 255
    said = run("eigenfaces", tmp_path / "faces", "--components", 10)
    assert said.startswith("44 images of 112x92, 11 people\n") and "recognised by 10 components" in said
    (tmp_path / "faces" / "s1" / "1.pgm").write_bytes(pgm(np.zeros((2, 2), np.uint8), "P5"))
    with pytest.raises(ValueError, match="44 images"):
        module.load_folder(tmp_path / "faces")


def test_split_and_nearest(rng):
    module = loaded("eigenfaces")
    people = rng.permutation(np.repeat([1, 2, 7], [4, 5, 1]))
    learned = module.split(people, 0)
    assert [(people[learned] == p).sum() for p in (1, 2, 7)] == [2, 3, 1]
    a, b = rng.random((20, 6), np.float32), rng.random((9, 6), np.float32)
    distances = np.square(a[:, None] - b).sum(axis=2)
    assert np.array_equal(module.nearest(a, b), distances.argmin(axis=1))


def test_denoise(run, tmp_path):
    said = run("denoise")
    before = number(r"([\d.]+) dB before", said)
    assert number(r"([\d.]+) dB after", said) > before + 2
    kept = int(number(r"(\d+) of 64 components", said))
    picture(tmp_path / "denoise.png")
    # What was found out is as good as any number of components, but for a tenth of a decibel.
    after = {k: number(r"([\d.]+) dB after", run("denoise", "--components", k))
             for k in (kept, 6, 12, 24, 40)}
    assert after[kept] >= max(after.values()) - 0.1


def test_lsa(run, tmp_path):
    said = run("lsa")
    assert re.match(r"\d+ pages, \d+ terms, 30 dimensions", said)
    assert len(re.findall(r"^topic \d: ", said, re.M)) == 8
    near = dict(re.findall(r"^(.*)\? (.*)$", said, re.M))
    assert "for" in near["loop over a sequence"].split()
    assert {"try", "exceptions"} & set(re.findall(r"[a-z]+", near["catch an exception"]))
    assert "import" in near["import a module"]
    assert not list(tmp_path.iterdir())
    said = run("lsa", "xyzzy", "coroutine", "--nearest", 1, "--topics", 2, "--out", "pages.png")
    assert "xyzzy? query: text 0 has none of the" in said and "topic 3" not in said
    assert re.search(r"coroutine\? [a-z-]+ 0\.\d\d\n", said)
    picture(tmp_path / "pages.png")


def test_image_svd(run, tmp_path):
    said = run("image_svd")
    from sklearn import datasets

    matrix = datasets.load_sample_image("china.jpg").reshape(427, -1) / 255
    s = np.linalg.svd(matrix, compute_uv=False)
    found = re.findall(r"rank (\d+): error ([\d.]+)%, PSNR ([\d.]+) dB, ([\d.]+)%", said)
    assert [row[0] for row in found] == ["5", "20", "50", "100"]
    for rank, error, decibels, storage in (map(float, row) for row in found):
        left = np.sqrt((s[int(rank):]**2).sum())
        assert abs(error - 100 * left / np.sqrt((s**2).sum())) < 0.01
        assert abs(decibels + 20 * np.log10(left / np.sqrt(matrix.size))) < 0.1
        assert abs(storage - 100 * rank * (427 + 1920 + 1) / matrix.size) < 0.1
    pixels = picture(tmp_path / "image_svd.png")
    grey = pixels[..., 0]
    matplotlib.image.imsave(tmp_path / "grey.png", grey[:120, :150], cmap="gray")
    said = run("image_svd", tmp_path / "grey.png", "--ranks", 1, 3)
    assert said.startswith("120x150 pixels, a matrix of 120x450: 3 triplets")
    with pytest.raises(SystemExit):
        run("image_svd", "--ranks", 428)


@pytest.mark.parametrize("name", NAMES)
def test_no_other_product(name):
    code = re.sub(r'""".*?"""|#[^\n]*', "", (EXAMPLES / f"{name}.py").read_text(), flags=re.DOTALL)
    code = code.replace("fastla.matmul", "")
    others = "dot|vdot|vecdot|inner|outer|einsum|matmul|matvec|vecmat|tensordot|linalg"
    assert not re.search(rf"@|\.({others})\b", code)
    assert "fastla" in code


def test_segmented_image(run, tmp_path):
    said = run("segment_image", "--height", 40, "--regions", 6)
    assert said.startswith("38x58 pixels, 6 regions in ")
    sizes = [int(n) for n in re.search(r"regions: (.*)\n", said)[1].split(", ")]
    assert sum(sizes) == 38 * 58 and len(sizes) == 6 and sizes[1] > 100
    assert number(r"each within ([\d.e-]+)", said) < 1e-5
    picture(tmp_path / "segment_image.png")


def test_flat_regions_are_found(rng):
    module = loaded("segment_image")
    true = np.zeros((24, 30), int)
    true[:, 15:], true[12:, 15:] = 1, 2
    colours = np.array([[0.1, 0.2, 0.3], [0.9, 0.2, 0.1], [0.2, 0.9, 0.5]])
    image = colours[true] + 0.02 * rng.random((24, 30, 3))
    labels = module.segment(image, 3).labels
    assert len(set(zip(labels, true.ravel(), strict=True))) == 3 == len(set(labels))
    assert module.shrunk(image, 12).shape == (12, 15, 3)


def test_communities(run, tmp_path):
    networkx = pytest.importorskip("networkx", minversion="3.4")
    from sklearn.metrics import adjusted_rand_score

    said = run("communities", "--most", 6)
    assert number(r"the split ([\d.]+),", said) > 0.8
    assert number(r"members, modularity ([\d.]+)", said) > 0.35
    assert number(r"communities, modularity ([\d.]+)", said) > 0.5
    sizes = [int(size) for size in re.findall(r"^ +(\d+) around \w", said, re.M)]
    assert sum(sizes) == 77 and len(sizes) == number(r"(\d+) communities", said)
    picture(tmp_path / "communities.png")
    module = loaded("communities")
    found = module.communities(networkx.disjoint_union_all([networkx.complete_graph(5)] * 3), 3)
    assert sorted(np.bincount(found.labels)) == [5, 5, 5]
    for count in (2, 5):
        labels, others = np.random.default_rng(count).integers(0, count, (2, 30))
        assert module.rand_index(labels, others) == pytest.approx(adjusted_rand_score(labels, others))
    with pytest.raises(SystemExit):
        run("communities", "--most", 1)
