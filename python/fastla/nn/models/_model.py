"""What models have in common: a stack of blocks, parameters by name, and folders that they are kept in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._dropout import Dropout, generator_of
from .._embedding import embedding_backward
from .._layers import Gradients, Layer
from .._parameters import named
from . import _files

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping, Sequence
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from .._block import TransformerBlock
    from .._initial import Random


class Model(Layer):
    """A stack of blocks on sums of rows of tables."""

    config_class: ClassVar[Any]
    model_type: ClassVar[str]
    spare: ClassVar[tuple[str, ...]] = ()  # tensors that some files have and no parameter needs
    config: Any
    blocks: list[TransformerBlock]
    dropout = Dropout(0.0)  # of what goes into the first block

    def __init__(self, config: Any, *, rng: Any = None, dtype: Any = np.float32):
        raise NotImplementedError  # of each model

    def _named_blocks(self) -> Gradients:
        found: Gradients = {}
        for i, block in enumerate(self.blocks):
            found |= named(f"blocks.{i}", block.parameters)
        return found

    def _tokens(self, tokens: ArrayLike) -> NDArray[Any]:
        """(batch, tokens) of words that there are."""
        array, name = np.asarray(tokens), type(self).__name__
        if array.dtype.kind not in "iu" or array.ndim not in (1, 2):
            raise ValueError(
                f"{name}: tokens is {array.shape}, {array.dtype}; "
                "it must be (batch, tokens) or (tokens,), of integers"
            )
        words = len(self.parameters["embedding.weight"])
        wrong = (array < 0) | (array >= words)
        if wrong.any():
            raise ValueError(
                f"{name}: tokens {array.shape} has {array[wrong][0]}; there are {words} words"
            )
        return np.atleast_2d(array)

    def _embedded(self, places: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """The sum of rows of tables."""
        (table, rows), *others = places.items()
        x: NDArray[Any] = self.parameters[f"{table}.weight"][rows]
        for table, rows in others:
            x += self.parameters[f"{table}.weight"][rows]
        return x

    def _embedded_backward(
        self, d: Any, places: Mapping[str, NDArray[Any]], grads: Gradients
    ) -> None:
        """Adds the tables' gradients to those that are there."""
        for table, rows in places.items():
            name = f"{table}.weight"
            rows = np.broadcast_to(rows, d.shape[:-1])
            found = embedding_backward(d, rows, len(self.parameters[name]))
            grads[name] = grads[name] + found if name in grads else found

    def _through(
        self,
        x: NDArray[Any],
        keep: bool,
        rng: Random,
        caches: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> tuple[NDArray[Any], list[Any]]:
        """The blocks, one after the other; rng draws what each drops."""
        rng = generator_of(rng)
        x, kept = self.dropout.forward(x, rng=rng)
        saved = [kept]
        for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):
            x, of = block.forward(x, rng=rng, keep=keep, cache=cache, **kwargs)
            saved.append(of)
        return x, saved

    def _kept(self, saved: Any) -> Any:
        if saved is None:
            raise ValueError(f"{type(self).__name__}: no gradients of a pass with keep=False")
        return saved

    def _back(self, d: Any, saved: list[Any], grads: Gradients) -> Any:
        for i in reversed(range(len(self.blocks))):
            d, found = self.blocks[i].backward(d, saved[i + 1])
            grads.update(named(f"blocks.{i}", found))
        return self.dropout.backward(d, saved[0])[0]

    @classmethod
    def shapes(cls, config: Any) -> dict[str, tuple[int, ...]]:
        """The shapes of all parameters of a model, which is not made.

        Parameters
        ----------
        config
            As of the class.

        Returns
        -------
        dict of str to tuple of int
        """
        zero = np.float32(0)
        model = cls(config, rng=lambda name, shape: np.broadcast_to(zero, shape))
        return {name: array.shape for name, array in model.parameters.items()}

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], *, dtype: Any = np.float32) -> Self:
        """A model from a folder as Hugging Face's libraries write it.

        Parameters
        ----------
        folder : path
            With config.json and model.safetensors, or the files that model.safetensors.index.json names.
        dtype : dtype, default float32
            Of the parameters and of what is computed; stored float16 and bfloat16 are widened.

        Returns
        -------
        model

        Raises
        ------
        ValueError
            If the configuration is of another model or asks for what there is not here; if tensors are
            missing, unexpected, or of another shape.
        ImportError
            If the package safetensors is missing; the extra ``fastla[nn]`` has it.
        """
        stored = _files.Stored(folder, cls._canonical)
        given = _files.read_config(folder, cls.model_type)
        config = cls._adapted(cls._config(given), stored.found.keys())
        model = cls(config, rng=lambda name, shape: np.empty(shape, dtype))
        stored.fill(model.parameters, model._places(), cls.spare)
        return model

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write config.json and model.safetensors, which Hugging Face's libraries read.

        Parameters
        ----------
        folder : path
            Is made if it is not there.
        """
        dtype = next(iter(self.parameters.values())).dtype.name
        _files.write_config(folder, {**self._stored_config(), "dtype": dtype})
        _files.write(folder, self.parameters, self._places())

    def _stored_config(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self.config), "model_type": self.model_type}

    @classmethod
    def _config(cls, given: dict[str, Any]) -> Any:
        """The fields that we have; those that would change what is computed must be as we compute it."""
        fields = {f.name for f in dataclasses.fields(cls.config_class)}
        return cls.config_class(**{n: v for n, v in given.items() if n in fields})

    @classmethod
    def _adapted(cls, config: Any, names: Collection[str]) -> Any:
        return config

    @classmethod
    def _canonical(cls, stored: str) -> str | None:
        """The name of a stored tensor in `_places`."""
        return stored

    def _places(self) -> dict[str, _files.Place]:
        raise NotImplementedError  # of each model


def demand(given: Mapping[str, Any], model: str, **wanted: Any) -> None:
    """Refuses a configuration that asks for what there is not."""
    for name, value in wanted.items():
        if given.get(name, value) != value:
            raise ValueError(f"{model}: {name} is {given[name]!r}; it must be {value!r}")


def activation_named(names: dict[str, str], theirs: str, model: str) -> str:
    """Our name of an activation."""
    if theirs not in names:
        raise ValueError(f"{model}: the activation is {theirs!r}; it must be one of {tuple(names)}")
    return names[theirs]
