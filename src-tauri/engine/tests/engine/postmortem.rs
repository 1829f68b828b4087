//! The post-mortem as a document of people: redacted, reviewed, put aside and found again.

use afterwatch_core::{
    port::store::IncidentKey,
    postmortem::{Origin, Status},
};

use crate::desk::{Desk, all, app, killed, well};

/// A desk with one incident.
async fn broken() -> (Desk, IncidentKey) {
    let desk = Desk::new();
    let app = app("checkout");
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    desk.cluster.upsert([killed(&app, 1, 0)]);
    let incident = desk.incident("opened", |_| true).await;
    (desk, IncidentKey::Id(incident.id))
}

#[tokio::test]
async fn what_is_under_review_does_not_change_by_itself() {
    let (desk, key) = broken().await;
    let filled = "# As the record has it";
    desk.engine.set_draft_status(key.clone(), Status::InReview, filled, "mara").await.unwrap();
    let source = desk.engine.source(key.clone()).await.unwrap();
    assert_eq!(source.draft.unwrap().markdown, filled);
    let status = source.status.unwrap();
    assert_eq!((status.status, status.by.as_str()), (Status::InReview, "mara"));
    // Its text is kept once: what the record has learned since is another text.
    desk.engine.set_draft_status(key.clone(), Status::Reviewed, "# Something newer", "otto").await.unwrap();
    let source = desk.engine.source(key.clone()).await.unwrap();
    assert_eq!(source.draft.unwrap().markdown, filled);
    assert_eq!(source.status.unwrap().status, Status::Reviewed);
    desk.engine.save_draft(key.clone(), Some("# Edited"), Origin::Typed, "mara").await.unwrap();
    assert_eq!(desk.engine.source(key).await.unwrap().status.unwrap().status, Status::Draft);
}

#[tokio::test]
async fn another_shape_puts_the_text_aside_and_it_can_be_put_back() {
    let (desk, key) = broken().await;
    desk.engine.save_draft(key.clone(), Some("# Mine"), Origin::Typed, "mara").await.unwrap();
    desk.engine.set_draft_shape(key.clone(), "google-sre", "mara").await.unwrap();
    let source = desk.engine.source(key.clone()).await.unwrap();
    assert_eq!((source.draft, source.shape.as_deref()), (None, Some("google-sre")));
    let versions = desk.engine.draft_versions(key.clone()).await.unwrap();
    assert_eq!(versions.iter().map(|v| v.origin).collect::<Vec<_>>(), [Origin::Shaped, Origin::Typed]);
    let mine = versions[1].markdown.as_deref();
    desk.engine.save_draft(key.clone(), mine, Origin::Restored, "mara").await.unwrap();
    assert_eq!(desk.engine.source(key).await.unwrap().draft.unwrap().markdown, "# Mine");
}

#[tokio::test]
async fn a_token_that_was_pasted_is_never_written_down() {
    let (desk, key) = broken().await;
    let pasted = "Logged in with Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789";
    desk.engine.save_draft(key.clone(), Some(pasted), Origin::Typed, "mara").await.unwrap();
    desk.engine.set_draft_status(key.clone(), Status::InReview, "", "mara").await.unwrap();
    for version in desk.engine.draft_versions(key).await.unwrap() {
        let text = version.markdown.unwrap();
        assert!(!text.contains("abcdefghijklmnop"), "{text}");
    }
}
