//! Tree ensembles evaluated here instead of by ONNX Runtime, from the same file and to the same bits: tree by tree
//! over blocks of 128 rows, every step of every row the same few instructions without a branch on data.
//!
//! What makes it equal: thresholds are compared in float32 as ONNX says, and the leaves of a row are added in
//! float32 in the order of the trees, the base value last, as ONNX Runtime 1.31 does on one thread. A file with
//! anything that this does not know is refused by `read.rs` and runs in ONNX Runtime.

mod proto;
mod read;

pub(super) use read::opsets;

/// Rows of a block: their columns stay in the first cache while all trees pass over them.
const BLOCK: usize = LANES * GROUPS;
/// Rows that walk down a tree side by side, their places in registers.
const LANES: usize = 8;
const GROUPS: usize = 16;
/// Most columns, and most nodes of a tree: with these as the lengths of arrays no access needs a check of bounds.
const COLUMNS_MAX: usize = 64;
const NODES_MAX: usize = 256;

/// A decision or a leaf. The children of a decision lie side by side, the one for "not at most" first.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Go to the second child where x ≤ this. NaN in a leaf: it never is.
    threshold: f32,
    /// Place of the first child in the tree; of a leaf its own.
    base: u8,
    feature: u8,
    /// Whether an unknown x goes to the second child.
    takes_unknown: bool,
}

/// What a leaf says where there is none.
const NOTHING: Node = Node { threshold: f32::NAN, base: 0, feature: 0, takes_unknown: false };

/// One tree.
#[derive(Clone, Debug)]
struct Tree {
    nodes: Box<[Node; NODES_MAX]>,
    /// Steps from the root to the deepest leaf.
    depth: u32,
    /// Per target that its leaves speak of: the values by node, zero where a leaf says nothing of it.
    heads: Vec<Head>,
}

/// What one tree adds to one target.
#[derive(Clone, Debug)]
struct Head {
    target: usize,
    values: Box<[f32; NODES_MAX]>,
}

/// An ensemble of regression trees: one float per target and row.
#[derive(Clone, Debug)]
pub(super) struct TreeEnsemble {
    trees: Vec<Tree>,
    /// Per target.
    base: Vec<f32>,
    width: usize,
    /// Whether any node takes unknown values.
    tracks: bool,
}

/// One value per row of a block.
type Lanes = [[f32; LANES]; GROUPS];

/// Room for one block, made once.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    columns: Box<[Lanes; COLUMNS_MAX]>,
    /// Per target.
    scores: Vec<Lanes>,
}

impl TreeEnsemble {
    /// Values per row.
    pub(super) fn targets(&self) -> usize {
        self.base.len()
    }

    /// Room for this ensemble.
    pub(super) fn scratch(&self) -> Scratch {
        let empty = [[0.0; LANES]; GROUPS];
        Scratch { columns: Box::new([empty; COLUMNS_MAX]), scores: vec![empty; self.targets()] }
    }

    /// Evaluates row-major `x` `[rows, width]` into row-major `out` `[rows, targets]`.
    pub(super) fn evaluate(&self, x: &[f32], scratch: &mut Scratch, out: &mut [f32]) {
        let targets = self.targets();
        for (x, out) in x.chunks(BLOCK * self.width).zip(out.chunks_mut(BLOCK * targets)) {
            for (r, row) in x.chunks_exact(self.width).enumerate() {
                for (column, value) in scratch.columns.iter_mut().zip(row) {
                    column[r / LANES][r % LANES] = *value;
                }
            }
            // Whole groups: rows beyond the last are zeros or of an earlier block, and are not read.
            let groups = (out.len() / targets).div_ceil(LANES);
            scratch.scores.fill([[0.0; LANES]; GROUPS]);
            for tree in &self.trees {
                if self.tracks {
                    tree.add::<true>(&scratch.columns, groups, &mut scratch.scores);
                } else {
                    tree.add::<false>(&scratch.columns, groups, &mut scratch.scores);
                }
            }
            for (r, row) in out.chunks_exact_mut(targets).enumerate() {
                for ((out, scores), base) in row.iter_mut().zip(&scratch.scores).zip(&self.base) {
                    *out = scores[r / LANES][r % LANES] + base;
                }
            }
        }
    }
}

impl Tree {
    /// Adds the tree to the scores of a block's first `groups` groups of rows.
    fn add<const TRACKS: bool>(&self, columns: &[Lanes; COLUMNS_MAX], groups: usize, scores: &mut [Lanes]) {
        for group in 0..groups.min(GROUPS) {
            let mut at = [0_u8; LANES];
            for _ in 0..self.depth {
                for (lane, at) in at.iter_mut().enumerate() {
                    let node = self.nodes[usize::from(*at)];
                    let x = columns[usize::from(node.feature) % COLUMNS_MAX][group][lane];
                    let second = (x <= node.threshold) | (TRACKS & node.takes_unknown & x.is_nan());
                    *at = node.base.wrapping_add(u8::from(second));
                }
            }
            for head in &self.heads {
                for (score, at) in scores[head.target][group].iter_mut().zip(at) {
                    *score += head.values[usize::from(at)];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
