"""Training: learns, the same bits however it is run, stopped and resumed; what it says."""

import io
import os
import signal
import sys
import threading

import numpy as np
import pytest

import fastla
from fastla import nn

N, BATCH = 90, 16  # six batches in an epoch, the last one of ten samples
SCHEDULE = nn.cosine_schedule(0.02, 40, warmup=3)


@pytest.fixture(autouse=True)
def listens():
    """What a shell starts in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def blobs(seed=0, dtype=np.float32):
    """Three classes of points, which a line does not separate: rings of different radius."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, N)
    angle = rng.uniform(0, 2 * np.pi, N)
    x = (1 + y[:, np.newaxis]) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x.astype(dtype), y


def model_of(seed=3):
    return nn.MLP((2, 16, 8, 3), rng=seed)


def train(model=None, *, seed=5, epochs=4, data=None, optimizer=None, **options):
    """A short training with everything in it that has a state."""
    model = model or model_of()
    optimizer = optimizer or nn.AdamW(0.02)
    options.setdefault("callbacks", [nn.EarlyStopping(50)])
    options.setdefault("schedule", SCHEDULE)
    x, y = data or blobs()
    history = nn.fit(model, x, y, optimizer=optimizer, epochs=epochs, batch_size=BATCH, rng=seed, clip=1.0,
                     validation=(x[:20], y[:20]),
                     progress=False, **options)
    return model, history


def same(a, b):
    return all(np.array_equal(x, b.parameters[name]) for name, x in a.parameters.items())


def test_it_learns_classes():
    x, y = blobs()
    model = model_of()
    before = nn.score(model, x, y)
    history = nn.fit(
        model, x, y, optimizer=nn.Adam(0.02), epochs=150, batch_size=BATCH, rng=0, progress=False
    )
    assert before < 0.7 < 0.97 < nn.score(model, x, y)
    assert len(history.loss) == 150
    assert history.loss[-1] < 0.2 < history.loss[0]
    assert history.stopped is None
    assert history.validation_loss == history.validation_score == []
    p = nn.predict_proba(model, x)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    assert np.array_equal(p.argmax(axis=1), nn.predict(model, x))


def test_it_learns_a_function():
    x = np.linspace(-1, 1, 64, dtype=np.float32)[:, np.newaxis]
    model = nn.MLP((1, 32, 1), rng=0)
    history = nn.fit(model, x, x**2, optimizer=nn.Adam(nn.cosine_schedule(0.02, 800)), loss="mse", epochs=200,
                     batch_size=16, rng=0, validation=(x, x**2), progress=False)
    assert nn.mse(model(x), x**2) < 1e-3
    assert history.validation_loss[-1] == pytest.approx(float(nn.mse(model(x), x**2)))
    assert history.validation_score == []


def test_the_steps_are_those_of_a_plain_loop():
    """Order, schedule, clipping and reported losses, written out."""
    x, y = blobs()
    fitted, history = train()
    model, optimizer, rng = model_of(), nn.AdamW(0.02), np.random.default_rng(5)
    steps = 0
    for epoch in range(4):
        order, losses = rng.permutation(N), []
        for start in range(0, N, BATCH):
            some = order[start : start + BATCH]
            z, saved = model.forward(x[some])
            _, found = model.backward(nn.cross_entropy_backward(z, y[some]), saved)
            nn.clip_by_global_norm(found, 1.0)
            losses.append(float(nn.cross_entropy(z, y[some])) * len(some))
            optimizer.step(model.parameters, found, SCHEDULE(steps))
            steps += 1
        assert history.loss[epoch] == pytest.approx(sum(losses) / N, rel=1e-12)
        assert history.validation_loss[epoch] == pytest.approx(
            float(nn.cross_entropy(model(x[:20]), y[:20])), rel=1e-6)
        assert history.validation_score[epoch] == nn.score(model, x[:20], y[:20])
    assert same(fitted, model)


def test_a_loss_of_ones_own():
    def loss(model, x, y):
        z, saved = model.forward(x)
        return nn.cross_entropy(z, y), model.backward(nn.cross_entropy_backward(z, y), saved)[1]

    own, history = train(loss=loss)
    usual, expected = train()
    assert same(own, usual)
    assert history.loss == expected.loss
    assert history.validation_loss == pytest.approx(expected.validation_loss)
    assert history.validation_score == []


def test_threads_do_not_change_bits():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((600, 100), dtype=np.float32), rng.integers(0, 10, 600)
    made = []
    for threads in (1, 2, 3):
        with fastla.threads(threads):
            made.append(nn.MLP((100, 200, 10), rng=0))
            nn.fit(made[-1], x, y, optimizer=nn.Adam(), epochs=2, batch_size=256, rng=0, progress=False)
    assert same(made[0], made[1])
    assert same(made[0], made[2])


class _Stop(Exception):
    pass


def at(step, how):
    """A schedule that does something within a step, of which so many were made before."""
    def schedule(done):
        if done == step:
            how()
        return SCHEDULE(done)

    return schedule


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def crash():
    raise _Stop


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("generator", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_resumed_after_an_epoch(tmp_path, suffix, generator):
    if suffix == "safetensors":
        pytest.importorskip("safetensors", reason="needs the extra fastla[nn]")
    path = tmp_path / f"here.{suffix}"
    whole, history = train(seed=np.random.Generator(generator(7)))
    train(seed=np.random.Generator(generator(7)), epochs=2, checkpoint=path)
    # Another process would have other weights and another generator: everything comes from the file.
    resumed, again = train(model_of(99), seed=np.random.Generator(generator(8)), checkpoint=path, resume=True)
    assert same(resumed, whole)
    assert again == history


@pytest.mark.parametrize("step", [0, 4, 5, 6, 16, 23])
def test_interrupted_in_any_step_and_resumed(tmp_path, step):
    path = tmp_path / "here.npz"
    whole, history = train()
    optimizer = nn.AdamW(0.02)
    partly, first = train(optimizer=optimizer, schedule=at(step, interrupt), checkpoint=path)
    assert first.stopped == "interrupted"
    assert optimizer.steps == step + 1  # the whole step, no more
    assert len(first.loss) == step // 6
    assert same(partly, whole) == (step == 23)
    optimizer = nn.AdamW(0.02)
    resumed, again = train(model_of(99), seed=8, optimizer=optimizer, checkpoint=path, resume=True)
    assert same(resumed, whole)
    assert again == history
    assert optimizer.steps == 24


def test_interrupted_again_and_again(tmp_path):
    path = tmp_path / "here.npz"
    whole, history = train()
    train(schedule=at(0, interrupt), checkpoint=path)
    for step in (1, 7, 12, 13, 22):
        train(model_of(99), seed=8, schedule=at(step, interrupt), checkpoint=path, resume=True)
    resumed, again = train(model_of(99), seed=8, checkpoint=path, resume=True)
    assert same(resumed, whole)
    assert again == history


@pytest.mark.parametrize(("step", "kept"), [(3, 3), (4, 3), (8, 6), (14, 12)])
def test_crashed_and_resumed_from_the_last_checkpoint(tmp_path, step, kept):
    path = tmp_path / "here.npz"
    whole, history = train()
    with pytest.raises(_Stop):
        train(schedule=at(step, crash), checkpoint=path, checkpoint_every=3)
    with np.load(path) as file:
        assert file["optimizer.steps"] == kept
    resumed, again = train(model_of(99), seed=8, checkpoint=path, resume=True)
    assert same(resumed, whole)
    assert again == history


def test_ctrl_c_leaves_whole_steps():
    """What is left is what so many steps of a plain training leave."""
    x, y = blobs()
    handler = signal.getsignal(signal.SIGINT)
    left, history = train(schedule=at(2, interrupt))
    assert history.stopped == "interrupted"
    assert signal.getsignal(signal.SIGINT) is handler
    model, optimizer = model_of(), nn.AdamW(0.02)
    order = np.random.default_rng(5).permutation(N)
    for i in range(3):
        some = order[i * BATCH : (i + 1) * BATCH]
        z, saved = model.forward(x[some])
        _, found = model.backward(nn.cross_entropy_backward(z, y[some]), saved)
        nn.clip_by_global_norm(found, 1.0)
        optimizer.step(model.parameters, found, SCHEDULE(i))
    assert same(left, model)


def test_ctrl_c_between_epochs_is_not_lost(tmp_path):
    path = tmp_path / "here.npz"
    whole, history = train()

    def callback(epoch):
        if epoch.epoch in (2, 4):
            interrupt()

    for epochs in (2, 4):
        _, stopped = train(callbacks=[nn.EarlyStopping(50), callback], checkpoint=path, resume=True)
        assert stopped.stopped == "interrupted"
        assert len(stopped.loss) == epochs
    resumed, again = train(model_of(99), checkpoint=path, resume=True)
    assert same(resumed, whole)
    assert again == history


def test_a_second_ctrl_c_interrupts_at_once():
    def twice():
        interrupt()
        interrupt()

    optimizer = nn.AdamW(0.02)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(optimizer=optimizer, schedule=at(2, twice))
    assert optimizer.steps == 2
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_handler_of_the_programs_own_stays():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        _, history = train(schedule=at(3, interrupt))
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [1]
    assert history.stopped is None


def test_in_another_thread():
    made = []
    thread = threading.Thread(target=lambda: made.append(train()[0]))
    thread.start()
    thread.join()
    assert same(made[0], train()[0])


def test_nothing_to_resume_yet_and_nothing_left(tmp_path):
    path = tmp_path / "here.npz"
    first, history = train(checkpoint=path, resume=True)
    assert same(first, train()[0])
    again, same_history = train(model_of(99), checkpoint=path, resume=True)
    assert same(again, first)
    assert same_history == history


def test_early_stopping(tmp_path):
    path = tmp_path / "here.npz"
    told = []

    def worse(epoch):
        told.append(epoch)
        epoch.model.parameters["2.bias"][...] = epoch.epoch  # to see which epoch is restored

    def stopper():
        return nn.EarlyStopping(3, monitor="validation_score", least=2.0)  # the first alone is an improvement

    stop = stopper()
    model, history = train(epochs=50, callbacks=[worse, stop], checkpoint=path)
    assert history.stopped == "callback"
    assert [e.epoch for e in told] == [1, 2, 3, 4]
    assert told[2].loss == history.loss[2]
    assert told[3].validation_score == history.validation_score[3]
    assert stop.best_epoch == 1
    assert (model.parameters["2.bias"] == 1).all()
    # Resumed, it is still stopped; with patience in the middle, it goes on counting.
    assert train(model_of(9), epochs=50, callbacks=[worse, stop], checkpoint=path, resume=True)[1] == history
    train(epochs=2, callbacks=[worse, stopper()], checkpoint=path)
    resumed, again = train(model_of(9), epochs=50, callbacks=[worse, stopper()], checkpoint=path, resume=True)
    assert again == history
    assert same(resumed, model)


def test_early_stopping_without_restoring():
    stop = nn.EarlyStopping(2, monitor="loss", least=1e9, restore=False)
    model, history = train(epochs=50, callbacks=[stop])
    assert len(history.loss) == 3
    assert same(model, train(epochs=3)[0])
    with pytest.raises(ValueError, match="monitor is 'accuracy'"):
        nn.EarlyStopping(monitor="accuracy")
    with pytest.raises(ValueError, match="needs validation"):
        nn.fit(model_of(), *blobs(), optimizer=nn.SGD(0.1), epochs=1, callbacks=[nn.EarlyStopping()],
               progress=False)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress(monkeypatch, capsys):
    x, y = blobs()
    options = {"optimizer": nn.SGD(0.1), "epochs": 2, "batch_size": BATCH, "rng": 0}
    nn.fit(model_of(), x, y, validation=(x, y), **options)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2: loss ")
    assert "validation" in lines[1] and "% right" in lines[1]
    nn.fit(model_of(), x, y, progress=False, **options)
    assert capsys.readouterr() == ("", "")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    times = iter(range(1000))
    monkeypatch.setattr(nn._progress.time, "monotonic", lambda: next(times))
    nn.fit(model_of(), x, y, **options)
    assert "\repoch 1/2, step 1/6: loss " in terminal.getvalue()
    assert "s left" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")


@pytest.mark.parametrize(("change", "message"), [
    ({"data": (np.ones((3, 2)), np.zeros(4, int))}, r"x is \(3, 2\), y is \(4,\)"),
    ({"data": (np.ones((0, 2)), np.zeros(0, int))}, r"x is \(0, 2\)"),
    ({"loss": "hinge"}, "'hinge'"),
    ({"checkpoint_every": 0}, "checkpoint_every is 0"),
    ({"resume": True}, "needs a checkpoint"),
    ({"checkpoint": "here.pickle"}, "must end in .npz or .safetensors"),
])
def test_errors(change, message):
    model = model_of()
    with pytest.raises(ValueError, match=message):
        train(model, **change)
    with pytest.raises(ValueError, match="batch_size is 0"):
        nn.fit(model, *blobs(), optimizer=nn.SGD(1), epochs=1, batch_size=0)
    if "checkpoint" not in change:
        assert same(model, model_of())


def test_a_checkpoint_of_something_else(tmp_path):
    path = tmp_path / "here.npz"
    train(checkpoint=path)
    x, y = blobs()
    options = {"checkpoint": path, "resume": True, "optimizer": nn.AdamW(), "epochs": 9, "progress": False,
               "callbacks": [nn.EarlyStopping()]}
    with pytest.raises(ValueError, match="samples 90, this training 80"):
        nn.fit(model_of(), x[:80], y[:80], batch_size=BATCH, **options)
    with pytest.raises(ValueError, match="batch_size 16, this training 17"):
        nn.fit(model_of(), x, y, batch_size=17, **options)
    with pytest.raises(ValueError, match=r"has .*callback0.*, this training .'optimizer"):
        nn.fit(model_of(), x, y, batch_size=BATCH, **{**options, "callbacks": ()})
    with pytest.raises(ValueError, match=r"0\.weight is \(16, 2\); the model's is \(5, 2\)"):
        nn.fit(nn.MLP((2, 5, 8, 3)), x, y, batch_size=BATCH, **options)
    with pytest.raises(ValueError, match=r"unexpected are \['2\.bias', '2\.weight'\]"):
        nn.fit(nn.MLP((2, 16, 8)), x, y, batch_size=BATCH, **options)
    nn.save_parameters(model_of(), path)
    with pytest.raises(ValueError, match="is not a checkpoint"):
        nn.fit(model_of(), x, y, batch_size=BATCH, **options)


def test_validation_counts_what_has_a_class():
    """Tokens, a few samples at a time; those with the target -100 do not count."""
    model = nn.Sequential(nn.Embedding(7, 4, rng=0), nn.Linear(4, 3, rng=1))
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 7, (9, 1500)), rng.integers(0, 3, (9, 1500))
    y[:, ::4] = y[:4] = -100
    history = nn.fit(model, x[4:], y[4:], optimizer=nn.SGD(0.1), epochs=1, validation=(x, y), progress=False)
    assert history.validation_loss[0] == pytest.approx(float(nn.cross_entropy(model(x), y)), rel=1e-5)
    assert history.validation_score[0] == np.mean(model(x).argmax(-1)[y >= 0] == y[y >= 0])
