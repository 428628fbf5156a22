use proptest::prelude::*;

use super::proto::{Attribute, Dim, GraphProto, ModelProto, NodeProto, OperatorSetId, Shape, TensorType};
use super::proto::{TypeProto, ValueInfo};
use super::*;
use crate::inference::model::{Evaluator, Model};
use crate::inference::session::Signature;
use crate::inference::{Manifest, Runtime};
use prost::Message as _;

const WIDTH: usize = 5;

/// A node of a tree under construction: a decision with its children, or a leaf with its (target, value) pairs.
#[derive(Clone, Debug)]
enum Plan {
    Leaf(Vec<(i64, f32)>),
    Split { feature: i64, threshold: f32, less: bool, unknown: bool, children: Box<[Plan; 2]> },
}

/// Attributes of a node as ONNX wants them.
#[derive(Clone, Debug, Default)]
struct Flat {
    ints: [Vec<i64>; 6],
    modes: Vec<Vec<u8>>,
    thresholds: Vec<f32>,
    targets: [Vec<i64>; 3],
    weights: Vec<f32>,
}

const INTS: [&str; 6] = [
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_missing_value_tracks_true",
];
const TARGETS: [&str; 3] = ["target_treeids", "target_nodeids", "target_ids"];

impl Flat {
    /// Adds a subtree in depth-first order; gives its root's number.
    fn add(&mut self, tree: i64, next: &mut i64, plan: &Plan) -> i64 {
        let (me, at) = (*next, self.modes.len());
        *next += 1;
        let (feature, threshold, mode, unknown) = match plan {
            Plan::Leaf(_) => (0, 0.0, &b"LEAF"[..], false),
            Plan::Split { feature, threshold, less, unknown, .. } => {
                (*feature, *threshold, if *less { &b"BRANCH_LT"[..] } else { b"BRANCH_LEQ" }, *unknown)
            }
        };
        for (list, value) in self.ints.iter_mut().zip([tree, me, feature, 0, 0, i64::from(unknown)]) {
            list.push(value);
        }
        self.modes.push(mode.to_vec());
        self.thresholds.push(threshold);
        match plan {
            Plan::Leaf(values) => {
                for (target, value) in values {
                    for (list, id) in self.targets.iter_mut().zip([tree, me, *target]) {
                        list.push(id);
                    }
                    self.weights.push(*value);
                }
            }
            Plan::Split { children, .. } => {
                self.ints[3][at] = self.add(tree, next, &children[0]);
                self.ints[4][at] = self.add(tree, next, &children[1]);
            }
        }
        me
    }

    fn file(self, targets: i64, base: &[f32]) -> Vec<u8> {
        let ints = |name: &str, ints: Vec<i64>| Attribute { name: name.into(), ints, ..kind(7) };
        let mut attribute = vec![
            Attribute { name: "n_targets".into(), i: targets, ..kind(2) },
            Attribute { name: "nodes_modes".into(), strings: self.modes, ..kind(8) },
            Attribute { name: "nodes_values".into(), floats: self.thresholds, ..kind(6) },
            Attribute { name: "target_weights".into(), floats: self.weights, ..kind(6) },
        ];
        attribute.extend(INTS.into_iter().zip(self.ints).map(|(n, v)| ints(n, v)));
        attribute.extend(TARGETS.into_iter().zip(self.targets).map(|(n, v)| ints(n, v)));
        if !base.is_empty() {
            attribute.push(Attribute { name: "base_values".into(), floats: base.to_vec(), ..kind(6) });
        }
        let node = NodeProto {
            input: vec!["x".into()],
            output: vec!["y".into()],
            op_type: "TreeEnsembleRegressor".into(),
            attribute,
            domain: "ai.onnx.ml".into(),
        };
        let end = |name: &str, columns: i64| ValueInfo {
            name: name.into(),
            r#type: Some(TypeProto {
                tensor: Some(TensorType {
                    elem_type: 1,
                    shape: Some(Shape { dim: vec![Dim { value: None }, Dim { value: Some(columns) }] }),
                }),
            }),
        };
        let width = i64::try_from(WIDTH).unwrap();
        let graph =
            GraphProto { node: vec![node], input: vec![end("x", width)], output: vec![end("y", targets)], ..graph() };
        let opset = |domain: &str, version| OperatorSetId { domain: domain.into(), version };
        ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset("", 17), opset("ai.onnx.ml", 3)] }
            .encode_to_vec()
    }
}

fn kind(r#type: i32) -> Attribute {
    Attribute { r#type, ..Attribute::default() }
}

fn graph() -> GraphProto {
    GraphProto { name: "trees".into(), ..GraphProto::default() }
}

/// Values that meet thresholds exactly, unknown and endless ones.
fn value() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => (-8_i8..8).prop_map(|i| f32::from(i) / 4.0),
        6 => -2.0_f32..2.0,
        1 => Just(f32::NAN),
        1 => prop_oneof![Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(-0.0), Just(f32::MIN_POSITIVE)],
    ]
}

fn threshold() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => (-8_i8..8).prop_map(|i| f32::from(i) / 4.0),
        6 => -2.0_f32..2.0,
        1 => prop_oneof![Just(0.0), Just(-0.0), Just(f32::MAX), Just(f32::INFINITY)],
    ]
}

fn plan(targets: i64) -> impl Strategy<Value = Plan> {
    let leaf = prop::collection::vec((-1.0_f32..1.0, any::<bool>()), usize::try_from(targets).unwrap()).prop_map(|v| {
        let mut said: Vec<(i64, f32)> = (0..).zip(v).filter(|(_, v)| v.1).map(|(t, v)| (t, v.0)).collect();
        if said.is_empty() {
            said.push((0, 0.125));
        }
        Plan::Leaf(said)
    });
    leaf.prop_recursive(6, 40, 2, |inner| {
        (0_i64..5, threshold(), any::<bool>(), any::<bool>(), inner.clone(), inner).prop_map(
            |(feature, threshold, less, unknown, a, b)| Plan::Split {
                feature,
                threshold,
                less,
                unknown,
                children: Box::new([a, b]),
            },
        )
    })
}

/// A forest: trees, targets, base values; `tracks` = whether unknown values may go to the true side.
fn forest() -> impl Strategy<Value = (Vec<Plan>, i64, Vec<f32>)> {
    (1_i64..4).prop_flat_map(|targets| {
        let base = prop::collection::vec(-1.0_f32..1.0, usize::try_from(targets).unwrap());
        (prop::collection::vec(plan(targets), 1..12), Just(targets), prop_oneof![base, Just(vec![])])
    })
}

fn no_unknown(plan: &mut Plan) {
    if let Plan::Split { unknown, children, .. } = plan {
        *unknown = false;
        children.iter_mut().for_each(no_unknown);
    }
}

fn flat(trees: &[Plan]) -> Flat {
    let mut flat = Flat::default();
    for (tree, plan) in (0..).zip(trees) {
        flat.add(tree, &mut 0, plan);
    }
    flat
}

fn signature(heads: usize) -> Signature<'static> {
    Signature { input: "x", width: WIDTH, output: "y", heads }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// The runtime, or a printed line.
fn runtime() -> Option<Runtime> {
    Runtime::load().inspect_err(|e| eprintln!("skipped: {e}")).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_forests_give_the_bits_of_onnx_runtime(
        (mut trees, targets, base) in forest(),
        tracks in any::<bool>(),
        rows in prop::collection::vec(prop::collection::vec(value(), WIDTH), 1..300),
    ) {
        if let Some(runtime) = runtime() {
            if !tracks {
                trees.iter_mut().for_each(no_unknown);
            }
            let heads = usize::try_from(targets).unwrap();
            if !base.is_empty() && targets > 1 {
                trees.push(Plan::Leaf((0..targets).map(|t| (t, 0.25)).collect()));
            }
            let file = flat(&trees).file(targets, &base);
            let mut ours = Model::load(&runtime, "forest", &file, signature(heads)).unwrap();
            prop_assert_eq!(ours.evaluator(), Evaluator::Trees);
            let mut theirs = Model::onnx(&runtime, &file, signature(heads)).unwrap();
            let x: Vec<f32> = rows.iter().flatten().copied().collect();
            let expected = theirs.predict(&x, rows.len(), WIDTH).unwrap();
            prop_assert_eq!(bits(&ours.predict(&x, rows.len(), WIDTH).unwrap()), bits(&expected));
            // One row at a time is another path of ONNX Runtime.
            let one = theirs.predict(&x[..WIDTH], 1, WIDTH).unwrap();
            prop_assert_eq!(bits(&ours.predict(&x[..WIDTH], 1, WIDTH).unwrap()), bits(&one));
        }
    }
}

#[test]
fn the_shipped_trees_give_the_bits_of_onnx_runtime() {
    let Some(runtime) = runtime() else { return };
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let manifest: Manifest = serde_json::from_slice(&std::fs::read(dir.join("manifest.json")).unwrap()).unwrap();
    let (mut seed, mut compared) = (1_u64, 0);
    for entry in &manifest.models {
        let bytes = std::fs::read(dir.join(&entry.file)).unwrap();
        let (width, heads) = (entry.inputs.len(), entry.columns.len());
        let signature = Signature { input: &entry.input, width, output: &entry.output, heads };
        let mut ours = Model::load(&runtime, &entry.name, &bytes, signature).unwrap();
        if ours.evaluator() != Evaluator::Trees {
            continue;
        }
        let mut theirs = Model::onnx(&runtime, &bytes, signature).unwrap();
        // Normal-looking numbers from a small generator (Knuth's MMIX constants), every 97th unknown or endless.
        let mut x: Vec<f32> = entry.golden.x.iter().flatten().copied().collect();
        for i in 0..300 * width {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uniform = f32::from(i16::from_le_bytes([seed.to_le_bytes()[5], seed.to_le_bytes()[6]])) / 8_192.0;
            x.push(if i % 97 == 3 { [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][i % 3] } else { uniform });
        }
        let rows = x.len() / width;
        let expected = theirs.predict(&x, rows, width).unwrap();
        assert_eq!(bits(&ours.predict(&x, rows, width).unwrap()), bits(&expected), "{}", entry.name);
        compared += 1;
    }
    assert!(compared > 0, "the shipped zoo has trees");
}

/// A change to the attributes of a file.
type Change<'a> = &'a dyn Fn(&mut Flat);

#[test]
fn what_is_not_known_is_refused_with_the_reason() {
    let leaf = |v| Plan::Leaf(vec![(0, v)]);
    let split = |children| Plan::Split { feature: 1, threshold: 0.5, less: false, unknown: false, children };
    let tree = split(Box::new([split(Box::new([leaf(1.0), leaf(2.0)])), leaf(3.0)]));
    let refused = |word: &str, change: Change<'_>| {
        let mut flat = flat(&[tree.clone(), leaf(0.5)]);
        change(&mut flat);
        let why = TreeEnsemble::read(&flat.file(1, &[]), &signature(1)).expect("a tree ensemble").err();
        assert_eq!(why.is_some(), !word.is_empty(), "{why:?}");
        assert!(why.iter().all(|w| w.contains(word)), "{word}: {why:?}");
    };
    refused("", &|_| ());
    refused("mode BRANCH_GT", &|f| f.modes[0] = b"BRANCH_GT".to_vec());
    refused("no number", &|f| f.thresholds[0] = f32::NAN);
    refused("mode BRANCH_LT at -inf", &|f| {
        f.modes[0] = b"BRANCH_LT".to_vec();
        f.thresholds[0] = f32::NEG_INFINITY;
    });
    refused("feature out of range", &|f| f.ints[2][0] = 5);
    refused("not in its tree", &|f| f.ints[3][0] = 77);
    refused("two parents", &|f| (f.ints[3][0], f.ints[4][0]) = (0, 0));
    refused("two parents", &|f| f.ints[3][1] = 0);
    refused("out of reach", &|f| {
        f.modes[0] = b"LEAF".to_vec();
        f.targets[1][0] = 0;
    });
    refused("more than 256 nodes", &|f| {
        for i in 6..300 {
            for (list, value) in f.ints.iter_mut().zip([7, i, 0, 0, 0, 0]) {
                list.push(value);
            }
            f.modes.push(b"LEAF".to_vec());
            f.thresholds.push(0.0);
        }
    });
    refused("two nodes of one number", &|f| f.ints[1][2] = 1);
    refused("a tree in pieces", &|f| (f.ints[0][5], f.ints[1][5]) = (0, 9));
    refused("a leaf without a value", &|f| f.targets[1][0] = 0);
    refused("two values for one target", &|f| f.targets[1][1] = 2);
    refused("target out of range", &|f| f.targets[2][0] = 1);
    refused("different lengths", &|f| f.thresholds.truncate(3));
    refused("values of no leaf", &|f| {
        f.targets[0].push(0);
        f.targets[1].push(0);
        f.targets[2].push(0);
        f.weights.push(1.0);
    });
    assert!(TreeEnsemble::read(&flat(&[leaf(0.5)]).file(1, &[]), &signature(2)).unwrap().is_err(), "two heads");
    let sparse = flat(&[leaf(0.5)]).file(2, &[0.0, 0.5]);
    assert!(TreeEnsemble::read(&sparse, &signature(2)).unwrap().unwrap_err().contains("base value"));
    assert!(TreeEnsemble::read(b"garbage", &signature(1)).is_none());
}
