//! Who may ask the played API server.

use std::io::{Read, Write};

use afterwatch_core::port::Clock;
use afterwatch_drill::{Pace, Player};

use crate::stage::recording;

/// The status line of an answer to a request of our own.
fn ask(port: u16, head: &str) -> String {
    get(port, "/api/v1/pods", head)
}

fn get(port: u16, path: &str, head: &str) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{head}\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_knows_the_token_may_ask_and_no_web_page() {
    let story = recording("healthy-roll-out");
    let player = Player::start(&story, Pace { speed: 60.0, skip_calm: false }).await.unwrap();
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(player.kubeconfig()).unwrap()).unwrap();
    let token = config["users"][0]["user"]["token"].as_str().unwrap();
    let server = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
    let port: u16 = server.rsplit(':').next().unwrap().parse().unwrap();
    let (bearer, here) = (format!("Authorization: Bearer {token}\r\n"), format!("Host: 127.0.0.1:{port}\r\n"));
    assert!(ask(port, &format!("{here}{bearer}")).contains("200"));
    assert!(get(port, &format!("/{token}/api/v1/pods"), &here).contains("200"), "as kubectl asks");
    assert!(get(port, &format!("/{}/api/v1/pods", &token[1..]), &here).contains("401"));
    for (head, who) in [
        (here.clone(), "without a token"),
        (format!("{here}Authorization: Bearer {}\r\n", "0".repeat(token.len())), "with another token"),
        (format!("Host: evil.example:{port}\r\n{bearer}"), "under another name"),
        (format!("{here}{bearer}Origin: https://evil.example\r\n"), "from a web page"),
    ] {
        assert!(ask(port, &head).contains("401"), "{who}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(player.kubeconfig()).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "nobody else may read the token");
    }
    let (file, clock) = (player.kubeconfig().to_owned(), player.clock());
    assert!(clock.now() < clock.ends(), "the story waits until somebody watches");
    drop(player);
    assert!(!file.exists(), "nothing is left behind");
}
