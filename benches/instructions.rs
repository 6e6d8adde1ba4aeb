//! Instructions per block step, counted by valgrind: the same in every run, however busy the machine is.
//!
//! `cargo bench --bench instructions` needs valgrind and takes less than a minute. The program runs itself under
//! callgrind with many steps and with none; the difference is what the steps took. A load, a store and a prefetch count
//! as one each, so a count tells how much work a change adds or saves, not how long that takes. Valgrind knows no
//! AVX-512: that kernel is not counted. Counts depend on the compiler, those of `scalar` on the C library too.

use std::process::Command;

use firth::math::{Kernel, Outputs, RowId, SharedTable, Tables};

/// Steps that are counted: so many that what differs between two starts of a program does not show.
const STEPS: u64 = 2000;

/// Rows on either side of a block.
const ROWS: usize = 6;

/// The block of skip-gram and that of CBOW, and their pairs of a hidden and an output row.
const BLOCKS: [(&str, u64); 2] = [("skip-gram, 6 x 6", 36), ("CBOW, mean of 6 x 6", 6)];

/// Takes so many steps on one block.
fn step(kernel: &str, dim: usize, block: &str, steps: u64) {
    let table = |seed| SharedTable::uniform(ROWS, dim, seed).expect("memory for a table");
    let kernel = Kernel::choose(Some(kernel)).expect("a kernel that valgrind runs");
    let tables = Tables::new(table(1), table(2), kernel).expect("equal widths");
    let mut worker = tables.worker().expect("a worker");
    let rows: [RowId; ROWS] = std::array::from_fn(|row| RowId(row as u32));
    let outputs = Outputs::target_first(&rows);
    for _ in 0..steps {
        if block == BLOCKS[0].0 {
            tables.step_rows(&rows, outputs, 1e-6, &mut worker);
        } else {
            tables.step_mean(&rows, 1.0 / ROWS as f32, outputs, 1e-6, &mut worker);
        }
    }
}

/// The instructions of a process that takes so many steps.
fn instructions(kernel: &str, dim: usize, block: &str, steps: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("a program knows its path"))
        .args([kernel, &dim.to_string(), block, &steps.to_string()])
        .output()
        .expect("valgrind was found before");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    let total = report.lines().find_map(|line| line.split_once("Collected : ")).expect("a total in callgrind's report");
    total.1.trim().parse().expect("a total is a number")
}

/// Prints the table.
fn count() {
    println!("{:8}{:>4}  {:20}{:>14}{:>18}", "kernel", "dim", "block", "instructions", "per multiply-add");
    for kernel in ["scalar", "avx2"].into_iter().filter(|kernel| Kernel::choose(Some(kernel)).is_some()) {
        for dim in [100, 300] {
            for (block, pairs) in BLOCKS {
                let each = (instructions(kernel, dim, block, STEPS) - instructions(kernel, dim, block, 0)) / STEPS;
                // A pair's score and two updates.
                let multiply_adds = 3 * pairs * dim as u64;
                let share = each as f64 / multiply_adds as f64;
                println!("{kernel:8}{dim:4}  {block:20}{each:14}{share:18.3}");
            }
        }
    }
    println!("The additions that gather and scatter a mean are not among its multiply-adds.");
    println!("avx512 is not counted: valgrind does not know its instructions.");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [kernel, dim, block, steps] => {
            step(kernel, dim.parse().expect("a width"), block, steps.parse().expect("a number of steps"));
        }
        _ if Command::new("valgrind").arg("--version").output().is_ok() => count(),
        _ => println!("valgrind is not installed, so nothing was counted (Debian: apt-get install valgrind)"),
    }
}
