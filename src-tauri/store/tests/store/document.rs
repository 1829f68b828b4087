//! Notes and post-mortems.

use afterwatch_core::{
    incident::IncidentId,
    port::{
        Store, StoreError,
        store::{Draft, Notes},
    },
};
use afterwatch_store::SqliteStore;
use uuid::Uuid;

use crate::sample::{at, incident, saved};

fn version(version: u64, text: &str) -> Notes {
    Notes { text: text.into(), updated_at: Some(at(version as i64)), version }
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
    store.save_draft(id, None, at(0)).unwrap();
    store.save_draft(id, Some("# Mine"), at(1)).unwrap();
    assert_eq!(store.draft(id).unwrap(), Some(Draft { markdown: "# Mine".into(), updated_at: at(1), version: 1 }));
    store.save_draft(id, None, at(2)).unwrap();
    assert_eq!(store.draft(id).unwrap(), None);
    store.save_draft(id, Some("# Again"), at(3)).unwrap();
    assert_eq!(store.draft(id).unwrap().unwrap().version, 3);
}

#[test]
fn documents_of_an_incident_that_is_not_there_are_refused() {
    let store = SqliteStore::open_in_memory().unwrap();
    let id = IncidentId(Uuid::now_v7());
    let missing = Err(StoreError::NoIncident(id.to_string()));
    assert_eq!(store.save_notes(id, "lost?", at(0)), missing);
    assert_eq!(store.save_draft(id, Some("lost?"), at(0)), missing.map(drop));
    assert_eq!(store.notes(id).unwrap().version, 0);
    assert_eq!(store.revision().unwrap(), 0);
}
