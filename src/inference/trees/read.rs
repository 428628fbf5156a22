//! Reads a `TreeEnsembleRegressor` (ai.onnx.ml 1 to 3) from an ONNX file. Refuses, with the reason, whatever the
//! evaluator does not reproduce to the bit; a refusal is no fault, ONNX Runtime then runs the file.

use std::collections::BTreeMap;

use prost::Message as _;

use super::proto::{Attribute, GraphProto, ModelProto, ValueInfo};
use super::{COLUMNS_MAX, Head, NODES_MAX, NOTHING, Node, Tree, TreeEnsemble};
use crate::inference::session::Signature;

/// Per (tree, node) of a leaf: the value of each target.
type Leaves = BTreeMap<(i64, i64), Vec<Option<f32>>>;

/// The operator sets that a file states, by domain; `None` = not an ONNX file.
pub(crate) fn opsets(bytes: &[u8]) -> Option<BTreeMap<String, i64>> {
    let model = ModelProto::decode(bytes).ok()?;
    Some(model.opset_import.into_iter().map(|o| (o.domain, o.version)).collect())
}

impl TreeEnsemble {
    /// Reads an ensemble, or says why ONNX Runtime must run the file. `None` = the file has no tree ensemble at all.
    pub(crate) fn read(bytes: &[u8], signature: &Signature<'_>) -> Option<Result<Self, String>> {
        let graph = ModelProto::decode(bytes).ok()?.graph?;
        graph.node.iter().any(|n| n.op_type.starts_with("TreeEnsemble")).then(|| read_graph(&graph, signature))
    }
}

fn read_graph(graph: &GraphProto, signature: &Signature<'_>) -> Result<TreeEnsemble, String> {
    let [node] = graph.node.as_slice() else { return Err(format!("{} nodes instead of one", graph.node.len())) };
    let ([input], [output]) = (graph.input.as_slice(), graph.output.as_slice()) else {
        return Err("not one input and one output".into());
    };
    let ends_fit = end_fits(input, signature.input, signature.width)
        && end_fits(output, signature.output, signature.heads)
        && node.input == [signature.input]
        && node.output == [signature.output];
    if node.op_type != "TreeEnsembleRegressor" || node.domain != "ai.onnx.ml" || !ends_fit {
        return Err(format!("{} of domain {:?} or its ends are of another kind", node.op_type, node.domain));
    }
    let fields = Fields::of(&node.attribute)?;
    fields.ensemble(signature)
}

/// Whether an end is float32 `[free n, columns]` of that name.
fn end_fits(end: &ValueInfo, name: &str, columns: usize) -> bool {
    let tensor = end.r#type.as_ref().and_then(|t| t.tensor.as_ref());
    let dims = tensor.filter(|t| t.elem_type == 1).and_then(|t| t.shape.as_ref()).map(|s| s.dim.as_slice());
    let fits = |value: Option<i64>| value.is_none_or(|v| usize::try_from(v) == Ok(columns));
    end.name == name && matches!(dims, Some([n, width]) if n.value.is_none() && fits(width.value))
}

/// The attributes of the node.
#[derive(Default)]
struct Fields<'a> {
    targets: i64,
    tree_ids: &'a [i64],
    node_ids: &'a [i64],
    features: &'a [i64],
    modes: &'a [Vec<u8>],
    thresholds: &'a [f32],
    true_ids: &'a [i64],
    false_ids: &'a [i64],
    takes_unknown: &'a [i64],
    target_trees: &'a [i64],
    target_nodes: &'a [i64],
    target_ids: &'a [i64],
    weights: &'a [f32],
    base: &'a [f32],
}

impl<'a> Fields<'a> {
    fn of(attributes: &'a [Attribute]) -> Result<Self, String> {
        let mut f = Self { targets: 1, ..Self::default() };
        for a in attributes {
            match a.name.as_str() {
                "n_targets" => f.targets = a.i,
                "nodes_treeids" => f.tree_ids = &a.ints,
                "nodes_nodeids" => f.node_ids = &a.ints,
                "nodes_featureids" => f.features = &a.ints,
                "nodes_modes" => f.modes = &a.strings,
                "nodes_values" => f.thresholds = &a.floats,
                "nodes_truenodeids" => f.true_ids = &a.ints,
                "nodes_falsenodeids" => f.false_ids = &a.ints,
                "nodes_missing_value_tracks_true" => f.takes_unknown = &a.ints,
                "target_treeids" => f.target_trees = &a.ints,
                "target_nodeids" => f.target_nodes = &a.ints,
                "target_ids" => f.target_ids = &a.ints,
                "target_weights" => f.weights = &a.floats,
                "base_values" => f.base = &a.floats,
                "nodes_hitrates" => {}
                "aggregate_function" if a.s == b"SUM" => {}
                "post_transform" if a.s == b"NONE" => {}
                other => return Err(format!("attribute {other} of a kind not known")),
            }
        }
        Ok(f)
    }

    fn ensemble(&self, signature: &Signature<'_>) -> Result<TreeEnsemble, String> {
        let n = self.tree_ids.len();
        let per_node = [self.node_ids.len(), self.features.len(), self.modes.len(), self.thresholds.len()];
        let lengths = per_node.iter().chain([&self.true_ids.len(), &self.false_ids.len()]).all(|l| *l == n);
        let unknown_fits = self.takes_unknown.is_empty() || self.takes_unknown.len() == n;
        let m = self.weights.len();
        let targets_fit = [self.target_trees, self.target_nodes, self.target_ids].iter().all(|t| t.len() == m);
        if n == 0 || !lengths || !unknown_fits || !targets_fit {
            return Err("attributes of different lengths".into());
        }
        if signature.width > COLUMNS_MAX {
            return Err(format!("more than {COLUMNS_MAX} columns"));
        }
        let targets = usize::try_from(self.targets).unwrap_or(0);
        if targets != signature.heads || !(self.base.is_empty() || self.base.len() == targets) {
            return Err(format!("{} targets and {} base values", self.targets, self.base.len()));
        }
        let mut built = Builder {
            fields: self,
            width: signature.width,
            leaves: self.leaves(targets)?,
            placed: 0,
            made: TreeEnsemble {
                trees: Vec::new(),
                base: if self.base.is_empty() { vec![0.0; targets] } else { self.base.to_vec() },
                width: signature.width,
                tracks: self.takes_unknown.iter().any(|t| *t != 0),
            },
        };
        self.check_bases(targets, &built.leaves)?;
        let mut from = 0;
        for tree in self.tree_ids.chunk_by(|a, b| a == b) {
            built.tree(from..from + tree.len())?;
            from += tree.len();
        }
        let mut seen: Vec<i64> = self.tree_ids.chunk_by(|a, b| a == b).map(|t| t[0]).collect();
        seen.sort_unstable();
        let pieces = seen.windows(2).any(|w| w[0] == w[1]);
        if pieces || built.placed != n || !built.leaves.is_empty() {
            return Err("a tree in pieces, nodes out of reach, or values of no leaf".into());
        }
        Ok(built.made)
    }

    /// ONNX Runtime adds a base value only to a target that some leaf of the row spoke of: each target needs a tree
    /// whose leaves all do. (One target alone gets its base value always.)
    fn check_bases(&self, targets: usize, leaves: &Leaves) -> Result<(), String> {
        if targets == 1 || self.base.iter().all(|b| b.to_bits() == 0) {
            return Ok(());
        }
        let mut certain = vec![false; targets];
        for tree in leaves.iter().collect::<Vec<_>>().chunk_by(|a, b| a.0.0 == b.0.0) {
            for (target, certain) in certain.iter_mut().enumerate() {
                *certain |= tree.iter().all(|leaf| leaf.1[target].is_some());
            }
        }
        if certain.contains(&false) { Err("a base value of a target that leaves may not name".into()) } else { Ok(()) }
    }

    /// Per (tree, node) the value of each target.
    fn leaves(&self, targets: usize) -> Result<Leaves, String> {
        let mut leaves = Leaves::new();
        for (i, weight) in self.weights.iter().enumerate() {
            let leaf =
                leaves.entry((self.target_trees[i], self.target_nodes[i])).or_insert_with(|| vec![None; targets]);
            let target = usize::try_from(self.target_ids[i]).ok().and_then(|t| leaf.get_mut(t));
            if target.ok_or("a target out of range")?.replace(*weight).is_some() || !weight.is_finite() {
                return Err("a leaf with two values for one target, or one that is no number".into());
            }
        }
        Ok(leaves)
    }
}

struct Builder<'a> {
    fields: &'a Fields<'a>,
    width: usize,
    leaves: Leaves,
    /// Nodes placed in all trees.
    placed: usize,
    made: TreeEnsemble,
}

impl Builder<'_> {
    /// Adds the tree whose nodes are `range`, its first node the root, in breadth-first order.
    fn tree(&mut self, range: std::ops::Range<usize>) -> Result<(), String> {
        let places: BTreeMap<i64, usize> = range.clone().map(|i| (self.fields.node_ids[i], i)).collect();
        if places.len() != range.len() {
            return Err("two nodes of one number".into());
        }
        if range.len() > NODES_MAX {
            return Err(format!("a tree of more than {NODES_MAX} nodes"));
        }
        let mut tree = Tree { nodes: Box::new([NOTHING; NODES_MAX]), depth: 0, heads: Vec::new() };
        let (mut level, mut made) = (vec![range.start], 0);
        // Every level is laid down whole, so the children's places are known from their order.
        loop {
            let first_child = made + level.len();
            let mut next = Vec::new();
            for (at, &i) in level.iter().enumerate() {
                match self.children(i, &places)? {
                    Some([first, second]) => {
                        tree.nodes[made + at] = self.decision(i, first_child + next.len())?;
                        next.extend([first, second]);
                    }
                    None => tree.nodes[made + at] = self.leaf(i, made + at, &mut tree.heads)?,
                }
            }
            made += level.len();
            if made + next.len() > range.len() {
                return Err("a node with two parents".into());
            }
            if next.is_empty() {
                break;
            }
            level = next;
            tree.depth += 1;
        }
        self.placed += made;
        self.made.trees.push(tree);
        Ok(())
    }

    /// The children of a decision, "not at most" first; `None` = a leaf.
    fn children(&self, i: usize, places: &BTreeMap<i64, usize>) -> Result<Option<[usize; 2]>, String> {
        if self.fields.modes[i] == b"LEAF" {
            return Ok(None);
        }
        let of = |id: i64| places.get(&id).copied().ok_or("a child that is not in its tree");
        Ok(Some([of(self.fields.false_ids[i])?, of(self.fields.true_ids[i])?]))
    }

    fn decision(&self, i: usize, base: usize) -> Result<Node, String> {
        let threshold = self.fields.thresholds[i];
        let threshold = match self.fields.modes[i].as_slice() {
            b"BRANCH_LEQ" => threshold,
            // x < t is x ≤ the next float below t; nothing is below −∞.
            b"BRANCH_LT" if threshold > f32::NEG_INFINITY => threshold.next_down(),
            mode => return Err(format!("mode {} at {threshold}", String::from_utf8_lossy(mode))),
        };
        let feature = usize::try_from(self.fields.features[i]).ok().filter(|f| *f < self.width);
        let feature = feature.and_then(|f| u8::try_from(f).ok()).ok_or("a feature out of range")?;
        if threshold.is_nan() {
            return Err("a threshold that is no number".into());
        }
        let takes_unknown = self.fields.takes_unknown.get(i).is_some_and(|t| *t != 0);
        let base = u8::try_from(base).map_err(|_| "a node with two parents")?;
        Ok(Node { threshold, base, feature, takes_unknown })
    }

    fn leaf(&mut self, i: usize, at: usize, heads: &mut Vec<Head>) -> Result<Node, String> {
        let key = (self.fields.tree_ids[i], self.fields.node_ids[i]);
        let values = self.leaves.remove(&key).ok_or("a leaf without a value")?;
        for (target, value) in values.into_iter().enumerate() {
            let Some(value) = value else { continue };
            let head = match heads.iter().position(|h| h.target == target) {
                Some(head) => head,
                None => {
                    heads.push(Head { target, values: Box::new([0.0; NODES_MAX]) });
                    heads.len() - 1
                }
            };
            heads[head].values[at] = value;
        }
        let base = u8::try_from(at).map_err(|e| e.to_string())?;
        Ok(Node { base, ..NOTHING })
    }
}
