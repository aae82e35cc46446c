//! Child processes and directories that do not outlive the test process, however that ends. Linux only.
//!
//! A child gets SIGKILL from the kernel when the thread that started it dies (`PR_SET_PDEATHSIG`). Tests run on
//! short-lived threads, so every child is started from one thread that lives as long as the process.

use std::{
    io,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock, mpsc},
};
use tempfile::TempDir;

type Job = Box<dyn FnOnce() + Send>;

/// Starts `program` through `setpriv --pdeathsig KILL`, in a process group of its own so that Ctrl-C reaches the
/// test process alone. `configure` adds arguments, environment and streams; standard input is `/dev/null`.
///
/// # Errors
/// When the program or `setpriv` (util-linux) cannot be started.
pub(crate) fn spawn_bound(
    program: &Path,
    configure: impl FnOnce(&mut Command),
) -> io::Result<Child> {
    if !program.exists() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{} does not exist", program.display()),
        ));
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .arg(program)
        .stdin(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    configure(&mut command);
    let (answer, answered) = mpsc::sync_channel(1);
    on_immortal_thread(Box::new(move || {
        // The receiver waits below; it cannot be gone.
        let _ = answer.send(command.spawn());
    }));
    answered
        .recv()
        .map_err(|_| io::Error::other("the starting thread is gone"))?
}

/// Sends a signal by name (`TERM`, `STOP`, …) to `child`, by its id.
///
/// # Errors
/// When the process is gone.
pub(crate) fn signal(child: &Child, name: &str) -> io::Result<()> {
    let status = Command::new("sh")
        .args([
            "-c",
            "kill -s \"$1\" \"$2\"",
            "sh",
            name,
            &child.id().to_string(),
        ])
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "kill -s {name} {} failed",
            child.id()
        )))
    }
}

/// Whether a stop signal has reached every thread of `child`: the first of them has to be given the processor to
/// stop the others, which on a busy machine takes a while.
pub(crate) fn is_stopped(child: &Child) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", child.id())) else {
        return false;
    };
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // After the name, which is in brackets and may hold anything.
        stat.rsplit_once(") ")
            .is_none_or(|(_, state)| state.starts_with('T'))
    })
}

/// A temporary directory that is removed when dropped, and also when the process ends without dropping it.
#[derive(Debug)]
pub(crate) struct BoundDir {
    dir: TempDir,
    /// Ends when its standard input does, which is when this process does.
    reaper: Child,
}

impl BoundDir {
    /// Makes a directory named `<prefix>…` in the system's temporary directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn new(prefix: &str) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix(prefix).tempdir()?;
        // Children of ours may still be dying and writing while the directory goes, hence the repetition.
        let remove = "read -r _; for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- \"$1\" && [ ! -e \"$1\" ] && exit; sleep 0.3; done";
        let mut command = Command::new("sh");
        command
            .args(["-c", remove, "sh"])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let reaper = command.spawn()?;
        Ok(Self { dir, reaper })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for BoundDir {
    fn drop(&mut self) {
        drop(self.reaper.stdin.take());
        // Nothing to do about a failure in a destructor; the reaper has its own repetition.
        let _ = self.reaper.wait();
    }
}

fn on_immortal_thread(job: Job) {
    static JOBS: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        std::thread::spawn(move || jobs.into_iter().for_each(|job| job()));
        Mutex::new(sender)
    });
    let sender = jobs
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    // The thread ends only with the process.
    let _ = sender.send(job);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait_until;
    use std::time::Duration;

    #[tokio::test]
    async fn a_child_outlives_the_thread_that_asked_for_it() {
        let asked = std::thread::spawn(|| {
            spawn_bound(Path::new("/bin/sleep"), |command| {
                command.arg("600");
            })
        });
        let mut child = asked
            .join()
            .expect("the thread ends")
            .expect("sleep starts");
        assert!(child.try_wait().expect("its state is known").is_none());
        signal(&child, "KILL").expect("it is there to be killed");
        child.wait().expect("it ends");
        assert!(signal(&child, "KILL").is_err());
    }

    #[tokio::test]
    async fn child_and_directory_go_with_a_killed_test_process() {
        // A stand-in for the test process: this very test binary, told to hold both and wait for its death.
        if std::env::var_os("TESTKIT_HOLD").is_some() {
            let dir = BoundDir::new("testkit-hold-").expect("a directory");
            let mut child = spawn_bound(Path::new("/bin/sleep"), |command| {
                command.arg("600");
            })
            .expect("sleep starts");
            std::fs::write(
                std::env::var_os("TESTKIT_HOLD").expect("set"),
                format!("{} {}", child.id(), dir.path().display()),
            )
            .expect("the report is written");
            // Killed while it waits; the child would sleep for longer than any test.
            child.wait().expect("it is a child");
        }
        let place = tempfile::tempdir().expect("a directory");
        let report = place.path().join("report");
        let mut holder = Command::new(std::env::current_exe().expect("this binary"))
            .args([
                "--exact",
                "process::tests::child_and_directory_go_with_a_killed_test_process",
            ])
            .env("TESTKIT_HOLD", &report)
            .stdout(Stdio::null())
            .spawn()
            .expect("the stand-in starts");
        wait_until(Duration::from_secs(30), || async {
            std::fs::read_to_string(&report).is_ok_and(|text| text.contains('/'))
        })
        .await;
        let report = std::fs::read_to_string(&report).expect("read just now");
        let (pid, dir) = report.split_once(' ').expect("two words");
        assert!(Path::new(dir).exists());
        holder.kill().expect("it is there to be killed");
        holder.wait().expect("it ends");
        let process = format!("/proc/{pid}/cmdline");
        // A disk that is busy with a build has kept the removal of a directory for longer than ten seconds.
        wait_until(Duration::from_secs(60), || async {
            // A zombie waiting for init has an empty command line.
            std::fs::read(&process).map_or(true, |line| line.is_empty()) && !Path::new(dir).exists()
        })
        .await;
    }
}
