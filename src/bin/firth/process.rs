//! What this process has used: memory and processor time, where the system tells.

use std::path::Path;

/// The most memory this process ever held, in bytes.
pub fn peak_memory() -> Option<u64> {
    // Linux keeps the two figures apart, each only roughly: what is held now may stand above the peak.
    status("VmHWM:").max(memory())
}

/// The memory this process holds now, in bytes.
pub fn memory() -> Option<u64> {
    status("VmRSS:")
}

fn status(field: &str) -> Option<u64> {
    kibibytes(&std::fs::read_to_string("/proc/self/status").ok()?, field)
}

fn kibibytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Seconds of processor time of all threads, user and system.
pub fn cpu_seconds() -> Option<f64> {
    // Linux reports to programs in hundredths of a second on every architecture (USER_HZ).
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets and may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let (user, system): (u64, u64) = (fields.get(11)?.parse().ok()?, fields.get(12)?.parse().ok()?);
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

/// The memory that this process may still take, in bytes: what the machine has left, its group of processes may use, and
/// its own limit allows.
pub fn available_memory() -> Option<u64> {
    [machine_memory(), group_memory(), limited_memory()].into_iter().flatten().min()
}

fn machine_memory() -> Option<u64> {
    kibibytes(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// What is left to the process's control group (version 2) or one above it.
fn group_memory() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let number = |folder: &Path, name: &str| -> Option<u64> {
        std::fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok()
    };
    let root = Path::new("/sys/fs/cgroup");
    let left = |folder: &Path| {
        let (most, now) = (number(folder, "memory.max")?, number(folder, "memory.current")?);
        // Pages of files are counted but given back when needed.
        let files = std::fs::read_to_string(folder.join("memory.stat")).ok();
        let files = files.and_then(|text| text.lines().find_map(|line| line.strip_prefix("file ")?.parse().ok()));
        Some(most.saturating_sub(now.saturating_sub(files.unwrap_or(0))))
    };
    root.join(group).ancestors().take_while(|folder| folder.starts_with(root)).filter_map(left).min()
}

#[cfg(unix)]
fn limited_memory() -> Option<u64> {
    let most = rustix::process::getrlimit(rustix::process::Resource::As).current?;
    Some(most.saturating_sub(status("VmSize:").unwrap_or(0)))
}

#[cfg(not(unix))]
fn limited_memory() -> Option<u64> {
    None
}

/// Room on the disk of a path, or of the nearest folder above it that exists, in bytes.
#[cfg(unix)]
pub fn available_disk(path: &Path) -> Option<u64> {
    let folder = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Room on the disk of a path: not known here.
#[cfg(not(unix))]
pub fn available_disk(_: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_memory_and_time() {
        // Far more than the other tests of this process take and give back meanwhile; Linux counts each thread's pages
        // in lots, so no figure is exact.
        const BYTES: usize = 256 << 20;
        let half = Some(BYTES as u64 / 2);
        assert!(memory() < half);
        let held = std::hint::black_box(vec![1_u8; BYTES]);
        assert!(memory() > half && peak_memory() > half);
        drop(held);
        assert!(memory() < half && peak_memory() > half);
        assert!(cpu_seconds().is_some_and(|seconds| seconds >= 0.0));
    }
}
