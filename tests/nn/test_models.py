"""Models against independent ones in float64, and the folders that they are kept in."""

import dataclasses
import json
import math

import numpy as np
import pytest
import small_models

from fastla import flops, nn

CONFIGS = {"gpt2": small_models.GPT2, "bert": small_models.BERT, "llama": small_models.LLAMA,
           "llama tied": dataclasses.replace(small_models.LLAMA, tie_word_embeddings=True)}


@pytest.fixture(params=CONFIGS)
def saved(request, tmp_path):
    """A model, and its folder."""
    pytest.importorskip("safetensors", reason="needs safetensors for the files")
    model = small_models.made(CONFIGS[request.param])
    model.save_pretrained(tmp_path)
    return model, tmp_path


def stored(folder):
    from safetensors.numpy import load_file
    return load_file(folder / "model.safetensors")


def rewrite(folder, tensors, **config):
    from safetensors.numpy import save_file
    save_file(tensors, folder / "model.safetensors")
    old = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(old | config))


def test_logits_are_those_of_an_independent_model(saved, rng):
    model, folder = saved
    tokens = rng.integers(0, 29, (2, 17))
    if isinstance(model, nn.Bert):
        types, kept = rng.integers(0, 2, (2, 17)), np.arange(17) < [[17], [11]]
        found, (_, pooled) = model(tokens, types, kept), model.encode(tokens, types, kept)
        for i in range(2):
            logits, one = small_models.bert(folder, tokens[i], types[i], kept[i])
            assert np.abs(found[i] - logits).max() < 2e-5 * np.abs(logits).max()
            assert np.abs(pooled[i] - one).max() < 2e-5
    else:
        found = model(tokens)
        reference = small_models.gpt2 if isinstance(model, nn.GPT2) else small_models.llama
        for i in range(2):
            logits = reference(folder, tokens[i])
            assert np.abs(found[i] - logits).max() < 2e-5 * np.abs(logits).max()
            assert np.abs(logits).max() > 0.5


def test_saved_and_loaded_is_the_same(saved):
    model, folder = saved
    again = type(model).from_pretrained(folder)
    assert again.config == model.config and again.parameters.keys() == model.parameters.keys()
    assert all(np.array_equal(again.parameters[n], a) for n, a in model.parameters.items())
    assert {a.dtype for a in again.parameters.values()} == {np.dtype(np.float32)}
    wide = type(model).from_pretrained(folder, dtype=np.float64)
    assert {a.dtype for a in wide.parameters.values()} == {np.dtype(np.float64)}


NAMES = {  # name and shape of some tensors as the libraries of Hugging Face have them
    "gpt2": {"transformer.wte.weight": (29, 24), "transformer.h.1.attn.c_attn.weight": (24, 72),
             "transformer.h.0.mlp.c_proj.weight": (96, 24), "transformer.ln_f.bias": (24,)},
    "bert": {"bert.encoder.layer.1.attention.self.key.weight": (24, 24), "cls.predictions.bias": (29,),
             "bert.encoder.layer.0.intermediate.dense.weight": (40, 24), "bert.pooler.dense.bias": (24,)},
    "llama": {"model.layers.1.self_attn.k_proj.weight": (8, 24), "model.norm.weight": (24,),
              "model.layers.0.mlp.down_proj.weight": (24, 40), "model.embed_tokens.weight": (29, 24)},
}


def test_names_and_shapes_of_tensors(saved):
    model, folder = saved
    found, wanted = stored(folder), NAMES[model.model_type]
    assert {n: found[n].shape for n in wanted} == wanted
    tied = model.model_type != "llama" or model.config.tie_word_embeddings
    assert ("lm_head.weight" in found) == (not tied)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_stored_halves_are_widened(saved, kind):
    dtype = np.float16 if kind == "float16" else pytest.importorskip("ml_dtypes").bfloat16
    model, folder = saved
    rewrite(folder, {n: t.astype(dtype) for n, t in stored(folder).items()})
    again = type(model).from_pretrained(folder)
    for name, array in model.parameters.items():
        assert np.array_equal(again.parameters[name], array.astype(dtype).astype(np.float32))


def test_sharded(saved):
    from safetensors.numpy import save_file
    model, folder = saved
    tensors = stored(folder)
    (folder / "model.safetensors").unlink()
    names, where = sorted(tensors), {}
    for i, part in enumerate((names[::2], names[1::2])):
        file = f"model-0000{i + 1}-of-00002.safetensors"
        save_file({n: tensors[n] for n in part}, folder / file)
        where |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    again = type(model).from_pretrained(folder)
    assert all(np.array_equal(again.parameters[n], a) for n, a in model.parameters.items())


def test_a_tensor_of_another_shape(saved):
    model, folder = saved
    tensors, name = stored(folder), next(iter(NAMES[model.model_type]))
    wanted = tensors[name].shape
    rewrite(folder, tensors | {name: np.zeros((3, 5), np.float32)})
    with pytest.raises(ValueError) as raised:
        type(model).from_pretrained(folder)
    assert all(part in str(raised.value) for part in (name, "(3, 5)", str(wanted)))


def test_missing_and_unexpected_tensors(saved):
    model, folder = saved
    tensors, name = stored(folder), list(NAMES[model.model_type])[1]
    del tensors[name]
    rewrite(folder, tensors | {"bert.odd": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match=rf"missing tensors \['{name}'\], unexpected tensors \['.*odd'\]"):
        type(model).from_pretrained(folder)


def test_tensors_of_integers(saved):
    model, folder = saved
    tensors, name = stored(folder), next(iter(NAMES[model.model_type]))
    rewrite(folder, tensors | {name: tensors[name].astype(np.int32)})
    with pytest.raises(ValueError, match=rf"{name} is .* I32; it must be"):
        type(model).from_pretrained(folder)


@pytest.mark.parametrize("given, said", [
    ({"model_type": "opt"}, "model_type is 'opt'"),
    ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is True; it must be False"),
    ({"activation_function": "swish"}, "'swish'"),
    ({"n_embd": 12}, r"transformer.wte.weight is \(29, 24\), F32; it must be \(29, 12\)"),
    ({"n_layer": 1}, r"unexpected tensors \['transformer.h.1"),
    ({"n_layer": 3}, r"missing tensors \['transformer.h.2"),
    ({"n_head": 5}, "heads must divide size"),
])
def test_configurations_that_do_not_fit(given, said, tmp_path):
    pytest.importorskip("safetensors", reason="needs safetensors for the files")
    small_models.made(small_models.GPT2).save_pretrained(tmp_path)
    rewrite(tmp_path, stored(tmp_path), **given)
    with pytest.raises(ValueError, match=said):
        nn.GPT2.from_pretrained(tmp_path)


def test_files_of_the_first_gpt2(tmp_path):
    """Without the prefix, with the masks as tensors."""
    pytest.importorskip("safetensors", reason="needs safetensors for the files")
    model = small_models.made(small_models.GPT2)
    model.save_pretrained(tmp_path)
    tensors = {n.removeprefix("transformer."): t for n, t in stored(tmp_path).items()}
    rewrite(tmp_path, tensors | {"h.0.attn.bias": np.ones((1, 1, 4, 4), np.float32),
                                 "lm_head.weight": tensors["wte.weight"].copy()})
    again = nn.GPT2.from_pretrained(tmp_path)
    assert all(np.array_equal(again.parameters[n], a) for n, a in model.parameters.items())


def test_files_of_the_first_bert(tmp_path):
    """Norms' gamma and beta; the next sentence's head; or an encoder alone, without the prefix."""
    pytest.importorskip("safetensors", reason="needs safetensors for the files")
    model = small_models.made(small_models.BERT)
    model.save_pretrained(tmp_path)
    tensors = stored(tmp_path)
    old = {n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
           for n, t in tensors.items()}
    rewrite(tmp_path, old | {"cls.seq_relationship.weight": np.zeros((2, 24), np.float32),
                             "cls.predictions.decoder.weight": old["bert.embeddings.word_embeddings.weight"]})
    again = nn.Bert.from_pretrained(tmp_path)
    assert all(np.array_equal(again.parameters[n], a) for n, a in model.parameters.items())
    rewrite(tmp_path, {n.removeprefix("bert."): t for n, t in tensors.items()
                       if n.startswith("bert.") and "pooler" not in n})
    alone = nn.Bert.from_pretrained(tmp_path)
    assert (alone.config.pooler, alone.config.head) == (False, False)
    hidden, pooled = alone.encode([1, 2, 3])
    assert pooled is None and np.array_equal(hidden, model.encode([1, 2, 3])[0])
    with pytest.raises(ValueError, match="no head"):
        alone([1, 2, 3])


def test_newer_names_of_rotary_parameters(tmp_path):
    pytest.importorskip("safetensors", reason="needs safetensors for the files")
    config = dataclasses.replace(small_models.LLAMA, rope_theta=500.0)
    model = small_models.made(config)
    model.save_pretrained(tmp_path)
    given = json.loads((tmp_path / "config.json").read_text())
    theta, scaling = given.pop("rope_theta"), given.pop("rope_scaling")
    given["rope_parameters"] = {"rope_theta": theta, **scaling}
    (tmp_path / "config.json").write_text(json.dumps(given))
    again = nn.Llama.from_pretrained(tmp_path)
    assert np.array_equal(again([1, 2, 3, 4]), model([1, 2, 3, 4]))


def test_published_sizes():
    """Parameters of published models: of the classes, of fastla.flops, no large array made."""
    for name, sizes in flops.MODELS.items():
        if name.startswith("gpt2"):
            shapes = nn.GPT2.shapes(nn.GPT2Config(n_embd=sizes.d_model, n_layer=sizes.n_layer,
                                                  n_head=sizes.n_head))
        else:
            shapes = nn.Bert.shapes(nn.BertConfig(
                hidden_size=sizes.d_model, num_hidden_layers=sizes.n_layer, num_attention_heads=sizes.n_head,
                intermediate_size=4 * sizes.d_model))
        assert sum(map(math.prod, shapes.values())) == sizes.parameters, name
    assert flops.GPT2_SMALL.parameters == 124_439_808
    llama = nn.LlamaConfig(vocab_size=128256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16,
                           num_attention_heads=32, num_key_value_heads=8, tie_word_embeddings=True)
    assert sum(map(math.prod, nn.Llama.shapes(llama).values())) == 1_235_814_400  # Llama 3.2, 1B


def test_without_the_package(monkeypatch, tmp_path):
    import sys
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"fastla\[nn\]"):
        nn.GPT2.from_pretrained(tmp_path)


@pytest.mark.parametrize("call, said", [
    (lambda m: m([[1, 29]]), r"tokens \(1, 2\) has 29; there are 29 words"),
    (lambda m: m([[-1]]), "has -1"),
    (lambda m: m([[0.5]]), r"tokens is \(1, 1\), float64"),
    (lambda m: m(np.zeros((1, 2, 3), int)), r"tokens is \(1, 2, 3\)"),
    (lambda m: m(np.zeros((2, 321), int)), r"tokens is \(2, 321\), after 0; there are 320 positions"),
    (lambda m: m.loss_and_gradients([[1, 2]], [[1]]), r"target is \(1, 1\)"),
    (lambda m: m([[1, 2]], m.cache()[:1]), r"cache is for \[1\] sequences; tokens is .* are 2 blocks"),
    (lambda m: m([[1, 2]], m.cache(2)), r"cache is for \[2, 2\] sequences"),
    (lambda m: m([[1, 2]], m.cache(capacity=1)), "lengths would be up to 2; the capacity is 1"),
])
def test_errors(call, said):
    with pytest.raises(ValueError, match=said):
        call(small_models.made(small_models.GPT2))


def test_errors_of_bert():
    model = small_models.made(small_models.BERT)
    for kwargs, said in (({"types": [[0, 2]]}, "between 0 and 2; there are 2 types"),
                         ({"types": [[0]]}, r"types is \(1, 1\), tokens is \(1, 2\)"),
                         ({"mask": [[True]]}, r"mask is \(1, 1\), tokens is \(1, 2\)")):
        with pytest.raises(ValueError, match=said):
            model([[1, 2]], **kwargs)
    with pytest.raises(ValueError, match=r"tokens is \(1, 33\); there are 32 positions"):
        model(np.zeros(33, int))


@pytest.mark.parametrize("kind", ["gpt2", "bert", "llama"])
def test_logits_are_those_of_transformers(kind, tmp_path, rng):
    transformers = pytest.importorskip("transformers", reason="needs transformers to compare with")
    torch = pytest.importorskip("torch", reason="needs PyTorch to compare with")
    model = small_models.made(CONFIGS[kind])
    model.save_pretrained(tmp_path)
    theirs = {"gpt2": "GPT2LMHeadModel", "bert": "BertForMaskedLM", "llama": "LlamaForCausalLM"}[kind]
    other = getattr(transformers, theirs).from_pretrained(tmp_path).eval()
    tokens = rng.integers(0, 29, (2, 17))
    with torch.no_grad():
        logits = other(torch.from_numpy(tokens)).logits.numpy()
    assert np.abs(model(tokens) - logits).max() < 1e-4 * np.abs(logits).max()
