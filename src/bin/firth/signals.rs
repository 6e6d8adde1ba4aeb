//! Ctrl-C and SIGTERM: stop, leave nothing half-written, exit with 130; the second one kills at once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::Duration;

/// The exit code of an interrupted command.
pub const INTERRUPTED: u8 = 130;

/// What asks to stop; a closed terminal too.
const SIGNALS: &[i32] = &[
    signal_hook::consts::SIGINT,
    signal_hook::consts::SIGTERM,
    #[cfg(unix)]
    signal_hook::consts::SIGHUP,
];

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
/// Does the work at hand look at the flag itself and end in good order?
static POLLED: AtomicBool = AtomicBool::new(false);
static WORK: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Starts listening; commands that write nothing keep the system's own behaviour.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let flag = FLAG.get_or_init(Arc::default);
        for &signal in SIGNALS {
            // The order matters: the first signal finds the flag down, raises it, and only the second exits here.
            // A system that refuses a handler keeps its default: the process ends, which is what was asked for.
            let code = i32::from(INTERRUPTED);
            let _ = signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(flag));
            let _ = signal_hook::flag::register(signal, Arc::clone(flag));
        }
        std::thread::spawn(watch);
    });
}

/// Has the user asked to stop?
pub fn interrupted() -> bool {
    FLAG.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// A folder to delete should the process be stopped in the middle of work that does not look at the flag.
pub fn remove_on_interrupt(folder: &Path) {
    WORK.lock().unwrap_or_else(PoisonError::into_inner).push(folder.into());
}

/// Runs work that looks at [`interrupted`] itself.
pub fn polled<T>(work: impl FnOnce() -> T) -> T {
    POLLED.store(true, Ordering::SeqCst);
    let result = work();
    POLLED.store(false, Ordering::SeqCst);
    result
}

/// From here on the work is done and stays: a signal comes too late.
pub fn disarm() {
    POLLED.store(true, Ordering::SeqCst);
}

/// Says once that the command was interrupted.
pub fn announce() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| eprintln!("\nfirth: interrupted; nothing was written"));
}

/// Ends the process between two steps of a library that knows nothing of signals.
fn watch() {
    loop {
        std::thread::sleep(Duration::from_millis(50));
        if interrupted() && !POLLED.load(Ordering::SeqCst) {
            let work = WORK.lock().unwrap_or_else(PoisonError::into_inner);
            for folder in &*work {
                // The other threads still write: what appears while we delete needs another round.
                for _ in 0..20 {
                    if std::fs::remove_dir_all(folder).is_ok() || !folder.exists() {
                        break;
                    }
                }
            }
            announce();
            std::process::exit(i32::from(INTERRUPTED));
        }
    }
}
