//! How the app is started.

use clap::Parser;

/// The incident desk for Kubernetes. The command line is `kubectl-afterwatch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Parser)]
#[command(name = "afterwatch", version)]
pub struct Args {
    /// Start in the tray, without a window.
    #[arg(long)]
    pub hidden: bool,

    /// Show this incident (INC-47, 47 or its id), in the running app when there is one.
    #[arg(long, value_name = "ID")]
    pub open: Option<String>,
}

impl Args {
    /// What a second start handed over. It was checked where it was typed, so whatever does not parse here only brings
    /// the window to the front.
    pub fn handed_over(argv: &[String]) -> Args {
        Args::try_parse_from(argv).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_hands_over_the_incident_to_show() {
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let args = Args::handed_over(&words(&["/usr/bin/afterwatch", "--open", "INC-47"]));
        assert_eq!(args, Args { hidden: false, open: Some("INC-47".into()) });
        assert_eq!(Args::handed_over(&words(&["afterwatch", "--nonsense"])), Args::default());
    }
}
