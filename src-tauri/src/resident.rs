//! Memory that the app does not need while it has no window.
//!
//! Making a window runs code that is not run again before the next one: of GTK, of WebKit, and where there is no
//! graphics card of the compiler inside Mesa's driver, which alone takes more than 40 MB. Such pages are copies of what
//! is in the programs' files, so the kernel may have them back at once; what is run again is read again.

use std::{fs, ops::Range, time::Duration};

use libc::{PF_W, PF_X, PT_LOAD, c_int, c_void, dl_phdr_info, size_t};
use tauri::{AppHandle, Manager};

use crate::window;

/// WebKit takes so long, amply, to end what belonged to a window.
const AFTER: Duration = Duration::from_secs(3);

/// Gives the code that was run so far back to the kernel, when things have settled and there is no window then.
pub fn settle(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(AFTER).await;
        if app.get_webview_window(window::LABEL).is_none() {
            give_back();
        }
    });
}

fn give_back() {
    let mut untouched = match fs::read_to_string("/proc/self/smaps") {
        Ok(smaps) => untouched(&smaps),
        Err(error) => return tracing::info!(%error, "the code that is not needed stays in memory"),
    };
    // SAFETY: the callback has the signature that is asked for, and the list outlives the call.
    #[allow(unsafe_code)]
    unsafe {
        libc::dl_iterate_phdr(Some(object), (&raw mut untouched).cast());
    }
}

/// Gives back the code of one program or library. The loader holds its lock meanwhile, so that none is unloaded.
#[allow(unsafe_code)]
unsafe extern "C" fn object(info: *mut dl_phdr_info, _size: size_t, untouched: *mut c_void) -> c_int {
    // SAFETY: the loader hands over what it knows of an object that is loaded, and what `give_back` gave it.
    let (untouched, base, segments) = unsafe {
        let segments = std::slice::from_raw_parts((*info).dlpi_phdr, usize::from((*info).dlpi_phnum));
        (&*untouched.cast::<Vec<Range<usize>>>(), (*info).dlpi_addr as usize, segments)
    };
    for segment in segments.iter().filter(|s| s.p_type == PT_LOAD && s.p_flags & (PF_X | PF_W) == PF_X) {
        let start = base.wrapping_add(segment.p_vaddr as usize);
        let Some(code) = untouched.iter().find(|range| range.contains(&start)) else { continue };
        let address = std::ptr::with_exposed_provenance_mut(code.start);
        // SAFETY: this is code of a file that stays loaded during the call, and nothing was ever written to it, so that
        // whoever runs it next has it read from the file again, unchanged.
        if unsafe { libc::madvise(address, code.len(), libc::MADV_DONTNEED) } != 0 {
            tracing::debug!(error = %std::io::Error::last_os_error(), "some code stays in memory");
        }
    }
    0
}

/// Where `/proc/self/smaps` shows the code of a file, readable and executable, of which no page was ever written to (by
/// a relocation, or by a debugger).
fn untouched(smaps: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = None;
    for line in smaps.lines() {
        match line.strip_prefix("Anonymous:") {
            Some(amount) if amount.trim() == "0 kB" => found.extend(at.take()),
            Some(_) => at = None,
            None => at = code(line).or(at),
        }
    }
    found
}

/// The addresses of a line that begins a mapping of code of a file.
fn code(line: &str) -> Option<Range<usize>> {
    let mut words = line.split_ascii_whitespace();
    let (addresses, rights) = (words.next()?, words.next()?);
    let path = words.nth(3)?;
    let (start, end) = addresses.split_once('-')?;
    let at = |text| usize::from_str_radix(text, 16).ok();
    (rights == "r-xp" && path.starts_with('/')).then_some(at(start)?..at(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_files_that_is_as_it_was_read_is_given_back() {
        let mapping =
            |line: &str, written: u32| format!("{line}\nRss: 4 kB\nAnonymous: {written} kB\nVmFlags: rd mr\n");
        let smaps = [
            mapping("5570f0a00000-5570f0b00000 r--p 00000000 fe:00 1234  /usr/bin/afterwatch", 0),
            mapping("5570f0b00000-5570f5b00000 r-xp 00100000 fe:00 1234  /usr/bin/afterwatch", 0),
            mapping("5570f5c00000-5570f5d00000 rw-p 05200000 fe:00 1234  /usr/bin/afterwatch", 0),
            mapping("7f0000000000-7f0000010000 r-xp 00000000 00:00 0", 0),
            mapping("7f0000010000-7f0000020000 r-xp 00000000 fe:00 99  /usr/lib/relocated.so", 8),
            mapping("7f0000020000-7f0000030000 rwxp 00000000 fe:00 99  /tmp/compiled (deleted)", 0),
            mapping("7ffd11111000-7ffd11113000 r-xp 00000000 00:00 0  [vdso]", 0),
        ];
        let found: Vec<(usize, usize)> = untouched(&smaps.concat()).into_iter().map(|r| (r.start, r.end)).collect();
        assert_eq!(found, [(0x5570_f0b0_0000, 0x5570_f5b0_0000)]);
    }

    #[test]
    fn code_that_is_given_back_takes_no_memory_and_runs_again() {
        let resident = || {
            let (mut of_code, mut sum) = (false, 0);
            for line in fs::read_to_string("/proc/self/smaps").expect("the kernel tells what is in memory").lines() {
                if let Some(kilobytes) = line.strip_prefix("Rss:").filter(|_| of_code) {
                    sum += kilobytes.trim_end_matches("kB").trim().parse::<u64>().expect("a number");
                    of_code = false;
                } else if code(line).is_some() {
                    of_code = true;
                }
            }
            sum
        };
        let before = resident();
        give_back();
        let after = resident();
        assert!(after < before, "{after} kB instead of {before} kB");
    }
}
