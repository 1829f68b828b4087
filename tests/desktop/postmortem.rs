//! The post-mortem, written in the real window: the editor's styles pass the content policy, what is typed is checked
//! and kept, and the report leaves as files.

use std::path::PathBuf;

use fantoccini::key::Key;

use crate::support::{
    alone, calm,
    desktop::{Desktop, Offers},
    eventually, story,
    window::Window,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_is_checked_as_it_is_typed_and_the_report_leaves_as_pdf() {
    let _alone = alone().await;
    let (stub, desktop) = calm(Offers::default()).await;
    let window = Window::open(&desktop).await;
    window.reads("Choose what to watch").await;
    window.watch("kind-dev").await;
    story::crash(&stub);
    desktop.notifications.as_ref().unwrap().wait("the notification", |s| s.title.contains(story::NAME)).await;
    window.click_incident(story::NAME).await;
    window.click("Post-mortem").await;
    window.find(".cm-content .cm-heading").await;
    window.picture("post-mortem-filled").await;

    // The editor makes its styles at run time: without them the line numbers would stand above the text.
    let laid_out = "const box = (css) => document.querySelector(css).getBoundingClientRect();
        const [numbers, text] = [box('.cm-gutters'), box('.cm-content')];
        return numbers.width > 20 && numbers.right <= text.left + 1 && Math.abs(numbers.top - text.top) < 4";
    let laid_out = window.client.execute(laid_out, vec![]).await.unwrap();
    assert_eq!(laid_out, true, "the content policy keeps the editor's styles out");
    assert!(!window.text().await.contains("Cites nothing"), "what the record fills cites the record");

    // What a person types is checked, saved and kept.
    window.find(".cm-content").await.click().await.unwrap();
    window.chord(Key::Control, 'a').await;
    let enter = char::from(Key::Enter);
    let text = format!("# Mine{enter}{enter}## Summary{enter}{enter}It broke by itself.");
    window.keys(&text).await;
    window.reads("Cites nothing").await;
    window.reads("Line 5: “It broke by itself.”").await;
    window.find(".cm-nothing").await;
    window.find(".report .nothing").await;
    window.chord(Key::Control, 's').await;
    window.reads("Saved.").await;
    window.picture("post-mortem-typed").await;
    assert_eq!(window.violations().await, Vec::<String>::new());

    window.click("Mark line 5 as not established").await;
    window.reads("1 says what is not established").await;
    let source = window.text_of(".cm-content").await;
    assert!(source.contains("*Not established:* It broke by itself."), "{source}");

    // Out, with everything that goes with it.
    std::fs::create_dir_all(desktop.saved()).unwrap();
    window.click("Export").await;
    window.click("PDF, A4…").await;
    window.reads("Saved to ").await;
    window.picture("post-mortem-exported").await;
    let pdf = std::fs::read(saved(&desktop, "pdf").await).unwrap();
    assert!(pdf.starts_with(b"%PDF-1."), "{:?}", &pdf[..8.min(pdf.len())]);
    assert!(pdf.len() > 10_000 && pdf.windows(5).any(|end| end == b"%%EOF"), "{} bytes", pdf.len());
    for (entry, extension, sign) in [
        ("Markdown…", "md", "*Not established:* It broke by itself."),
        ("Web page (HTML)…", "html", "It broke by itself."),
    ] {
        window.click("Export").await;
        window.click(entry).await;
        let text = std::fs::read_to_string(saved(&desktop, extension).await).unwrap();
        assert!(text.contains(sign), "{text}");
    }
    saved(&desktop, "svg").await;

    // A review, and the version before it.
    window.click("Status: Draft").await;
    window.click("Reviewed").await;
    window.reads("The post-mortem is now: Reviewed.").await;
    window.find(".cm-content").await.click().await.unwrap();
    window.keys("x").await;
    window.reads("An edit makes it a draft again").await;
    window.picture("post-mortem-reviewed").await;
    window.click("Leave it reviewed").await;
    window.gone("dialog[open]").await;
    window.click("Rewrite").await;
    window.click("Versions…").await;
    window.reads("as the record filled it").await;
    window.picture("post-mortem-versions").await;
    assert_eq!(window.violations().await, Vec::<String>::new());
    window.close().await;
}

/// Waits for the file that was written.
async fn saved(desktop: &Desktop, extension: &str) -> PathBuf {
    let folder = desktop.saved();
    eventually(&format!("the saved {extension}"), async || {
        std::fs::read_dir(&folder)
            .ok()?
            .flatten()
            .map(|e| e.path())
            .find(|p| p.extension().is_some_and(|e| e == extension))
    })
    .await
}
