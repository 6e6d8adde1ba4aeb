//! Ctrl-C and SIGTERM: stop, leave nothing half-written, exit with 130; the second one kills at once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::progress::{put, tell};
use crate::text::quoted;

/// The exit code of an interrupted command.
pub const INTERRUPTED: u8 = 130;

/// What asks to stop; a closed terminal too.
const SIGNALS: &[i32] = &[
    signal_hook::consts::SIGINT,
    signal_hook::consts::SIGTERM,
    #[cfg(unix)]
    signal_hook::consts::SIGHUP,
];

/// How long after a request to stop another one counts as impatience.
const PATIENCE: Duration = Duration::from_secs(1);

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
static WORK: Mutex<Work> = Mutex::new(Work { folders: Vec::new(), is_polled: false });

/// What a signal meets. Held locked while it is deleted, so that nothing is given its name at the same time.
struct Work {
    /// Folders to delete, each with those around it that were made for it, innermost first.
    folders: Vec<(PathBuf, Vec<PathBuf>)>,
    /// Does the work at hand look at the flag itself and end in good order?
    is_polled: bool,
}

/// Starts listening; commands that write nothing keep the system's own behaviour.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let flag = FLAG.get_or_init(Arc::default);
        let impatient = Arc::new(AtomicBool::new(false));
        for &signal in SIGNALS {
            // The first signal asks; another one, a second later or more, exits at once.
            // A system that refuses a handler keeps its default: the process ends, which is what was asked for.
            let code = i32::from(INTERRUPTED);
            let _ = signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&impatient));
            let _ = signal_hook::flag::register(signal, Arc::clone(flag));
        }
        // A file larger than a limit is an error of the write, not the process's end.
        #[cfg(unix)]
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
        std::thread::spawn(move || watch(&impatient));
        #[cfg(unix)]
        expect_cut_files();
    });
}

/// A mapped file that another process cuts short kills whoever reads beyond its new end: say so, and say what is kept.
#[cfg(unix)]
fn expect_cut_files() {
    const MESSAGE: &[u8] =
        b"\nfirth: error: a file that was being read (the corpus, or vectors) was cut short by another \
        process; make it anew. What was saved is kept\n";
    const BAD_INPUT: i32 = 3;
    let stop = || {
        let _ = rustix::io::write(rustix::stdio::stderr(), MESSAGE);
        signal_hook::low_level::exit(BAD_INPUT);
    };
    #[allow(unsafe_code)]
    // SAFETY: the action only makes two system calls, write and exit, both allowed in a signal handler.
    // Refused, the system's own behaviour stays.
    let _ = unsafe { signal_hook::low_level::register(signal_hook::consts::SIGBUS, stop) };
}

/// Has the user asked to stop?
pub fn interrupted() -> bool {
    FLAG.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// A folder to delete should the process be stopped in the middle of work that does not look at the flag, and the
/// folders around it that were made for it, innermost first.
pub fn remove_on_interrupt(folder: &Path, made: &[PathBuf]) {
    work().folders.push((folder.into(), made.into()));
}

/// From here on such a folder stays.
pub fn leave(folder: &Path) {
    work().folders.retain(|(doomed, _)| doomed != folder);
}

/// Runs work that looks at [`interrupted`] itself.
pub fn polled<T>(task: impl FnOnce() -> T) -> T {
    work().is_polled = true;
    let result = task();
    work().is_polled = false;
    result
}

/// From here on the work is done and stays: a signal comes too late.
pub fn disarm() {
    work().is_polled = true;
}

/// From here on a run has its place and a checkpoint in it.
pub fn can_be_resumed(run: &Path) {
    *RESUMABLE.lock().unwrap_or_else(PoisonError::into_inner) = Some(run.into());
}

static RESUMABLE: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Says once that the command was interrupted, and what is left of its work.
pub fn announce() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Leaves the line that the terminal shows ^C in.
        put(format_args!("\n"));
        match &*RESUMABLE.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(run) => {
                let run = quoted(&run.to_string_lossy());
                tell(format_args!("firth: interrupted: firth resume {run} goes on from the last checkpoint"));
            }
            None => tell(format_args!("firth: interrupted; nothing was written")),
        }
    });
}

/// Deletes folders, innermost first, that nobody has put anything into.
pub fn remove_made(folders: &[PathBuf]) {
    let _ = folders.iter().try_for_each(std::fs::remove_dir);
}

fn work() -> MutexGuard<'static, Work> {
    WORK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process between two steps of a library that knows nothing of signals.
///
/// One request often comes as two signals (to a process, and to its group), so only later ones are `impatient`.
fn watch(impatient: &AtomicBool) {
    let mut asked: Option<Instant> = None;
    loop {
        std::thread::sleep(Duration::from_millis(50));
        if interrupted() && asked.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
            impatient.store(true, Ordering::Relaxed);
        }
        // The lock is kept to the end: who is about to give the work its name waits for it, in vain.
        let work = work();
        if interrupted() && !work.is_polled {
            for (folder, made) in &work.folders {
                // The other threads still write: what appears while we delete needs another round.
                for _ in 0..20 {
                    if std::fs::remove_dir_all(folder).is_ok() || !folder.exists() {
                        break;
                    }
                }
                remove_made(made);
            }
            announce();
            std::process::exit(i32::from(INTERRUPTED));
        }
    }
}
