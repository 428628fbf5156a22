"""ONNX files written node by node from the trained models: input `x` float32 [n, F], output `y` float32 [n, C].

LightGBM's thresholds are f64 while ONNX compares in f32: each is rounded *down* to f32, so that `x <= t` holds for
the same float32 x. XGBoost compares `x < t` in f32: the threshold goes over unchanged.
"""
import json

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
ML_OPSET = 3


class Graph:
    """A graph under construction: `op` adds a node and returns its output's name, `const` a weight."""

    def __init__(self, features: int):
        self.features, self.nodes, self.initializers = features, [], []

    def const(self, value, dtype=np.float32) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
        return name

    def ints(self, *values) -> str:
        return self.const(values, np.int64)

    def op(self, kind: str, *inputs, outputs=1, **attributes):
        names = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def affine(self, at, weight, bias) -> str:
        return self.op("Gemm", at, self.const(weight), self.const(bias))

    def standardise(self, at, mean, std) -> str:
        return self.op("Add", self.op("Mul", at, self.const(1 / std)), self.const(-mean / std))

    def relu_stack(self, at, weights, biases) -> str:
        """Dense layers with ReLU between them."""
        for i, (w, b) in enumerate(zip(weights, biases)):
            at = self.affine(at, w, b)
            if i + 1 < len(weights):
                at = self.op("Relu", at)
        return at

    def model(self, at, columns: int) -> onnx.ModelProto:
        self.nodes.append(helper.make_node("Identity", [at], ["y"]))
        return _model(self.nodes, self.initializers, self.features, columns)


def _model(nodes, initializers, features, columns) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes, "zoo",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", features])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", columns])],
        initializers)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="ibkr-trader", ir_version=8)
    onnx.checker.check_model(model)
    return model


def down_to_f32(value: float) -> float:
    """The largest float32 that is not above `value`."""
    f = np.float32(value)
    return float(f if float(f) <= value else np.nextafter(f, np.float32(-np.inf)))


class Trees:
    """One TreeEnsembleRegressor under construction; each tree adds to one target."""

    def __init__(self, targets=1):
        self.targets, self.count = targets, 0
        self.nodes = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")}
        self.leaves = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}

    def _node(self, node, feature, value, mode, true=0, false=0):
        row = dict(treeids=self.count, nodeids=node, featureids=feature, values=value, modes=mode, truenodeids=true, falsenodeids=false)
        for k, v in row.items():
            self.nodes[k].append(v)

    def _leaf(self, node, target, weight):
        self._node(node, 0, 0.0, "LEAF")
        for k, v in dict(treeids=self.count, nodeids=node, ids=target, weights=weight).items():
            self.leaves[k].append(v)

    def light_gbm(self, booster, target=lambda tree: 0, scale=1.0):
        """Adds a booster's trees; `target` maps the tree's number to its output."""
        for t in booster.dump_model()["tree_info"]:
            self._walk(t["tree_structure"], [0], target(t["tree_index"]), scale)
            self.count += 1
        return self

    def _walk(self, node, ids, target, scale):
        me = ids[0]
        ids[0] += 1
        if "left_child" not in node:
            self._leaf(me, target, node["leaf_value"] * scale)
            return me
        if node["decision_type"] != "<=":
            raise ValueError(f"unknown decision {node['decision_type']}")
        slot = len(self.nodes["treeids"])
        self._node(me, node["split_feature"], down_to_f32(node["threshold"]), "BRANCH_LEQ")
        left = self._walk(node["left_child"], ids, target, scale)
        right = self._walk(node["right_child"], ids, target, scale)
        self.nodes["truenodeids"][slot], self.nodes["falsenodeids"][slot] = left, right
        return me

    def xg_boost(self, booster):
        """Adds a booster's trees; returns its base score."""
        raw = json.loads(booster.save_raw("json"))["learner"]
        for t in raw["gradient_booster"]["model"]["trees"]:
            for node, (left, right) in enumerate(zip(t["left_children"], t["right_children"])):
                value = float(np.float32(t["split_conditions"][node]))
                if left == -1:
                    self._leaf(node, 0, value)
                else:
                    self._node(node, t["split_indices"][node], value, "BRANCH_LT", left, right)
            self.count += 1
        return float(np.ravel(json.loads(str(raw["learner_model_param"]["base_score"])))[0])

    def node(self, output: str, base) -> onnx.NodeProto:
        attributes = {f"nodes_{k}": v for k, v in self.nodes.items()}
        attributes |= {f"target_{k}": v for k, v in self.leaves.items()}
        return helper.make_node("TreeEnsembleRegressor", ["x"], [output], domain="ai.onnx.ml", n_targets=self.targets,
                                aggregate_function="SUM", base_values=[float(b) for b in base], post_transform="NONE", **attributes)

    def model(self, features: int, base=None) -> onnx.ModelProto:
        base = [0.0] * self.targets if base is None else base
        return _model([self.node("y", base)], [], features, self.targets)

    def probability(self, features: int, base: float) -> onnx.ModelProto:
        """A logistic of the sum: Platt's slope is in the leaves already, its offset in `base`."""
        nodes = [self.node("s", [base]), helper.make_node("Sigmoid", ["s"], ["y"])]
        return _model(nodes, [], features, self.targets)


def session(blob: bytes):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])


def run_onnx(blob: bytes, x):
    """n x C of the file on rows `x`."""
    return session(blob).run(["y"], {"x": np.ascontiguousarray(x, np.float32)})[0]
