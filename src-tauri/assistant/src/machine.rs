//! What this computer has, and whether a model fits into it.

use afterwatch_model_protocol::processor;

use crate::problem::size;

/// Tokens of context a model is loaded with, prompt and answer together. What it needs is estimated for these.
pub const CONTEXT: u32 = 8192;

/// What llama.cpp takes beside weights and context: its working buffers, and the worker itself.
const OVERHEAD: u64 = 250_000_000;

/// This computer, as it is now. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    pub memory_bytes: u64,
    /// What programs can still get without anything being written to swap.
    pub free_bytes: u64,
    /// Cores a model would use: all real ones but one, so that the desktop stays quick.
    pub threads: u32,
    /// False where the processor lacks instructions the worker is built with (x86-64 without AVX2).
    pub processor_fits: bool,
}

/// Whether a model fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    Fits,
    /// It would fit if other programs were closed.
    NotNow(String),
    Never(String),
}

impl Fit {
    pub fn fits(&self) -> bool {
        *self == Fit::Fits
    }

    /// Why it does not fit, with what to do.
    pub fn sentence(&self) -> Option<&str> {
        match self {
            Fit::Fits => None,
            Fit::NotNow(why) | Fit::Never(why) => Some(why),
        }
    }
}

impl Machine {
    /// Looks now. Takes a few milliseconds.
    pub fn look() -> Machine {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        // In a container the limit is what counts, not the computer around it. Files that were read and are still in
        // memory give way, so they are not counted.
        let limit = (system.total_memory() > 0).then(|| system.cgroup_limits()).flatten();
        let total = limit.as_ref().map_or(u64::MAX, |l| l.total_memory).min(system.total_memory());
        let free =
            limit.as_ref().map_or(u64::MAX, |l| l.total_memory.saturating_sub(l.rss)).min(system.available_memory());
        Machine {
            memory_bytes: total,
            free_bytes: free.min(total),
            threads: threads(),
            processor_fits: processor::missing().is_empty(),
        }
    }

    /// Whether a model that needs so much memory can be loaded.
    pub fn fit(&self, needs: u64) -> Fit {
        if !self.processor_fits {
            return Fit::Never(
                "This processor lacks AVX2, which the model worker needs. Use an inference server on another computer."
                    .to_owned(),
            );
        }
        if needs > self.memory_bytes {
            return Fit::Never(format!(
                "Needs {}, this computer has {}. Choose a smaller model.",
                size(needs),
                size(self.memory_bytes)
            ));
        }
        if needs > self.free_bytes {
            return Fit::NotNow(format!(
                "Needs {}, {} are free. Close other programs, or choose a smaller model.",
                size(needs),
                size(self.free_bytes)
            ));
        }
        Fit::Fits
    }
}

/// Threads a model is run with: one for each real core but one, and one at least.
pub fn threads() -> u32 {
    // A container may have fewer cores than its computer.
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    let cores = sysinfo::System::physical_core_count().unwrap_or(allowed).min(allowed);
    u32::try_from(cores).unwrap_or(1).saturating_sub(1).max(1)
}

/// Memory a model needs: its weights, what a conversation of [`CONTEXT`] tokens takes, and what is around them.
pub fn needs(weights_bytes: u64, kv_bytes: u64) -> u64 {
    weights_bytes.saturating_add(kv_bytes).saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAPTOP: Machine =
        Machine { memory_bytes: 16_000_000_000, free_bytes: 9_100_000_000, threads: 7, processor_fits: true };

    #[test]
    fn this_computer_has_memory_and_at_least_one_thread() {
        let here = Machine::look();
        assert!(here.memory_bytes > 100_000_000 && here.free_bytes <= here.memory_bytes, "{here:?}");
        assert!(here.threads >= 1, "{here:?}");
    }

    #[test]
    fn what_does_not_fit_says_both_numbers_and_what_to_do() {
        assert!(LAPTOP.fit(3_600_000_000).fits());
        let now = LAPTOP.fit(10_800_000_000);
        assert!(now.sentence().unwrap().starts_with("Needs 10.8 GB, 9.1 GB are free."), "{now:?}");
        assert!(matches!(LAPTOP.fit(20_000_000_000), Fit::Never(why) if why.contains("this computer has 16.0 GB")));
    }

    #[test]
    fn without_avx2_nothing_fits_and_a_server_is_named_as_the_way_out() {
        let old = Machine { processor_fits: false, ..LAPTOP };
        assert!(matches!(old.fit(1), Fit::Never(why) if why.contains("AVX2") && why.contains("server")));
    }

    #[test]
    fn a_four_billion_model_is_said_to_need_between_three_and_five_gigabytes() {
        let entry = crate::catalogue::catalogue().iter().find(|e| e.id == "qwen3-4b-instruct").unwrap();
        let needed = needs(entry.size_bytes, entry.kv_bytes(CONTEXT));
        assert!((3_000_000_000..5_000_000_000).contains(&needed), "{needed}");
    }
}
