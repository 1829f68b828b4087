//! What Settings and the command line call: the page, and what takes a while.

use std::{
    fs,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use afterwatch_assistant::{
    catalogue::{self, Entry},
    chosen::{Chosen, ModelChoice},
    download::Patience,
    key::Keys,
    models::{JobKind, Models},
};

use crate::stub::{Stub, head, sha256, tiny};

const SOON: Patience = Patience { attempts: 2, pause: Duration::from_millis(5), silence: Duration::from_secs(5) };

fn keys() -> Keys {
    let chain = keyring_core::mock::Store::new().unwrap();
    Keys::over(move || Ok(chain.clone()))
}

/// A catalogue of the tiny model, to be had from a server.
fn offered(stub: &Stub) -> Vec<Entry> {
    let bytes = fs::read(tiny()).unwrap();
    let mut entry = catalogue::catalogue()[0].clone();
    entry.id = "tiny".to_owned();
    entry.name = "Tiny".to_owned();
    entry.file = "Tiny-1.gguf".to_owned();
    entry.url = format!("{}/Tiny-1.gguf", stub.url);
    entry.size_bytes = bytes.len() as u64;
    entry.sha256 = Some(sha256(&bytes));
    let unknown =
        Entry { id: "other".to_owned(), sha256: None, unverified: Some("nobody said".to_owned()), ..entry.clone() };
    vec![entry, unknown]
}

fn good() -> Stub {
    Stub::new(|_, _, stream| {
        let bytes = fs::read(tiny()).unwrap();
        head(stream, "200 OK", &[("Content-Length", &bytes.len().to_string()), ("ETag", "\"1\"")]);
        let _ = stream.write_all(&bytes);
    })
}

#[tokio::test]
async fn a_model_is_downloaded_listed_as_verified_chosen_and_removed() {
    let (dir, stub) = (tempfile::tempdir().unwrap(), good());
    let models = Models::with(dir.path(), offered(&stub), keys(), SOON);
    let mut chosen = Chosen::default();
    let before = models.page(&chosen).await.unwrap();
    assert!(before.installed.is_empty() && before.job.is_none() && before.catalogue[0].installed.is_none());
    assert!(stub.seen().is_empty(), "nothing is contacted before somebody asks for it");
    let got = models.download("tiny").unwrap().end().await.unwrap();
    assert_eq!(got.id, "Tiny-1");
    chosen.choice = ModelChoice::File { id: got.id.clone() };
    let page = models.page(&chosen).await.unwrap();
    assert!(page.job.is_none());
    assert_eq!(page.catalogue[0].installed.as_deref(), Some("Tiny-1"));
    let model = &page.installed[0];
    assert!(model.verified && model.chosen && model.fit.fits(), "{model:?}");
    assert_eq!(model.name, "Tiny");
    // By its catalogue's id as well as by its own.
    assert_eq!(models.installed_of("tiny").await.unwrap().id, "Tiny-1");
    models.remove("Tiny-1").await.unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_has_no_hash_is_linked_and_not_downloaded() {
    let (dir, stub) = (tempfile::tempdir().unwrap(), good());
    let models = Models::with(dir.path(), offered(&stub), keys(), SOON);
    let told = models.download("other").err().unwrap().message;
    assert!(told.contains("nobody said") && told.contains("https://"), "{told}");
    assert!(models.download("none").err().unwrap().message.contains("no model none"));
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn one_thing_is_under_way_at_a_time_and_it_can_be_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let stub = Stub::new(|_, _, stream| {
        let length = fs::metadata(tiny()).unwrap().len().to_string();
        head(stream, "200 OK", &[("Content-Length", &length), ("ETag", "\"1\"")]);
        let _ = stream.write_all(&fs::read(tiny()).unwrap()[..100_000]);
        thread::sleep(Duration::from_secs(30));
    });
    let models =
        Models::with(dir.path(), offered(&stub), keys(), Patience { silence: Duration::from_secs(30), ..SOON });
    let running = models.download("tiny").unwrap();
    let mut watch = models.watch();
    let job = watch.wait_for(|j| j.as_ref().is_some_and(|j| j.done >= 100_000)).await.unwrap().clone().unwrap();
    assert_eq!(
        (job.kind, job.kind.word(), job.kind.unit(), job.model.as_str()),
        (JobKind::Download, "download", "bytes", "Tiny")
    );
    assert!(models.import(tiny()).err().unwrap().message.starts_with("Tiny is under way."));
    models.cancel();
    assert_eq!(running.end().await.unwrap_err().message, "Cancelled.");
    watch.wait_for(Option::is_none).await.unwrap();
    assert!(dir.path().join("Tiny-1.gguf.part").exists());
    models.import(tiny()).unwrap().end().await.unwrap();
}

#[tokio::test]
async fn a_failure_is_told_once_on_the_page() {
    let dir = tempfile::tempdir().unwrap();
    let models = Models::with(dir.path(), Vec::new(), keys(), SOON);
    let text = dir.path().join("x.txt");
    fs::write(&text, "x").unwrap();
    let told = models.import(text).unwrap().end().await.unwrap_err().message;
    let page = models.page(&Chosen::default()).await.unwrap();
    assert_eq!(page.job.unwrap().failed, Some(told));
    assert!(models.page(&Chosen::default()).await.unwrap().job.is_none());
}

#[tokio::test]
async fn a_file_put_into_the_folder_by_hand_is_hashed_when_the_page_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(tiny(), dir.path().join("mine.gguf")).unwrap();
    let models = Models::with(dir.path(), Vec::new(), keys(), SOON);
    let mut watch = models.watch();
    assert!(models.page(&Chosen::default()).await.unwrap().installed[0].file.sha256.is_none());
    watch.wait_for(Option::is_none).await.unwrap();
    let page = models.page(&Chosen::default()).await.unwrap();
    assert_eq!(page.installed[0].file.sha256, Some(sha256(&fs::read(tiny()).unwrap())));
}

#[tokio::test]
async fn a_server_stays_known_while_a_file_is_chosen_and_its_key_is_never_in_the_setting() {
    let dir = tempfile::tempdir().unwrap();
    let models = Models::with(dir.path(), Vec::new(), keys(), SOON);
    let mut chosen = Chosen::default();
    assert!(models.server(&chosen).unwrap().is_none());
    let named =
        models.name_server(&mut chosen, "https://gpu.example.com/", "m".to_owned(), None, Some("sk-7".to_owned()));
    assert_eq!(named.await.unwrap(), None);
    let server = models.page(&chosen).await.unwrap().server.unwrap();
    assert!(server.has_key && server.chosen && !server.local && server.warning.contains("gpu.example.com"));
    assert!(!chosen.to_setting().to_string().contains("sk-7"));
    assert_eq!(models.keys().get("https://gpu.example.com/v1").await.as_deref(), Some("sk-7"));
    assert!(models.server(&chosen).unwrap().is_some());
    chosen.choice = ModelChoice::None;
    assert!(!models.page(&chosen).await.unwrap().server.unwrap().chosen);
    // Another model on it keeps its key; another server does not get it.
    models.name_server(&mut chosen, "https://gpu.example.com/v1", "n".to_owned(), None, None).await.unwrap();
    assert!(models.page(&chosen).await.unwrap().server.unwrap().has_key);
    models.name_server(&mut chosen, "localhost:8080", "n".to_owned(), None, None).await.unwrap();
    let server = models.page(&chosen).await.unwrap().server.unwrap();
    assert!(!server.has_key && server.local);
    assert_eq!(models.keys().get("https://gpu.example.com/v1").await, None);
    models.forget_server(&mut chosen).await.unwrap();
    assert_eq!(chosen, Chosen::default());
}

#[tokio::test]
async fn the_keychain_is_not_asked_when_the_page_is_opened_and_where_there_is_none_the_user_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let keys = Keys::over(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Err(keyring_core::Error::NoDefaultStore)
    });
    let models = Models::with(dir.path(), Vec::new(), keys, SOON);
    let mut chosen = Chosen::default();
    models.name_server(&mut chosen, "localhost:8080", "m".to_owned(), None, None).await.unwrap();
    models.page(&chosen).await.unwrap();
    models.server(&chosen).unwrap().unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let told = models.name_server(&mut chosen, "localhost:8080", "m".to_owned(), None, Some("sk-8".to_owned())).await;
    assert!(told.unwrap().unwrap().starts_with("No keychain answers on this desktop"));
    assert!(models.page(&chosen).await.unwrap().server.unwrap().has_key);
    // The next start knows of no key.
    assert_eq!(chosen.to_setting()["server"]["has_key"], false);
}
