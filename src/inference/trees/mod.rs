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
const BLOCK: usize = 128;

/// A decision or a leaf. The children of a decision lie side by side, the one for "not at most" first.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Go to the second child where x ≤ this. NaN in a leaf: it never is.
    threshold: f32,
    /// Place of the first child; of a leaf its own.
    base: u32,
    feature: u16,
    /// Whether an unknown x goes to the second child.
    takes_unknown: bool,
}

/// One tree.
#[derive(Clone, Copy, Debug)]
struct Tree {
    root: u32,
    /// Steps from the root to the deepest leaf.
    depth: u32,
}

/// An ensemble of regression trees: one float per target and row.
#[derive(Clone, Debug)]
pub(super) struct TreeEnsemble {
    nodes: Vec<Node>,
    trees: Vec<Tree>,
    /// Per node and target; zero where a leaf says nothing of a target.
    values: Vec<f32>,
    /// Per target.
    base: Vec<f32>,
    width: usize,
    /// Whether any node takes unknown values.
    tracks: bool,
}

/// Room for one block, made once.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    columns: Vec<[f32; BLOCK]>,
}

impl Scratch {
    /// Room for ensembles of up to `width` columns.
    pub(super) fn new(width: usize) -> Self {
        Self { columns: vec![[0.0; BLOCK]; width] }
    }
}

impl TreeEnsemble {
    /// Values per row.
    pub(super) fn targets(&self) -> usize {
        self.base.len()
    }

    /// Room for this ensemble.
    pub(super) fn scratch(&self) -> Scratch {
        Scratch::new(self.width)
    }

    /// Evaluates row-major `x` `[rows, width]` into row-major `out` `[rows, targets]`.
    pub(super) fn evaluate(&self, x: &[f32], scratch: &mut Scratch, out: &mut [f32]) {
        let targets = self.targets();
        for (x, out) in x.chunks(BLOCK * self.width).zip(out.chunks_mut(BLOCK * targets)) {
            for (r, row) in x.chunks_exact(self.width).enumerate() {
                for (column, value) in scratch.columns.iter_mut().zip(row) {
                    column[r] = *value;
                }
            }
            let rows = out.len() / targets;
            out.fill(0.0);
            match (self.tracks, targets) {
                (false, 1) => self.block::<false, true>(&scratch.columns, rows, out),
                (false, _) => self.block::<false, false>(&scratch.columns, rows, out),
                (true, 1) => self.block::<true, true>(&scratch.columns, rows, out),
                (true, _) => self.block::<true, false>(&scratch.columns, rows, out),
            }
            for row in out.chunks_exact_mut(targets) {
                for (score, base) in row.iter_mut().zip(&self.base) {
                    *score += base;
                }
            }
        }
    }

    /// Adds all trees to the scores of one block.
    fn block<const TRACKS: bool, const ONE: bool>(&self, columns: &[[f32; BLOCK]], rows: usize, out: &mut [f32]) {
        let mut at = [0_u32; BLOCK];
        // Whole groups of eight rows: the rows beyond the last are zeros or of an earlier block, and not read.
        let walked = rows.next_multiple_of(8).min(BLOCK);
        for tree in &self.trees {
            at.fill(tree.root);
            for _ in 0..tree.depth {
                self.step::<TRACKS>(columns, &mut at, walked);
            }
            if ONE {
                for (score, at) in out.iter_mut().zip(&at) {
                    *score += self.values[*at as usize];
                }
            } else {
                let targets = self.targets();
                for (row, at) in out.chunks_exact_mut(targets).zip(&at) {
                    let leaf = &self.values[*at as usize * targets..][..targets];
                    for (score, value) in row.iter_mut().zip(leaf) {
                        *score += value;
                    }
                }
            }
        }
    }

    /// One level down, all rows.
    #[inline(always)]
    fn step<const TRACKS: bool>(&self, columns: &[[f32; BLOCK]], at: &mut [u32; BLOCK], walked: usize) {
        for (r, at) in at.iter_mut().enumerate().take(walked) {
            let node = self.nodes[*at as usize];
            let x = columns[usize::from(node.feature)][r];
            let second = x <= node.threshold || (TRACKS && (node.takes_unknown & x.is_nan()));
            *at = node.base + u32::from(second);
        }
    }
}

#[cfg(test)]
mod tests;
