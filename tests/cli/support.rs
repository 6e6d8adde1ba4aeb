//! The real binary in a temporary folder.

#[cfg(unix)]
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

pub type Tested<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// A folder of its own in which `firth` runs.
pub struct Folder(TempDir);

/// What a command printed and how it ended.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.join(name), content).expect("a writable folder");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.join(name)).expect("a readable file")
    }

    /// All names in the folder, hidden ones too, sorted.
    pub fn names(&self) -> Vec<String> {
        self.names_in(".")
    }

    /// All names in a folder within, hidden ones too, sorted; none if it does not exist.
    pub fn names_in(&self, name: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.join(name)).into_iter().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Runs `firth` with words apart by spaces, nothing on standard input.
    pub fn firth(&self, arguments: &str) -> Ran {
        self.firth_with(&arguments.split_whitespace().collect::<Vec<_>>(), "")
    }

    /// Runs `firth` with arguments and standard input.
    pub fn firth_with(&self, arguments: &[&str], input: impl Into<Vec<u8>>) -> Ran {
        let mut command = assert_cmd::Command::cargo_bin("firth").expect("the binary");
        command.current_dir(self.path()).args(arguments).write_stdin(input);
        LAYOUT.iter().for_each(|name| _ = command.env_remove(name));
        command.output().expect("firth runs").into()
    }

    /// `firth` to be started with words apart by spaces, which the caller stops or watches; its output is piped.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firth"));
        command.current_dir(self.path()).args(arguments.split_whitespace());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        LAYOUT.iter().for_each(|name| _ = command.env_remove(name));
        command
    }

    /// Sends a signal as soon as a line of progress has appeared, after half a second, and waits for the end: for trainings
    /// that are far longer on any machine.
    #[cfg(unix)]
    pub fn interrupt(&self, arguments: &str, signal: &str) -> Tested<Ran> {
        let mut child = self.command(arguments).spawn()?;
        let _watchdog = Watchdog::over(child.id());
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        while !said.contains("words/s") {
            assert!(stderr.read_line(&mut said)? > 0, "the command ended before it was interrupted: {said}");
        }
        kill(&child, signal)?;
        stderr.read_to_string(&mut said)?;
        let mut ran = Ran::from(child.wait_with_output()?);
        ran.stderr = said;
        Ok(ran)
    }

    /// Sends a signal as soon as the run named `run` has a new checkpoint, and waits for the end.
    #[cfg(unix)]
    pub fn interrupt_saved(&self, arguments: &str, signal: &str) -> Tested<Ran> {
        let before = self.names_in("run/checkpoints");
        let mut child = self.command(arguments).spawn()?;
        let _watchdog = Watchdog::over(child.id());
        while self.names_in("run/checkpoints") == before {
            assert!(child.try_wait()?.is_none(), "the command ended before it was interrupted");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        kill(&child, signal)?;
        Ok(child.wait_with_output()?.into())
    }

    /// Waits until something has this name, which a running command is about to make.
    pub fn wait_for(&self, name: &str, child: &mut Child) -> Tested {
        while !self.join(name).exists() {
            let has_ended = child.try_wait()?.is_some();
            assert!(!has_ended || self.join(name).exists(), "the command ended without {name}");
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Runs `firth --json`, expects success, and parses what it printed.
    pub fn json(&self, arguments: &str) -> serde_json::Value {
        let ran = self.firth(&format!("{arguments} --json"));
        ran.expect_code(0);
        serde_json::from_str(&ran.stdout).expect("one JSON document")
    }

    /// A small text with enough repetition to learn from: sentences about animals and about ships.
    pub fn write_text(&self, name: &str, lines: usize) {
        let animals = ["cat", "dog", "horse", "cow", "sheep"];
        let ships = ["boat", "ferry", "raft", "canoe", "yacht"];
        let mut text = String::new();
        for line in 0..lines {
            let (one, two) = (line % 5, (line / 5 + line) % 5);
            if line % 2 == 0 {
                text += &format!("The {} and the {} eat green grass near the farm\n", animals[one], animals[two]);
            } else {
                text += &format!("A {} and a {} sail over blue water to the harbour\n", ships[one], ships[two]);
            }
        }
        self.write(name, text);
    }

    /// Vectors in word2vec's text format: two pairs of parallel directions.
    pub fn write_vectors(&self, name: &str) {
        self.write(name, "6 3\nman 1 0 0\nwoman 0 2 0\nking 3 0 3\nqueen 0 1 1\nrock -1 -1 0.5\nstone -2 -2 1.1\n");
    }
}

/// What changes the layout of help and messages.
const LAYOUT: [&str; 3] = ["COLUMNS", "CLICOLOR_FORCE", "NO_COLOR"];

/// Sends a signal, by the shell's own command: the program of that name is not everywhere.
#[cfg(unix)]
pub fn kill(child: &Child, signal: &str) -> Tested {
    Command::new("sh").args(["-c", &format!("kill {signal} {}", child.id())]).status()?;
    Ok(())
}

/// Kills a process that has not been waited for in five minutes, so that a test which hangs fails and says where.
#[cfg(unix)]
struct Watchdog(#[allow(dead_code)] std::sync::mpsc::Sender<()>); // Held, not used.

#[cfg(unix)]
impl Watchdog {
    fn over(process: u32) -> Self {
        let (held, watched) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let waited = watched.recv_timeout(std::time::Duration::from_secs(300));
            if waited == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("sh").args(["-c", &format!("kill -KILL {process}")]).status();
            }
        });
        Self(held)
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Expects an exit code.
    pub fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Expects failure with a code, nothing on standard output, and one message that holds all of these.
    pub fn expect_error(&self, code: i32, parts: &[&str]) -> &Self {
        self.expect_code(code);
        assert_eq!(self.stdout, "", "standard output is for results");
        let errors: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("firth: error: ")).collect();
        assert_eq!(errors.len(), 1, "one message, found:\n{}", self.stderr);
        for part in parts {
            assert!(errors[0].contains(part), "{part:?} is not in: {}", errors[0]);
        }
        self
    }
}
