//! Disks that are full or may not be written. A small file system in memory stands for them, which needs root.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::json;

use crate::{
    afterwatch::Home,
    database::{kept, recorded},
    server::Server,
};

/// A file system of its own; it goes with this.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// None, and the reason printed, where it cannot be made.
    fn new(size: &str) -> Option<Disk> {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .output();
        match made {
            Ok(output) if output.status.success() => Some(Disk { folder }),
            Ok(output) => {
                eprintln!("skipped: no disk of our own: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                eprintln!("skipped: no disk of our own: {error}");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes until nothing more goes in.
    fn fill(&self) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.path("filler")).unwrap();
        let mut piece = vec![0u8; 1 << 20];
        while !piece.is_empty() {
            if file.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.path("filler")).unwrap();
    }

    fn read_only(&self, yes: bool) {
        let mode = if yes { "remount,ro" } else { "remount,rw" };
        assert!(Command::new("mount").args(["-o", mode]).arg(self.folder.path()).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn no_database_is_begun_on_a_full_disk() {
    let Some(disk) = Disk::new("4m") else { return };
    disk.fill();
    let server = Server::usual();
    let home = Home::with_kubeconfig(&server.kubeconfig());
    let database = text(&disk.path("afterwatch.db"));
    let ended = home.run(&["watch", "--for", "2s", "-o", "json", "--db", &database]);
    ended.failed(&[&database, "full", "Free some space"]);
    disk.free();
    let ended = home.run(&["watch", "--for", "2s", "-o", "json", "--db", &database]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn on_a_full_disk_nothing_recorded_or_typed_is_lost() {
    let Some(disk) = Disk::new("24m") else { return };
    let path = disk.path("afterwatch.db");
    let (_server, home) = recorded(&path);
    let database = text(&path);
    // The space kept back for this moment is given up first: the first writes still go through.
    let long = "thoughts ".repeat(20_000);
    let mut saved = 0;
    let refused = loop {
        disk.fill();
        let ended = home.run_with(&["note", "1", "-", "--db", &database], &format!("{saved} {long}"));
        match ended.code {
            Some(0) => saved += 1,
            _ => break ended,
        }
        assert!(saved < 500, "a full disk takes everything");
    };
    refused.failed(&[&database, "full", "Free some space", "kept in"]);
    assert_eq!(std::fs::read_to_string(kept(&refused.stderr)).unwrap(), format!("{saved} {}", long.trim()));
    disk.fill();
    let editor = home.script("editor", "touch opened");
    home.env("EDITOR", editor).run(&["notes", "1", "--edit", "--db", &database]).failed(&["full"]);
    assert!(!home.path("opened").exists(), "an editor was opened for a text that has no place");

    let notes = |d: &serde_json::Value| {
        d["incidents"][0]["timeline"].as_array().unwrap().iter().filter(|e| e["kind"] == "note").count()
    };
    disk.free();
    let ended = home.run(&["note", "1", "space again", "--db", &database]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let ended = home.run(&["incident", "1", "-o", "json", "--db", &database]);
    assert_eq!(notes(&ended.document()), saved + 1);
}

#[test]
fn a_watch_whose_disk_fills_up_ends_in_time_with_what_it_saw() {
    let Some(disk) = Disk::new("24m") else { return };
    let path = disk.path("afterwatch.db");
    let (_server, home) = recorded(&path);
    let mut watch = home.start(&["watch", "-o", "json", "--db", &text(&path)]);
    watch.says("Watching stub");
    std::thread::sleep(Duration::from_secs(2));
    disk.fill();
    std::thread::sleep(Duration::from_secs(2));
    watch.signal("INT");
    let ended = watch.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert!(ended.took < Duration::from_millis(2500), "{ended:#?}");
    assert_eq!(ended.document()["incidents"][0]["number"], json!(1));
}

#[test]
fn a_post_mortem_that_does_not_fit_leaves_the_old_file() {
    let Some(disk) = Disk::new("1m") else { return };
    let (folder, out) = (tempfile::tempdir().unwrap(), disk.path("report.md"));
    let path = folder.path().join("afterwatch.db");
    let (_server, home) = recorded(&path);
    std::fs::write(&out, "yesterday's report\n").unwrap();
    disk.fill();
    let ended = home.run(&["report", "1", "--db", &text(&path), "--out", &text(&out)]);
    ended.failed(&[&text(&out), "Free some space"]);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "yesterday's report\n");
    disk.free();
    let ended = home.run(&["report", "1", "--db", &text(&path), "--out", &text(&out)]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(std::fs::read_to_string(&out).unwrap().starts_with("# INC-1"));
}

#[test]
fn a_database_that_may_not_be_written_is_told() {
    let Some(disk) = Disk::new("24m") else { return };
    let path = disk.path("afterwatch.db");
    let (_server, home) = recorded(&path);
    let database = text(&path);
    disk.read_only(true);
    for command in [vec!["ack", "1"], vec!["note", "1", "a thought"], vec!["watch", "--for", "2s", "-o", "json"]] {
        let command = [command, vec!["--db", &database]].concat();
        home.run(&command).failed(&[&database, "cannot be written", "--db"]);
    }
    home.run(&["watch", "--for", "2s", "--db", &text(&disk.path("new.db"))]).failed(&["new.db", "cannot be written"]);
    disk.read_only(false);
    let ended = home.run(&["ack", "1", "--db", &database]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}
