//! The packages, as somebody who downloads them gets them. Run by `make test-package`, which builds them and makes a
//! copy of the system in which they may be installed: nothing of this machine is changed.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::{Command, Output},
};

use crate::{
    frame::start,
    support::{
        alone, calm,
        desktop::Offers,
        eventually, rpm, story,
        window::{Window, app},
    },
};

/// What both packages bring, wherever shells and documentation have no folder of their own.
const BOTH: &[&str] = &[
    "/usr/bin/afterwatch",
    "/usr/bin/kubectl-afterwatch",
    "/usr/bin/kubectl_complete-afterwatch",
    "/usr/lib/afterwatch/afterwatch-model",
    "/usr/share/applications/Afterwatch.desktop",
    "/usr/share/metainfo/io.github.afterwatch.metainfo.xml",
    "/usr/share/icons/hicolor/32x32/apps/afterwatch.png",
    "/usr/share/icons/hicolor/128x128/apps/afterwatch.png",
    "/usr/share/icons/hicolor/256x256@2/apps/afterwatch.png",
    "/usr/share/icons/hicolor/scalable/apps/afterwatch.svg",
    "/usr/share/man/man1/afterwatch.1.gz",
    "/usr/share/man/man1/kubectl-afterwatch.1.gz",
    "/usr/share/man/man1/kubectl-afterwatch-scan.1.gz",
    "/usr/share/bash-completion/completions/kubectl-afterwatch",
    "/usr/share/fish/vendor_completions.d/kubectl-afterwatch.fish",
    "/usr/share/doc/afterwatch/LICENSE",
    "/usr/share/doc/afterwatch/changelog.gz",
    "/usr/share/doc/afterwatch/third-party.gz",
];

#[test]
#[ignore = "needs the packages: make test-package"]
fn both_packages_bring_the_programs_and_everything_around_them() {
    let deb: BTreeSet<String> = text(&run("dpkg-deb", &["--contents", &package("deb")]))
        .lines()
        .filter(|line| !line.starts_with('d'))
        .filter_map(|line| line.split_whitespace().nth(5))
        .map(|path| format!("/{}", path.trim_start_matches("./")))
        .collect();
    let rpm = rpm::read(&package("rpm"));
    for path in BOTH {
        assert!(deb.contains(*path), "the deb lacks {path}: {deb:?}");
        assert!(rpm.files.contains(*path), "the rpm lacks {path}: {:?}", rpm.files);
    }
    for path in ["/usr/share/doc/afterwatch/copyright", "/usr/share/zsh/vendor-completions/_kubectl-afterwatch"] {
        assert!(deb.contains(path), "the deb lacks {path}: {deb:?}");
    }
    assert!(rpm.files.contains("/usr/share/zsh/site-functions/_kubectl-afterwatch"), "{:?}", rpm.files);

    let field = |name: &str| text(&run("dpkg-deb", &["--field", &package("deb"), name])).trim().to_owned();
    assert_eq!((field("Package"), rpm.name.as_str()), ("afterwatch".into(), "afterwatch"));
    assert_eq!((field("Version"), rpm.version.as_str()), (env!("CARGO_PKG_VERSION").into(), env!("CARGO_PKG_VERSION")));
    for needed in ["libwebkit2gtk-4.1-0", "libgtk-3-0"] {
        assert!(field("Depends").contains(needed), "{}", field("Depends"));
    }
    assert!(rpm.requires.iter().any(|need| need.contains("libwebkit2gtk-4.1.so.0")), "{:?}", rpm.requires);
    assert_eq!(rpm.licence, "Apache-2.0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "installs packages: make test-package"]
async fn the_package_installs_and_starts_and_an_upgrade_keeps_the_history() {
    let _alone = alone().await;
    run("dpkg", &["--install", &package("before")]);
    let before = installed();
    let (stub, desktop) = calm(Offers::default()).await;
    assert_eq!(app(), PathBuf::from("/usr/bin/afterwatch"), "what is started is what was installed");
    assert!(desktop.cli(&["--version"]).await.starts_with("kubectl-afterwatch "));
    let report = desktop.cli(&["doctor"]).await;
    assert!(report.contains("kind-dev"), "{report}");
    // It ends when nobody asks any more, and needs nothing that the package does not bring.
    let worker = Command::new("/usr/lib/afterwatch/afterwatch-model").stdin(std::process::Stdio::null()).output();
    assert!(worker.as_ref().is_ok_and(|ended| ended.status.success()), "{worker:?}");

    let window = Window::open(&desktop).await;
    window.watch("kind-dev").await;
    story::crash(&stub);
    window.click_incident(story::NAME).await;
    let note = "Written in the version before.";
    window.find("textarea[data-notes]").await.send_keys(note).await.unwrap();
    eventually("the note to be saved", async || {
        let text = window.text().await;
        (text.contains("Saved ") && !text.contains("Saving")).then_some(())
    })
    .await;
    window.picture("package-installed").await;
    window.close().await;

    run("dpkg", &["--install", &package("deb")]);
    assert_ne!(installed(), before, "it is an upgrade");
    let window = Window::open(&desktop).await;
    // As the desktop's entry starts it for a link.
    let entry = std::fs::read_to_string("/usr/share/applications/Afterwatch.desktop").unwrap();
    assert!(entry.contains("\nExec=afterwatch %u\n") && entry.contains("x-scheme-handler/afterwatch;"), "{entry}");
    assert!(start(&desktop, &["afterwatch://incident/1"]).await.success());
    let area = window.find("textarea[data-notes]").await;
    assert_eq!(area.prop("value").await.unwrap().unwrap_or_default(), note);
    assert!(!window.text().await.contains("INC-2"));
    assert_eq!(desktop.cli(&["notes", "1"]).await.trim(), note);
    window.close().await;

    run("dpkg", &["--remove", "afterwatch"]);
    assert!(!app_is_there(), "the programs are gone");
    assert!(desktop.data().join("afterwatch.db").is_file(), "the history belongs to its owner");
}

fn app_is_there() -> bool {
    PathBuf::from("/usr/bin/afterwatch").exists() || PathBuf::from("/usr/bin/kubectl-afterwatch").exists()
}

/// The path of a package that `packaging/test` names.
fn package(which: &str) -> String {
    let name = format!("AFTERWATCH_PACKAGE_{}", which.to_uppercase());
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run `make test-package`"))
}

fn installed() -> String {
    text(&run("dpkg-query", &["--show", "--showformat=${Version} ${db:Status-Status}", "afterwatch"]))
}

fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
