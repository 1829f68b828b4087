//! Notes and post-mortems.

use afterwatch_core::{
    incident::IncidentId,
    port::{
        Store, StoreError,
        store::{Draft, Notes},
    },
    postmortem::{Edit, Origin, Status, StatusChange},
};
use afterwatch_store::SqliteStore;
use uuid::Uuid;

use crate::sample::{at, incident, saved};

fn version(version: u64, text: &str) -> Notes {
    Notes { text: text.into(), updated_at: Some(at(version as i64)), version }
}

fn typed(markdown: Option<&str>) -> Edit<'_> {
    Edit { markdown, origin: Origin::Typed, by: "mara" }
}

#[test]
fn notes_keep_every_version_and_the_same_text_again_is_no_edit() {
    let store = SqliteStore::open_in_memory().unwrap();
    let id = saved(&store, incident()).id;
    assert_eq!(store.notes(id).unwrap(), Notes { text: String::new(), updated_at: None, version: 0 });
    assert_eq!(store.save_notes(id, "", at(0)).unwrap().version, 0);
    assert_eq!(store.save_notes(id, "one", at(1)).unwrap(), version(1, "one"));
    assert_eq!(store.save_notes(id, "one", at(9)).unwrap(), version(1, "one"));
    store.save_notes(id, "two", at(2)).unwrap();
    store.save_notes(id, "", at(3)).unwrap();
    assert_eq!(store.notes(id).unwrap(), version(3, ""));
    assert_eq!(store.notes_history(id).unwrap(), [version(2, "two"), version(1, "one")]);
}

#[test]
fn a_post_mortem_goes_back_to_the_template_and_can_be_written_again() {
    let store = SqliteStore::open_in_memory().unwrap();
    let id = saved(&store, incident()).id;
    assert_eq!(store.draft(id).unwrap(), None);
    store.save_draft(id, &typed(None), at(0)).unwrap();
    store.save_draft(id, &typed(Some("# Mine")), at(1)).unwrap();
    assert_eq!(store.draft(id).unwrap(), Some(Draft { markdown: "# Mine".into(), updated_at: at(1), version: 1 }));
    store.save_draft(id, &typed(None), at(2)).unwrap();
    assert_eq!(store.draft(id).unwrap(), None);
    store.save_draft(id, &typed(Some("# Again")), at(3)).unwrap();
    assert_eq!(store.draft(id).unwrap().unwrap().version, 3);
}

#[test]
fn what_is_typed_within_a_minute_is_one_version_and_everything_else_is_kept() {
    let store = SqliteStore::open_in_memory().unwrap();
    let id = saved(&store, incident()).id;
    let texts = || -> Vec<(u64, Origin, Option<String>)> {
        store.draft_versions(id).unwrap().into_iter().map(|v| (v.version, v.origin, v.markdown)).collect()
    };
    let version = |n, origin, text: Option<&str>| (n, origin, text.map(str::to_owned));
    store.save_draft(id, &typed(Some("a")), at(0)).unwrap();
    store.save_draft(id, &typed(Some("ab")), at(30)).unwrap();
    store.save_draft(id, &typed(Some("abc")), at(59)).unwrap();
    assert_eq!(texts(), [version(1, Origin::Typed, Some("abc"))]);
    // The minute counts from the first letter, so that typing on does not swallow an evening.
    store.save_draft(id, &typed(Some("abcd")), at(61)).unwrap();
    // Another person, another reason and the way back to the template are versions of their own at once.
    store.save_draft(id, &Edit { by: "otto", ..typed(Some("abcde")) }, at(62)).unwrap();
    store.save_draft(id, &Edit { origin: Origin::Restored, ..typed(Some("abc")) }, at(63)).unwrap();
    store.save_draft(id, &Edit { origin: Origin::Filled, ..typed(None) }, at(64)).unwrap();
    store.save_draft(id, &typed(Some("new")), at(65)).unwrap();
    assert_eq!(
        texts(),
        [
            version(6, Origin::Typed, Some("new")),
            version(5, Origin::Filled, None),
            version(4, Origin::Restored, Some("abc")),
            version(3, Origin::Typed, Some("abcde")),
            version(2, Origin::Typed, Some("abcd")),
            version(1, Origin::Typed, Some("abc")),
        ]
    );
    assert_eq!(store.draft_versions(id).unwrap()[2].by.as_deref(), Some("mara"));
}

#[test]
fn a_long_text_that_is_taken_out_again_within_the_minute_stays_a_version() {
    let store = SqliteStore::open_in_memory().unwrap();
    let id = saved(&store, incident()).id;
    let pasted = "word ".repeat(100);
    store.save_draft(id, &typed(Some(&pasted)), at(0)).unwrap();
    store.save_draft(id, &typed(Some("")), at(1)).unwrap();
    let kept: Vec<_> = store.draft_versions(id).unwrap().into_iter().filter_map(|v| v.markdown).collect();
    assert_eq!(kept, [String::new(), pasted]);
}

#[test]
fn a_status_is_kept_with_time_and_person_and_a_changed_text_is_a_draft_again() {
    let store = SqliteStore::open_in_memory().unwrap();
    let id = saved(&store, incident()).id;
    let change = |status, second, by: &str| StatusChange { status, at: at(second), by: by.into() };
    store.save_draft(id, &typed(Some("# Mine")), at(0)).unwrap();
    // A draft is what it is from the beginning.
    store.set_draft_status(id, &change(Status::Draft, 1, "mara")).unwrap();
    assert_eq!(store.draft_statuses(id).unwrap(), []);
    store.set_draft_status(id, &change(Status::InReview, 2, "mara")).unwrap();
    store.save_draft(id, &typed(Some("# Mine, better")), at(3)).unwrap();
    store.set_draft_status(id, &change(Status::Reviewed, 4, "otto")).unwrap();
    store.set_draft_status(id, &change(Status::Reviewed, 5, "mara")).unwrap();
    // The same text again is no edit.
    store.save_draft(id, &typed(Some("# Mine, better")), at(6)).unwrap();
    let reviewed = [change(Status::InReview, 2, "mara"), change(Status::Reviewed, 4, "otto")];
    assert_eq!(store.draft_statuses(id).unwrap(), reviewed);
    store.save_draft(id, &typed(Some("# Something else")), at(7)).unwrap();
    assert_eq!(store.draft_statuses(id).unwrap().pop(), Some(change(Status::Draft, 7, "mara")));
}

#[test]
fn a_shape_is_kept_until_another_is_chosen() {
    let store = SqliteStore::open_in_memory().unwrap();
    let id = saved(&store, incident()).id;
    assert_eq!(store.draft_shape(id).unwrap(), None);
    store.set_draft_shape(id, "google-sre").unwrap();
    store.set_draft_shape(id, "atlassian").unwrap();
    assert_eq!(store.draft_shape(id).unwrap().as_deref(), Some("atlassian"));
}

#[test]
fn documents_of_an_incident_that_is_not_there_are_refused() {
    let store = SqliteStore::open_in_memory().unwrap();
    let id = IncidentId(Uuid::now_v7());
    let missing = Err(StoreError::NoIncident(id.to_string()));
    assert_eq!(store.save_notes(id, "lost?", at(0)), missing);
    assert_eq!(store.save_draft(id, &typed(Some("lost?")), at(0)), missing.map(drop));
    assert_eq!(store.notes(id).unwrap().version, 0);
    assert_eq!(store.revision().unwrap(), 0);
}
