"""Displays draw the numbers that they are given, where they are told to, and show and save nothing."""

import sys

import numpy as np
import pytest

from fastla import plot
from fastla.decomposition import pca

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra fastla[plot]")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _nothing_shown_or_saved(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("shown or saved")

    monkeypatch.setattr(pyplot, "show", refuse)
    with monkeypatch.context() as m:
        m.setattr("matplotlib.figure.Figure.savefig", refuse)
        yield
    pyplot.close("all")


@pytest.fixture
def x(rng):
    return rng.standard_normal((60, 12)) * np.geomspace(10, 0.1, 12) + 5


def drawn(display):
    """Whether it can be drawn: layout and letters included."""
    display.figure_.canvas.draw()
    return display


def test_scree(x):
    found = pca(x)
    display = drawn(plot.ScreeDisplay.from_pca(found))
    ratio = found.explained_variance_ratio
    assert np.array_equal([bar.get_height() for bar in display.bars_], ratio)
    assert [round(bar.get_x() + bar.get_width() / 2) for bar in display.bars_] == list(range(1, 13))
    assert np.array_equal(display.line_.get_ydata(), np.cumsum(ratio))
    assert np.array_equal(display.line_.get_xdata(), np.arange(1, 13))
    assert display.n_needed == len(pca(x, 0.95).components)
    said = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert f"95%: {display.n_needed} components" in said
    level = [line for line in display.ax_.lines if line.get_linestyle() == "--"]
    assert len(level) == 1 and set(level[0].get_ydata()) == {0.95}


def test_scree_of_too_few():
    display = drawn(plot.ScreeDisplay([0.5, 0.2]).plot(color="red"))
    assert display.n_needed is None
    assert "95%" in [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert display.bars_[0].get_facecolor() == matplotlib.colors.to_rgba("red")
    assert plot.ScreeDisplay([0.5, 0.2], threshold=0.5).n_needed == 1


def test_components(x):
    found = pca(x, 5)
    display = drawn(plot.ComponentsDisplay.from_pca(found, (3, 4), columns=2))
    mosaic = display.im_.get_array()
    assert mosaic.shape == (3 * 3 + 2, 2 * 4 + 1)
    tiles = [mosaic[y:y + 3, x:x + 4] for y in (0, 4, 8) for x in (0, 5)]
    assert tiles[0].min() == -1 and tiles[0].max() == 1  # the mean
    for tile, component in zip(tiles[1:], found.components, strict=True):
        assert np.array_equal(tile, (component / abs(component).max()).reshape(3, 4))
    assert mosaic.mask[3].all() and mosaic.mask[:, 4].all()
    assert display.im_.get_clim() == (-1, 1)
    alone = plot.ComponentsDisplay.from_pca(found, (3, 4), 3, mean=False)
    assert len(alone.images) == 3 and np.array_equal(alone.images[2], tiles[3])


def test_components_with_titles(rng):
    titles = [f"number {i}" for i in range(5)]
    display = drawn(plot.ComponentsDisplay(rng.random((5, 100)), (10, 10), titles=titles).plot(cmap="RdBu"))
    assert [t.get_text() for t in display.ax_.texts] == titles
    assert display.im_.get_cmap().name == "RdBu"
    # Each stands above its own image: centred, a gap below the image before.
    at = [t.get_position() for t in display.ax_.texts]
    assert at[:3] == [(4.5, at[0][1]), (16.5, at[0][1]), (28.5, at[0][1])]
    assert at[3] == (4.5, at[0][1] + 12)


def test_flat_images():
    images = plot.ComponentsDisplay(np.zeros((1, 4)), (2, 2), mean=np.full(4, 7.0)).images
    assert not images.any()


def test_projection(x):
    found, labels = pca(x), np.repeat(["b", "a", "c"], 20)
    display = drawn(plot.ProjectionDisplay.from_pca(found, x, labels=labels, dims=(2, 0), s=30))
    y = found.transform(x)
    assert len(display.scatters_) == 3
    for scatter, label in zip(display.scatters_, "abc", strict=True):
        assert np.array_equal(scatter.get_offsets(), y[labels == label][:, [2, 0]])
        assert scatter.get_label() == label and set(scatter.get_sizes()) == {30}
    assert len({tuple(s.get_facecolor()[0]) for s in display.scatters_}) == 3
    ratio = found.explained_variance_ratio
    assert display.ax_.get_xlabel() == f"component 3 ({ratio[2]:.1%})"
    assert display.ax_.get_ylabel() == f"component 1 ({ratio[0]:.1%})"
    assert [t.get_text() for t in display.ax_.get_legend().get_texts()] == ["a", "b", "c"]


def test_projection_of_a_scale_and_of_no_labels(rng):
    y, ages = rng.random((30, 2)), rng.random(30)
    (scatter,) = drawn(plot.ProjectionDisplay(y, ages).plot()).scatters_
    assert np.array_equal(scatter.get_array(), ages) and len(scatter.figure.axes) == 2
    display = drawn(plot.ProjectionDisplay(y).plot())
    assert np.array_equal(display.scatters_[0].get_offsets(), y)
    assert display.ax_.get_xlabel() == "component 1" and display.ax_.get_legend() is None


def test_many_groups_have_no_legend(rng):
    display = drawn(plot.ProjectionDisplay(rng.random((42, 2)), np.arange(42) % 21).plot())
    assert len(display.scatters_) == 21 and display.ax_.get_legend() is None


def test_drawn_where_told(x):
    found = pca(x)
    figure, axes = pyplot.subplots(1, 3)
    shown = [plot.ScreeDisplay.from_pca(found, ax=axes[0]),
             plot.ComponentsDisplay.from_pca(found, (3, 4), ax=axes[1]),
             plot.ProjectionDisplay.from_pca(found, x, ax=axes[2])]
    for display, ax in zip(shown, axes, strict=True):
        assert display.ax_ is ax and display.figure_ is figure
    drawn(shown[0])


def test_estimators_too(x):
    other = pytest.importorskip("sklearn.decomposition", reason="needs scikit-learn").PCA(4).fit(x)
    assert np.array_equal(plot.ScreeDisplay.from_pca(other).explained_variance_ratio,
                          other.explained_variance_ratio_)
    assert len(plot.ComponentsDisplay.from_pca(other, (4, 3)).images) == 5
    assert np.array_equal(plot.ProjectionDisplay.from_pca(other, x).points, other.transform(x)[:, :2])
    with pytest.raises(TypeError, match="list has no explained_variance_ratio"):
        plot.ScreeDisplay.from_pca([0.5])


@pytest.mark.parametrize("make, said", [
    (lambda: plot.ScreeDisplay([[0.5]]), r"is \(1, 1\); it must be \(k,\)"),
    (lambda: plot.ScreeDisplay([]), r"is \(0,\)"),
    (lambda: plot.ScreeDisplay([0.5], threshold=95), "threshold is 95"),
    (lambda: plot.ComponentsDisplay(np.ones((2, 7)), (2, 3)), r"are \(2, 7\); images of 2 x 3 need \(k, 6\)"),
    (lambda: plot.ComponentsDisplay(np.ones((2, 6)), (2, 3), mean=np.ones(5)), r"mean is \(5,\)"),
    (lambda: plot.ComponentsDisplay(np.ones((2, 6)), (2, 3), titles=["a"]), "1 titles for 2 images"),
    (lambda: plot.ProjectionDisplay(np.ones((3, 1))), r"projected is \(3, 1\), dims are \(0, 1\)"),
    (lambda: plot.ProjectionDisplay(np.ones((3, 2)), [1, 2]), r"labels are \(2,\); they must be \(3,\)"),
])
def test_what_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    display = plot.ScreeDisplay([0.5])
    with pytest.raises(ImportError, match=r"matplotlib is needed here: pip install 'fastla\[plot\]'"):
        display.plot()
