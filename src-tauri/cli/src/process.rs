//! What this process itself costs, for `--metrics`.

/// Memory in use, in bytes; 0 where the system does not say.
pub fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
}

/// Processor time of all threads so far, in seconds; 0 where the system does not say.
pub fn cpu_seconds() -> f64 {
    /// Linux counts in hundredths here, whatever the kernel's own clock is.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in brackets and may hold anything: count from its end.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |i: usize| after.split_ascii_whitespace().nth(i).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn a_running_process_costs_something() {
        assert!(super::rss_bytes() > 1 << 20);
        let started = std::time::Instant::now();
        while started.elapsed().as_millis() < 60 {}
        assert!(super::cpu_seconds() > 0.0);
    }
}
