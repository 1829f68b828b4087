//! What the processor must be able to do.
//!
//! llama.cpp is built for processors with AVX2 where it is built for x86-64; on another one it would die of an illegal
//! instruction. Every other architecture it is built for brings what it needs.

/// The instructions that this processor lacks; empty when a model can run.
pub fn missing() -> Vec<&'static str> {
    lacking(&instructions())
}

/// What is wrong and what to do, for a processor that lacks these.
pub fn sentence(missing: &[&str]) -> String {
    format!(
        "This computer's processor lacks instructions that a model needs ({}), so no model can run here. Rules and \
         templates write everything, or name an inference server of yours in Settings, Models.",
        missing.join(", ")
    )
}

fn lacking(instructions: &[(&'static str, bool)]) -> Vec<&'static str> {
    instructions.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect()
}

#[cfg(target_arch = "x86_64")]
fn instructions() -> [(&'static str, bool); 6] {
    [
        ("SSE4.2", std::is_x86_feature_detected!("sse4.2")),
        ("AVX", std::is_x86_feature_detected!("avx")),
        ("AVX2", std::is_x86_feature_detected!("avx2")),
        ("FMA", std::is_x86_feature_detected!("fma")),
        ("F16C", std::is_x86_feature_detected!("f16c")),
        ("BMI2", std::is_x86_feature_detected!("bmi2")),
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn instructions() -> [(&'static str, bool); 0] {
    []
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        let missing = lacking(&[("AVX", true), ("AVX2", false), ("FMA", true), ("BMI2", false)]);
        assert_eq!(missing, ["AVX2", "BMI2"]);
        let said = sentence(&missing);
        assert!(said.contains("(AVX2, BMI2)") && said.contains("Settings"), "{said}");
    }
}
