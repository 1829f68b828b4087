//! How the app is started.

use clap::Parser;

/// The incident desk for Kubernetes. The command line is `kubectl-afterwatch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Parser)]
#[command(
    name = "afterwatch",
    version,
    after_help = "There is one window: a second start hands over to the running app. The log is afterwatch.log, beside the\n\
                  database (~/.local/share/afterwatch; AFTERWATCH_DATA_DIR names another folder)."
)]
pub struct Args {
    /// Start in the tray, without a window
    #[arg(long)]
    pub hidden: bool,

    /// Show this incident (INC-47, 47 or its id), in the running app when there is one
    #[arg(long, value_name = "ID")]
    pub open: Option<String>,

    /// The same as a link: afterwatch://incident/47
    #[arg(value_name = "LINK", conflicts_with = "open")]
    pub link: Option<String>,
}

/// What a start asks to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// An incident, named as people name it.
    Incident(String),
    /// A link that leads nowhere, and what to say of it.
    Nowhere(String),
}

impl Args {
    /// What a second start handed over. It was checked where it was typed, so whatever does not parse here only brings
    /// the window to the front.
    pub fn handed_over(argv: &[String]) -> Args {
        Args::try_parse_from(argv).unwrap_or_default()
    }

    /// What is to be shown, if anything was named.
    pub fn asked(&self) -> Option<Asked> {
        match &self.link {
            Some(link) => Some(Asked::link(link)),
            None => self.open.clone().map(Asked::Incident),
        }
    }
}

impl Asked {
    /// Reads a link. Any page may offer one, so that it can do no more than show an incident.
    pub fn link(link: &str) -> Asked {
        let (scheme, rest) = link.split_once("://").unwrap_or_default();
        let incident = rest.strip_prefix("incident/").map(|id| id.trim_end_matches('/'));
        match incident {
            Some(id) if scheme.eq_ignore_ascii_case("afterwatch") && is_name(id) => Asked::Incident(id.to_owned()),
            _ => {
                let shown: String = link.chars().filter(|c| !c.is_control()).take(80).collect();
                Asked::Nowhere(format!("The link {shown} leads nowhere. Links look like afterwatch://incident/47."))
            }
        }
    }
}

fn is_name(id: &str) -> bool {
    !id.is_empty() && id.len() <= 40 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed_over(words: &[&str]) -> Args {
        Args::handed_over(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_second_start_hands_over_the_incident_to_show() {
        let args = handed_over(&["/usr/bin/afterwatch", "--open", "INC-47"]);
        assert_eq!(args.asked(), Some(Asked::Incident("INC-47".into())));
        assert_eq!(handed_over(&["afterwatch", "--nonsense"]), Args::default());
        assert_eq!(Args::default().asked(), None);
    }

    #[test]
    fn a_link_names_an_incident_by_its_number_or_its_id() {
        let id = "0199a3c4-7d1e-7000-8000-0123456789ab";
        for (link, name) in [
            ("afterwatch://incident/47".to_owned(), "47"),
            ("AFTERWATCH://incident/INC-47/".to_owned(), "INC-47"),
            (format!("afterwatch://incident/{id}"), id),
        ] {
            assert_eq!(handed_over(&["afterwatch", &link]).asked(), Some(Asked::Incident(name.into())), "{link}");
        }
    }

    #[test]
    fn any_other_link_is_said_to_lead_nowhere() {
        for link in [
            "afterwatch://incident/",
            "afterwatch://quit/1",
            "afterwatch://incident/1?x=2",
            "afterwatch://incident/../..",
            "https://incident/47",
            "47",
        ] {
            let Some(Asked::Nowhere(words)) = handed_over(&["afterwatch", link]).asked() else { panic!("{link}") };
            assert!(words.contains(link) && words.contains("afterwatch://incident/47"), "{words}");
        }
    }
}
