//! Shapes, single sections, and what people replace.

use afterwatch_core::writing::Section;
use afterwatch_report::{
    Shape, ShapeError, markdown, markdown_shaped, replace_section, section_heading, section_markdown, section_of,
};

use crate::sample::{coverage, gap, incident, input};

fn own(text: &str) -> Result<String, ShapeError> {
    let one = incident();
    markdown_shaped(&input(&one, &[], &[]), &Shape::own("mine", text.to_owned())?)
}

#[test]
fn the_house_shape_is_the_post_mortem_as_it_is() {
    let (one, gaps, coverage) = (incident(), [gap()], coverage());
    let input = input(&one, &gaps, &coverage);
    let house = Shape::named("House").unwrap();
    assert_eq!(markdown_shaped(&input, &house).unwrap(), markdown(&input));
}

#[test]
fn every_bundled_shape_holds_the_whole_record() {
    let (one, gaps, coverage) = (incident(), [gap()], coverage());
    let input = input(&one, &gaps, &coverage);
    for shape in Shape::bundled() {
        let page = markdown_shaped(&input, &shape).unwrap();
        assert!(page.starts_with("# INC-47: checkout in shop keeps running out of memory\n\n| Incident |"), "{page}");
        for section in Section::ALL {
            let body = section_markdown(&input, section);
            assert!(page.contains(body.trim()), "{} has no {section:?}", shape.name);
        }
        for heading in ["### E1 ·", "| 02:54:07 | Deployment checkout changed", "| Time to detect | 53 s |"] {
            assert!(page.contains(heading), "{} has no {heading}", shape.name);
        }
        assert!(!page.contains("{{") && !page.contains("\n\n\n"), "{}: {page}", shape.name);
        assert!(!page.contains("## Notes"), "{}: nobody wrote notes", shape.name);
    }
}

#[test]
fn each_shape_has_the_headings_its_readers_look_for() {
    for (name, headings) in [
        ("google-sre", &["Root causes", "Resolution", "Lessons learned", "Supporting information"][..]),
        ("pagerduty", &["Overview", "What happened", "Responders", "How did we do?", "Messaging"]),
        ("atlassian", &["Incident summary", "Lead-up", "Fault", "Recurrence", "Corrective actions"]),
    ] {
        let shape = Shape::named(name).unwrap();
        for heading in headings {
            assert!(section_of(shape.text(), heading).is_some(), "{name}: {heading}");
        }
    }
}

#[test]
fn a_shape_of_ones_own_is_filled_in() {
    let page = own("# Review of {{id}} ({{severity}}, {{state}})\n\nIn {{ cluster }}: {{subject}}.\n\n## What\n\n{{summary}}\n\n## Remarks\n\n{{notes}}\n\n## End\n\nBye.\n").unwrap();
    assert!(page.starts_with("# Review of INC-47 (Critical, Resolved)\n\nIn prod-eu: Deployment shop/checkout.\n\n## What\n\ncheckout in shop"), "{page}");
    assert!(page.ends_with("[C2].\n\n## End\n\nBye.\n"), "an empty part takes its heading with it: {page}");
}

#[test]
fn a_wrong_shape_says_where_and_what_is_known() {
    let error = own("# x\n\n{{sumary}}\n").unwrap_err();
    assert!(matches!(&error, ShapeError::Unknown { name, line: 3, .. } if name == "sumary"));
    let told = error.to_string();
    assert!(
        told.starts_with(
            "Line 3 of the shape names {{sumary}}, which is not known. Known are: facts, written, summary,"
        ),
        "{told}"
    );
    assert!(told.ends_with("cluster, subject."), "{told}");
    assert_eq!(own("x {{summary}} y"), Err(ShapeError::NotAlone { name: "summary".into(), line: 1 }));
    assert_eq!(own("x\n{{id"), Err(ShapeError::Unclosed { line: 2 }));
    assert!(matches!(own(&"x".repeat(300_000)), Err(ShapeError::TooLong { bytes: 300_000 })));
}

#[test]
fn a_section_goes_back_to_the_record_and_nothing_else_is_touched() {
    let (one, gaps, coverage) = (incident(), [gap()], coverage());
    let input = input(&one, &gaps, &coverage);
    for shape in Shape::bundled() {
        let page = markdown_shaped(&input, &shape).unwrap();
        for section in Section::ALL {
            // Where a heading has more under it than this one section, it is not replaced.
            let Some(heading) = section_heading(&page, section) else { continue };
            let edited = replace_section(&page, &heading, "Mine.").unwrap();
            assert_eq!(section_of(&edited, &heading), Some("Mine."));
            let back = replace_section(&edited, &heading, &section_markdown(&input, section)).unwrap();
            assert_eq!(back, page, "{} {section:?}", shape.name);
        }
    }
    let page = markdown(&input);
    for section in Section::ALL {
        assert_eq!(section_heading(&page, section).as_deref(), Some(section.heading()));
        assert_eq!(section_of(&page, section.heading()), Some(section_markdown(&input, section).trim()));
    }
}
