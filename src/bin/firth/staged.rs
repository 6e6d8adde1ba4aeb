//! Outputs that appear whole or not at all, and never in the place of what others made.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use firth::Error;
use tempfile::TempDir;

use crate::failure::{Failure, Outcome};
use crate::run_folder::{self, Lock};
use crate::text::quoted;
use crate::{ownership, signals};

/// An output in the making, in a hidden folder beside its target.
///
/// Dropped before [`Staged::commit`], or on Ctrl-C, it leaves nothing behind. What is whole by then and cannot be given its
/// name stays in the hidden folder, and the message says where.
pub struct Staged {
    work: TempDir,
    #[allow(dead_code)] // Held, not used.
    lock: Option<File>,
    name: PathBuf,
    parent: PathBuf,
    made_parents: Vec<PathBuf>,
    force: bool,
    /// Does the hidden folder hold the only copy of something whole?
    is_kept: bool,
}

/// What the name of the hidden folder begins and ends with.
const PREFIX: &str = ".firth-";
const SUFFIX: &str = ".tmp";
/// The name of the file, within the hidden folder, that its process keeps locked and that tells the machine.
const LOCK: &str = ".lock";
/// The name of the folder, within the hidden one, of what is not part of the output.
const SCRATCH: &str = ".scratch";
/// The name of the folder, within the hidden one, of what is replaced, until it goes with the hidden one.
const ASIDE: &str = ".aside";

impl Staged {
    /// A folder that will be named `target`; [`Staged::path`] is its future content.
    pub fn folder(target: &Path, force: bool) -> Outcome<Self> {
        refuse_file(target)?;
        let staged = Self::new(target, force)?;
        fs::create_dir(staged.path()).map_err(|source| Error::io(target, source))?;
        Ok(staged)
    }

    /// A file, several that stand side by side, or a folder yet to be made; the main one named `target`.
    pub fn new(target: &Path, force: bool) -> Outcome<Self> {
        let Some(name) = target.file_name() else {
            return Err(Failure::usage(format!("{}: is no name for an output", target.display())));
        };
        refuse_existing(target, force, None)?;
        let parent = parent(target);
        signals::install();
        let made_parents =
            parent.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect::<Vec<_>>();
        fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
        remove_abandoned(parent);
        let work = hidden_folder(parent).map_err(|source| Error::io(parent, source))?;
        signals::remove_on_interrupt(work.path(), &made_parents);
        let (name, parent) = (name.into(), parent.into());
        let mut staged = Self { work, lock: None, name, parent, made_parents, force, is_kept: false };
        staged.lock = staged.hold()?;
        Ok(staged)
    }

    /// Marks the hidden folder as one whose process lives; where files cannot be locked, nothing marks it.
    fn hold(&self) -> Outcome<Option<File>> {
        let Some(machine) = machine() else { return Ok(None) };
        // It gets its name locked, so that nobody meets it otherwise.
        let nameless = self.scratch()?.join(LOCK);
        let failed = |source| Error::io(&nameless, source);
        fs::write(&nameless, machine).map_err(failed)?;
        let lock = File::open(&nameless).map_err(failed)?;
        let is_held = lock.try_lock().is_ok() && fs::rename(&nameless, self.work.path().join(LOCK)).is_ok();
        Ok(is_held.then_some(lock))
    }

    /// Where to write now; its last part is the final name.
    pub fn path(&self) -> PathBuf {
        self.work.path().join(&self.name)
    }

    /// A place for intermediate files, which do not become part of the output.
    pub fn scratch(&self) -> Outcome<PathBuf> {
        let scratch = self.work.path().join(SCRATCH);
        fs::create_dir_all(&scratch).map_err(|source| Error::io(&scratch, source))?;
        Ok(scratch)
    }

    /// Gives the output another name, in the same folder.
    pub fn commit_as(mut self, name: &Path) -> Outcome {
        let renamed = self.work.path().join(name);
        fs::rename(self.path(), &renamed).map_err(|source| Error::io(&renamed, source))?;
        self.name = name.into();
        self.commit()
    }

    /// Gives the output its name.
    pub fn commit(mut self) -> Outcome {
        // From here on it is whole: nobody may take it for abandoned, and a signal comes too late.
        let _ = fs::remove_file(self.work.path().join(LOCK));
        signals::disarm();
        self.is_kept = true;
        let names = self.names()?;
        self.take_places(&names)?;
        self.is_kept = false;
        self.made_parents.clear();
        Ok(())
    }

    fn take_places(&self, names: &[PathBuf]) -> Outcome {
        let made = if names.len() == 1 { self.path() } else { self.work.path().into() };
        let hold = |name| refuse_existing(&self.parent.join(name), self.force, Some(&made));
        let _held = names.iter().map(hold).collect::<Outcome<Vec<_>>>()?;
        let aside = self.work.path().join(ASIDE);
        fs::create_dir_all(&aside).map_err(|source| unnamed(source, &self.parent.join(&self.name), &made, None))?;
        names.iter().try_for_each(|name| {
            let (target, aside) = (self.parent.join(name), aside.join(name));
            let failed = |source| unnamed(source, &target, &made, Some(&aside)).into();
            replace(&self.work.path().join(name), &target, &aside).map_err(failed)
        })
    }

    fn names(&self) -> Outcome<Vec<PathBuf>> {
        let entries = fs::read_dir(self.work.path()).map_err(|source| Error::io(&self.parent, source))?;
        let mut names: Vec<PathBuf> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name().into())
            .filter(|name: &PathBuf| ![SCRATCH, ASIDE].map(Path::new).contains(&name.as_path()))
            .collect();
        names.sort();
        Ok(names)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.is_kept {
            signals::leave(self.work.path());
            let _ = fs::remove_dir_all(self.work.path().join(SCRATCH));
            self.work.disable_cleanup(true);
            return;
        }
        // Best effort: the message about the first error matters more than one about tidying up.
        let _ = fs::remove_dir_all(self.work.path());
        signals::remove_made(&self.made_parents);
    }
}

/// Puts a folder that is complete in the place of an output that was to be replaced, and deletes that.
pub fn take_place(new: &Path, target: &Path, force: bool) -> Outcome {
    let _held = refuse_existing(target, force, Some(new))?;
    let mut hidden = hidden_folder(parent(target)).map_err(|source| unnamed(source, target, new, None))?;
    let aside = hidden.path().join(ASIDE);
    replace(new, target, &aside).map_err(|source| {
        hidden.disable_cleanup(aside.exists());
        unnamed(source, target, new, Some(&aside)).into()
    })
}

/// The fault of giving what was made its name: where that is now, and where is what was put aside if it did not come back.
fn unnamed(source: io::Error, target: &Path, made: &Path, aside: Option<&Path>) -> Error {
    let aside = aside.filter(|aside| aside.exists());
    let old = aside.map(|aside| format!("; what it was to replace is {}", aside.display())).unwrap_or_default();
    Error::io(target, io::Error::new(source.kind(), format!("{source}; {}{old}", stays(made))))
}

/// Where something whole is that has no name of its own.
fn stays(made: &Path) -> String {
    format!("what was made is whole and stays: name it with mv {} NAME", quoted(&made.to_string_lossy()))
}

fn parent(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new hidden folder, whose path holds whatever becomes of the names beside it: run/.. is none once run is put aside.
fn hidden_folder(parent: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempdir_in(parent.canonicalize()?)
}

/// What tells this machine, from its start to its end, from others that share a disk and may not see its locks. Only Linux
/// has it.
fn machine() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
}

/// Deletes the hidden folders in which killed processes were making outputs: those with a lock of this machine that nobody
/// holds.
fn remove_abandoned(parent: &Path) {
    let Some(machine) = machine() else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        let path = entry.path().join(LOCK);
        // A pipe of that name would never end, and a large file is not ours.
        let is_small =
            path.symlink_metadata().is_ok_and(|about| about.is_file() && about.len() == machine.len() as u64);
        if !is_ours || !is_small || fs::read_to_string(&path).ok().as_ref() != Some(&machine) {
            continue;
        }
        if File::open(&path).is_ok_and(|lock| lock.try_lock().is_ok()) {
            // Somebody else's may not be ours to delete.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Names `new` as `target`. A folder of that name is put aside, and back again if that fails.
fn replace(new: &Path, target: &Path, aside: &Path) -> io::Result<()> {
    if !target.is_dir() {
        return fs::rename(new, target);
    }
    fs::rename(target, aside)?;
    fs::rename(new, target).or_else(|error| fs::rename(aside, target).and(Err(error)))
}

/// Refuses to put a folder in the place of a file.
pub fn refuse_file(target: &Path) -> Outcome {
    if target.symlink_metadata().is_ok() && !target.is_dir() {
        let reason = "is a file, which a folder does not replace; name another output, or remove it";
        return Err(Failure::usage(format!("{}: {reason}", target.display())));
    }
    Ok(())
}

/// Refuses what is there already or, with `force`, only what is not firth's to replace and what is at work. `made` is what is
/// to be put there, once it is whole. A run that may be replaced is held, so that nobody goes on with it meanwhile.
pub fn refuse_existing(target: &Path, force: bool, made: Option<&Path>) -> Outcome<Option<Lock>> {
    // Before the work there is another name to choose; after it, what was made must not be lost.
    let refuse = |what: &str, remedy: &str| {
        let remedy = made.map_or_else(|| remedy.to_owned(), stays);
        Failure::usage(format!("{what}; {remedy}"))
    };
    let shown = target.display();
    if !force && target.symlink_metadata().is_ok() {
        return Err(refuse(&format!("{shown}: is there already"), "name another output or replace it with --force"));
    }
    if target.is_dir() && !ownership::is_own(target) {
        let reason = "is a folder with other things than firth's, which --force does not replace";
        return Err(refuse(&format!("{shown}: {reason}"), "name another output"));
    }
    // The process that trains a run would give its checkpoints to what took the run's place.
    let is_held = run_folder::is_unfinished(target) && target.join(run_folder::LOG).exists();
    let held = is_held.then(|| Lock::take(target)).transpose();
    held.map_err(|failure| match failure {
        Failure::Usage(message) => refuse(&message, "stop that one or name another output"),
        failure => match (failure, made) {
            (Failure::Library(Error::Io { path, source }), Some(made)) => unnamed(source, &path, made, None).into(),
            (failure, _) => failure,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tested = Result<(), Failure>;

    #[test]
    fn a_dropped_output_leaves_nothing() -> Tested {
        let folder = tempfile::tempdir()?;
        let staged = Staged::folder(&folder.path().join("new/run"), false)?;
        fs::write(staged.path().join("a"), "half")?;
        drop(staged);
        assert_eq!(fs::read_dir(folder.path())?.count(), 0);
        Ok(())
    }

    #[test]
    fn an_output_appears_whole_and_is_not_replaced_unasked() -> Tested {
        let folder = tempfile::tempdir()?;
        let target = folder.path().join("run");
        let staged = Staged::folder(&target, false)?;
        assert!(!target.exists());
        staged.commit()?;
        assert!(target.is_dir());
        assert!(matches!(Staged::folder(&target, false), Err(Failure::Usage(message)) if message.contains("--force")));
        Staged::folder(&target, true)?.commit()?;
        assert_eq!(fs::read_dir(&target)?.count(), 0);
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_killed_process_left_goes_and_what_a_living_one_makes_stays() -> Tested {
        if machine().is_none() {
            println!("skipped: the system does not name itself, so nothing is removed");
            return Ok(());
        }
        let folder = tempfile::tempdir()?;
        let paths = [".firth-a.tmp", ".firth-b.tmp", ".firth-c.tmp", "d"].map(|name| folder.path().join(name));
        paths.iter().try_for_each(fs::create_dir)?;
        let [killed, unmarked, elsewhere, other] = &paths;
        for (path, machine) in [(killed, machine()), (elsewhere, Some("another".into())), (other, machine())] {
            fs::write(path.join(LOCK), machine.unwrap_or_default())?;
        }
        let first = Staged::folder(&folder.path().join("first"), false)?;
        assert!(!killed.exists() && [unmarked, elsewhere, other].iter().all(|path| path.exists()));
        let second = Staged::folder(&folder.path().join("second"), false)?;
        assert!(first.path().exists());
        first.commit()?;
        second.commit()?;
        assert_eq!(fs::read_dir(folder.path().join("first"))?.count(), 0);
        assert_eq!(fs::read_dir(folder.path())?.count(), 5);
        Ok(())
    }

    #[test]
    fn folders_of_others_are_never_replaced() -> Tested {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("thesis.tex"), "years")?;
        assert!(matches!(Staged::folder(folder.path(), true), Err(Failure::Usage(_))));
        Ok(())
    }

    #[test]
    fn a_folder_comes_back_if_its_successor_cannot_be_named() -> Tested {
        let folder = tempfile::tempdir()?;
        let [new, target, aside] = ["new", "target", "aside"].map(|name| folder.path().join(name));
        fs::create_dir(&target)?;
        fs::write(target.join("words"), "old")?;
        assert!(replace(&new, &target, &aside).is_err(), "there is nothing new");
        assert_eq!(fs::read_to_string(target.join("words"))?, "old");
        assert!(!aside.exists());
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn what_can_be_named_nowhere_is_kept_and_told() -> Tested {
        let folder = tempfile::tempdir()?;
        let [new, old] = ["new", "old"].map(|name| folder.path().join(name));
        [&new, &old].into_iter().try_for_each(fs::create_dir)?;
        // A name that is none any more once the folder is put aside: nothing can take it then.
        let Err(Failure::Library(error)) = take_place(&new, &old.join("../old"), true) else { panic!("it took it") };
        let told = error.to_string();
        let aside = told.split("what it was to replace is ").nth(1).expect("where the old one is");
        assert!(Path::new(aside).is_dir() && new.is_dir() && !old.exists(), "{told}");
        assert!(told.contains(&format!("mv {} NAME", new.display())), "{told}");
        Ok(())
    }

    #[test]
    fn companions_of_a_file_appear_with_it() -> Tested {
        let folder = tempfile::tempdir()?;
        let staged = Staged::new(&folder.path().join("a.npy"), false)?;
        fs::write(staged.path(), "vectors")?;
        fs::write(staged.path().with_extension("keys"), "keys")?;
        staged.commit()?;
        assert!(folder.path().join("a.npy").is_file() && folder.path().join("a.keys").is_file());
        assert_eq!(fs::read_dir(folder.path())?.count(), 2);
        Ok(())
    }
}
