//! No room to write.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use afterwatch_core::{
    incident::Incident,
    port::{
        Store, StoreError,
        store::{IncidentKey, IncidentQuery, Saved},
    },
};
use afterwatch_store::{Options, SqliteStore};

use crate::sample::{at, evidence, incident, open, place, quick, saved};

/// An incident that takes about 200 kB, of text that is different each time.
fn large(n: u32) -> Incident {
    let mut one = incident();
    let excerpt: String = (0..12_000).map(|i| format!("{:x} ", u64::from(n * 12_007 + i) * 0x9E37_79B9)).collect();
    one.evidence = vec![evidence(n, "a long log", &excerpt)];
    one
}

/// Records until there is no room; how many were acknowledged.
fn fill(store: &SqliteStore) -> u64 {
    for n in 1..1000 {
        match store.save(&[large(n)], &[], &[]) {
            Ok(saved) => assert!(matches!(saved[..], [Saved::Written { .. }])),
            Err(error) => {
                assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
                return u64::from(n) - 1;
            }
        }
    }
    panic!("the disk was never full");
}

fn child(test: &str, shell: &str, path: &Path) -> Output {
    Command::new("sh")
        .args(["-c", shell])
        .env("TEST", std::env::current_exe().unwrap())
        .env("NAME", format!("full_disk::{test}"))
        .env("FOLDER", path.parent().unwrap())
        .env("AFTERWATCH_TEST_FULL", path)
        .output()
        .unwrap()
}

#[test]
fn child_with_a_file_size_limit() {
    let Ok(path) = std::env::var("AFTERWATCH_TEST_FULL") else { return };
    if std::env::var("NAME").is_ok_and(|name| !name.ends_with("child_with_a_file_size_limit")) {
        return;
    }
    let store = open(Path::new(&path));
    let acknowledged = fill(&store);
    assert_eq!(store.incidents(&IncidentQuery::default()).unwrap().len() as u64, acknowledged);
    println!("acknowledged {acknowledged}");
}

#[cfg(unix)]
#[test]
fn a_write_beyond_the_limit_is_a_full_disk_and_loses_nothing() {
    let (_folder, path) = place();
    // The signal is ignored, so that the write fails instead of ending the process. The unit is 512 or 1024 bytes.
    let shell = "trap '' XFSZ; ulimit -f 4096 || exit 77; exec \"$TEST\" --exact \"$NAME\" --nocapture";
    let output = child("child_with_a_file_size_limit", shell, &path);
    if output.status.code() == Some(77) {
        return println!("skipped: the shell cannot limit file sizes");
    }
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let acknowledged: u64 = said.lines().find_map(|l| l.strip_prefix("acknowledged ")).unwrap().parse().unwrap();
    assert!(acknowledged > 1);
    let store = open(&path);
    assert_eq!(store.incidents(&IncidentQuery::default()).unwrap().len() as u64, acknowledged);
    assert_eq!(saved(&store, large(2000)).number, acknowledged + 1);
}

#[test]
fn child_on_a_small_disk() {
    let Ok(path) = std::env::var("AFTERWATCH_TEST_FULL") else { return };
    if std::env::var("NAME").is_ok_and(|name| !name.ends_with("child_on_a_small_disk")) {
        return;
    }
    let path = Path::new(&path);
    let ballast = path.with_file_name("history.db-ballast");
    let blocker = path.with_file_name("blocker");
    fs::write(&blocker, vec![1; 4 << 20]).unwrap();
    let store = SqliteStore::open_with(path, &Options { ballast: 2 << 20, ..quick() }).unwrap();
    assert!(!ballast.exists(), "who does not record leaves the room to others");
    assert!(!store.is_recording_stopped() && ballast.exists());

    let acknowledged = fill(&store);
    assert!(acknowledged > 1);
    assert!(!ballast.exists(), "thrown off");
    assert!(store.is_recording_stopped());
    // Recording waits although there would be room now; people do not.
    let error = store.save(&[large(3000)], &[], &[]).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }));
    let id = store.incident(&IncidentKey::Number(1)).unwrap().id;
    assert_eq!(store.save_notes(id, "the disk is full", at(0)).unwrap().version, 1);
    assert_eq!(store.incidents(&IncidentQuery::default()).unwrap().len() as u64, acknowledged);

    // Opened again while it is full, it still takes notes.
    drop(store);
    let store = SqliteStore::open_with(path, &Options { ballast: 2 << 20, ..quick() }).unwrap();
    assert_eq!(store.save_notes(id, "still full", at(1)).unwrap().version, 2);
    assert!(!ballast.exists(), "a note needs the room more");

    fs::remove_file(&blocker).unwrap();
    std::thread::sleep(Duration::from_millis(5100));
    assert_eq!(saved(&store, large(4000)).number, acknowledged + 1);
    assert!(ballast.exists() && !store.is_recording_stopped());
    assert_eq!(store.notes(id).unwrap().text, "still full");
    println!("went on by itself");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_recording_takes_notes_and_goes_on_by_itself() {
    let (_folder, path) = place();
    // The mount is in a namespace of the child's own and goes with it.
    let shell = "exec unshare -m sh -c 'mount -t tmpfs -o size=12m tmpfs \"$FOLDER\" || exit 77; \
                 exec \"$TEST\" --exact \"$NAME\" --nocapture'";
    let output = child("child_on_a_small_disk", shell, &path);
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) || (said.is_empty() && complained.contains("unshare")) {
        return println!("skipped: a small disk needs root ({})", complained.trim());
    }
    assert!(output.status.success() && said.contains("went on by itself"), "{said}{complained}");
}
