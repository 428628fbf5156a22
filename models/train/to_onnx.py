"""ONNX files written node by node from the trained models: input `x` float32 [n, F], output `y` float32 [n, H].

LightGBM's thresholds are f64 while ONNX compares in f32: each is rounded *down* to f32, so that `x <= t` holds for
the same float32 x. XGBoost compares `x < t` in f32: the threshold goes over unchanged.
"""
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
ML_OPSET = 3


def down_to_f32(value: float) -> float:
    f = np.float32(value)
    return float(f if float(f) <= value else np.nextafter(f, np.float32(-np.inf)))


class _Trees:
    """Attributes of a TreeEnsembleRegressor under construction."""

    def __init__(self):
        self.nodes = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")}
        self.targets = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}

    def node(self, tree, node, feature, value, mode, true=0, false=0):
        row = dict(treeids=tree, nodeids=node, featureids=feature, values=value, modes=mode, truenodeids=true, falsenodeids=false)
        for k, v in row.items():
            self.nodes[k].append(v)

    def leaf(self, tree, node, weight):
        self.node(tree, node, 0, 0.0, "LEAF")
        for k, v in dict(treeids=tree, nodeids=node, ids=0, weights=weight).items():
            self.targets[k].append(v)

    def model(self, features: int, base: float) -> onnx.ModelProto:
        attributes = {f"nodes_{k}": v for k, v in self.nodes.items()}
        attributes |= {f"target_{k}": v for k, v in self.targets.items()}
        node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1,
                                aggregate_function="SUM", base_values=[base], post_transform="NONE", **attributes)
        return _model([node], [], features, 1)


def _model(nodes, initializers, features, outputs) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes, "zoo",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", features])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", outputs])],
        initializers)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="ibkr-trader", ir_version=8)
    onnx.checker.check_model(model)
    return model


def light_gbm(booster, features: int) -> onnx.ModelProto:
    trees = _Trees()

    def walk(tree, node, ids):
        me = ids[0]
        ids[0] += 1
        if "leaf_value" in node and "left_child" not in node:
            trees.leaf(tree, me, node["leaf_value"])
            return me
        if node["decision_type"] != "<=":
            raise ValueError(f"unknown decision {node['decision_type']}")
        slot = len(trees.nodes["treeids"])
        trees.node(tree, me, node["split_feature"], down_to_f32(node["threshold"]), "BRANCH_LEQ")
        left = walk(tree, node["left_child"], ids)
        right = walk(tree, node["right_child"], ids)
        trees.nodes["truenodeids"][slot], trees.nodes["falsenodeids"][slot] = left, right
        return me

    for t in booster.dump_model()["tree_info"]:
        walk(t["tree_index"], t["tree_structure"], [0])
    return trees.model(features, 0.0)


def xg_boost(booster, features: int) -> onnx.ModelProto:
    raw = json.loads(booster.save_raw("json"))["learner"]
    base = float(np.ravel(json.loads(str(raw["learner_model_param"]["base_score"])))[0])
    trees = _Trees()
    for i, t in enumerate(raw["gradient_booster"]["model"]["trees"]):
        for node, (left, right) in enumerate(zip(t["left_children"], t["right_children"])):
            value = float(np.float32(t["split_conditions"][node]))
            if left == -1:
                trees.leaf(i, node, value)
            else:
                trees.node(i, node, t["split_indices"][node], value, "BRANCH_LT", left, right)
    return trees.model(features, base)


def mlp(weights, biases, features: int) -> onnx.ModelProto:
    nodes, initializers, at = [], [], "x"
    for i, (w, b) in enumerate(zip(weights, biases)):
        initializers += [numpy_helper.from_array(np.ascontiguousarray(w), f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
        last = i + 1 == len(weights)
        out = "y" if last else f"a{i}"
        nodes.append(helper.make_node("Gemm", [at, f"w{i}", f"b{i}"], [out]))
        if not last:
            nodes.append(helper.make_node("Relu", [out], [f"r{i}"]))
            at = f"r{i}"
    return _model(nodes, initializers, features, weights[-1].shape[1])
