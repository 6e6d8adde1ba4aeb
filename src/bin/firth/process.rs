//! What this process has used: memory and processor time, where the system tells.

/// The most memory this process ever held, in bytes.
pub fn peak_memory() -> Option<u64> {
    status("VmHWM:")
}

/// The memory this process holds now, in bytes.
pub fn memory() -> Option<u64> {
    status("VmRSS:")
}

fn status(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_memory_and_time() {
        assert!(peak_memory() >= memory() && memory() > Some(1 << 16));
        assert!(cpu_seconds().is_some_and(|seconds| seconds >= 0.0));
    }
}
