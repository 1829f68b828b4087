//! What this process may take from the computer: memory, attention, and what its environment may make of it.

use std::process::ExitCode;

/// Beyond the estimate: what the estimate is wrong by, and what a process takes that does nothing.
#[cfg(target_os = "linux")]
const SLACK: u64 = 512 << 20;
/// Address space that a thread takes for its stack and its share of the heap.
#[cfg(target_os = "linux")]
const PER_THREAD: u64 = 80 << 20;

/// By this glibc's malloc asks the kernel for large pages, which most distributions give to those that ask. All weights
/// are gone through for every token that is written: in small pages a third of the time goes into finding them.
const TUNABLES: &str = "GLIBC_TUNABLES";
const LARGE_PAGES: &str = "glibc.malloc.hugetlb";
/// Set in the environment of a worker that has asked for them.
const ASKED: &str = "AFTERWATCH_LARGE_PAGES_ASKED";

/// Sees to it that the environment changes nothing in llama.cpp, which would load any library that is named there, that
/// a crash starts no debugger, and that memory comes in large pages. `Some` is the code to end with.
pub fn clean_environment() -> Option<ExitCode> {
    let foreign = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("GGML_") || name.starts_with("LLAMA_"))
        .filter(|name| name != "GGML_NO_BACKTRACE")
        .collect::<Vec<_>>();
    // Where the loader takes the setting away again (a program with rights of its own), asking once is enough.
    let asked = std::env::var_os(ASKED).is_some() || tunables().is_none();
    if foreign.is_empty() && std::env::var_os("GGML_NO_BACKTRACE").is_some() && asked {
        return None;
    }
    again(&foreign)
}

/// The setting that asks for large pages, with what was set before, unless somebody has decided already.
fn tunables() -> Option<String> {
    let set = std::env::var(TUNABLES).unwrap_or_default();
    if !cfg!(all(target_os = "linux", target_env = "gnu")) || set.contains(LARGE_PAGES) {
        return None;
    }
    let before = if set.is_empty() { set } else { format!("{set}:") };
    Some(format!("{before}{LARGE_PAGES}=1"))
}

/// Becomes the same program once more, with another environment.
#[cfg(unix)]
fn again(without: &[String]) -> Option<ExitCode> {
    use std::os::unix::process::CommandExt;

    let mut command = std::process::Command::new(std::env::current_exe().ok()?);
    for name in without {
        command.env_remove(name);
    }
    if let Some(tunables) = tunables() {
        command.env(TUNABLES, tunables).env(ASKED, "1");
    }
    let error = command.args(std::env::args_os().skip(1)).env("GGML_NO_BACKTRACE", "1").exec();
    eprintln!("afterwatch-model could not be started with a clean environment: {error}");
    Some(ExitCode::FAILURE)
}

/// A process cannot be replaced here; a debugger is never started either, so only foreign names are in the way.
#[cfg(not(unix))]
fn again(without: &[String]) -> Option<ExitCode> {
    if without.is_empty() {
        return None;
    }
    eprintln!("afterwatch-model does not start while these are set in its environment: {}", without.join(", "));
    Some(ExitCode::FAILURE)
}

/// Lets everything else on the computer go first, and leaves no memory of what was read behind when it crashes.
pub fn step_back() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, nice, setrlimit};

        // Neither is needed for anything to work.
        let _ = nice(10);
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
}

/// Bounds this process's memory to what a model needs by estimate, with some slack. Only Linux holds such a bound.
pub fn bound_memory(estimate: u64, threads: u32) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

        let now = status("VmSize:").unwrap_or(0);
        let most = now + estimate + estimate / 4 + SLACK + u64::from(threads) * PER_THREAD;
        let maximum = getrlimit(Resource::As).maximum;
        let current = maximum.map_or(most, |maximum| maximum.min(most));
        if let Err(error) = setrlimit(Resource::As, Rlimit { current: Some(current), maximum }) {
            tracing::warn!("memory could not be bounded: {error}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (estimate, threads);
}

/// Resident memory in bytes; 0 where it is not known.
pub fn resident() -> u64 {
    #[cfg(target_os = "linux")]
    return status("VmRSS:").unwrap_or(0);
    #[cfg(not(target_os = "linux"))]
    0
}

#[cfg(target_os = "linux")]
fn status(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}
