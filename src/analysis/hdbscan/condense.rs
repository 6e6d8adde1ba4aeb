//! From the edges of the spanning tree to clusters: single linkage, its branches of enough rows, the most stable of them.

use super::HdbscanModel;
use super::tree::Edge;

/// A node of the single linkage tree: two parts that an edge joins. Rows are the nodes below the first join.
struct Join {
    parts: [usize; 2],
    distance: f64,
    size: usize,
}

/// A branch of at least the fewest rows that are a cluster.
struct Branch {
    parent: usize,
    birth: f64,
    stability: f64,
    is_kept: bool,
}

/// Distances below this share of the longest count as this much, so that equal rows have a finite density.
const SMALLEST: f64 = 1e-6;

/// The most stable clusters of `rows` rows.
pub(super) fn clusters(rows: usize, edges: Vec<Edge>, min_size: usize) -> HdbscanModel {
    let joins = linkage(rows, edges);
    let (branches, branch_of) = condensed(rows, &joins, min_size);
    let kept = most_stable(branches);
    // A row's cluster is the branch it fell off from, or the nearest that is kept around it.
    let mut cluster_of: Vec<Option<usize>> = vec![None; kept.len()];
    for at in 1..kept.len() {
        cluster_of[at] = if kept[at].is_kept { Some(at) } else { cluster_of[kept[at].parent] };
    }
    let found: Vec<Option<usize>> = branch_of.iter().map(|&branch| cluster_of[branch]).collect();
    let (mut sizes, mut first) = (vec![0usize; kept.len()], vec![usize::MAX; kept.len()]);
    for (row, at) in found.iter().enumerate().filter_map(|(row, at)| Some((row, (*at)?))) {
        sizes[at] += 1;
        first[at] = first[at].min(row);
    }
    let mut order: Vec<usize> = (0..kept.len()).filter(|&at| sizes[at] > 0).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(sizes[at]), first[at]));
    let mut names = vec![0; kept.len()];
    order.iter().zip(0..).for_each(|(&at, name)| names[at] = name);
    HdbscanModel {
        assignments: found.iter().map(|at| at.map(|at| names[at])).collect(),
        sizes: order.iter().map(|&at| sizes[at]).collect(),
    }
}

/// Joins rows by the shortest edges first.
fn linkage(rows: usize, mut edges: Vec<Edge>) -> Vec<Join> {
    edges.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    // The node that each part of rows is, found by way of its members.
    let mut above: Vec<usize> = (0..2 * rows).collect();
    let mut joins: Vec<Join> = Vec::with_capacity(edges.len());
    for edge in edges {
        let parts = edge.rows.map(|row| top(&mut above, row as usize));
        let node = rows + joins.len();
        let size = |part: usize| if part < rows { 1 } else { joins[part - rows].size };
        let size = size(parts[0]) + size(parts[1]);
        parts.iter().for_each(|&part| above[part] = node);
        joins.push(Join { parts, distance: edge.distance.into(), size });
    }
    joins
}

fn top(above: &mut [usize], mut node: usize) -> usize {
    while above[node] != node {
        // Half the way is enough for the next time.
        above[node] = above[above[node]];
        node = above[node];
    }
    node
}

/// The branches, the whole being the first and each after its parent, and for each row that from which it fell off.
fn condensed(rows: usize, joins: &[Join], min_size: usize) -> (Vec<Branch>, Vec<usize>) {
    let mut branches = vec![Branch { parent: 0, birth: 0.0, stability: 0.0, is_kept: false }];
    let mut branch_of = vec![0; rows];
    let longest = joins.last().map_or(0.0, |join| join.distance);
    let smallest = (SMALLEST * longest).max(f64::MIN_POSITIVE.sqrt());
    let size = |node: usize| if node < rows { 1 } else { joins[node - rows].size };
    let mut open = if joins.is_empty() { Vec::new() } else { vec![(rows + joins.len() - 1, 0)] };
    while let Some((node, branch)) = open.pop() {
        let join = &joins[node - rows];
        let density = 1.0 / join.distance.max(smallest);
        let leave = |branches: &mut Vec<Branch>, count: usize| {
            let birth = branches[branch].birth;
            branches[branch].stability += (density - birth) * count as f64;
        };
        let is_large = join.parts.map(|part| size(part) >= min_size);
        for (part, large) in join.parts.into_iter().zip(is_large) {
            match (large, is_large == [true, true]) {
                (true, true) => {
                    leave(&mut branches, size(part));
                    branches.push(Branch { parent: branch, birth: density, stability: 0.0, is_kept: false });
                    open.push((part, branches.len() - 1));
                }
                // The branch goes on.
                (true, false) => open.push((part, branch)),
                (false, _) => {
                    leave(&mut branches, size(part));
                    let mut falling = vec![part];
                    while let Some(node) = falling.pop() {
                        match node.checked_sub(rows) {
                            None => branch_of[node] = branch,
                            Some(join) => falling.extend(joins[join].parts),
                        }
                    }
                }
            }
        }
    }
    (branches, branch_of)
}

/// Keeps a branch if it is at least as stable as what is kept within it; never the whole.
fn most_stable(mut branches: Vec<Branch>) -> Vec<Branch> {
    let mut within = vec![0.0; branches.len()];
    for at in (1..branches.len()).rev() {
        branches[at].is_kept = branches[at].stability >= within[at];
        within[branches[at].parent] += branches[at].stability.max(within[at]);
    }
    // The outermost of those that would be kept.
    let mut is_inside = vec![false; branches.len()];
    for at in 1..branches.len() {
        is_inside[at] = is_inside[branches[at].parent] || (branches[branches[at].parent].is_kept);
        if is_inside[at] {
            branches[at].is_kept = false;
        }
    }
    branches
}
