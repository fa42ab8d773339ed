"""onnxruntime as a rival: a graph of a few nodes, run in the same process."""

from __future__ import annotations

from typing import Any

from benchmarks.lines import Call

try:
    import onnx  # type: ignore[import-untyped]
    import onnxruntime  # type: ignore[import-not-found]
except ImportError:
    onnxruntime = None

OPSET = 23  # the first with Attention
Node = tuple[str, str, dict[str, Any]]  # operation, names of inputs, attributes


def there() -> bool:
    return onnxruntime is not None


def call(nodes: list[Node], inputs: dict[str, Any], constants: dict[str, Any], threads: int) -> Call:
    """Runs the graph; "_" among a node's inputs is the result of the node before."""
    made = []
    for i, (op, names, attributes) in enumerate(nodes):
        taken = [f"_{i - 1}" if name == "_" else name for name in names.split()]
        made.append(onnx.helper.make_node(op, taken, [f"_{i}"], **attributes))
    float32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        made,
        "rival",
        [onnx.helper.make_tensor_value_info(n, float32, x.shape) for n, x in inputs.items()],
        [onnx.helper.make_tensor_value_info(made[-1].output[0], float32, None)],
        [onnx.numpy_helper.from_array(x, n) for n, x in constants.items()],
    )
    imports = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")  # when it is others' turn
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, inputs)
