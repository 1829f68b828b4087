//! What a server says: refusals, nonsense, objects that are none.

use serde_json::{Value, json};

use crate::{
    afterwatch::{Home, unreadable},
    server::{Reply, Server, broken_pod, items_of},
};

fn pods(items: Vec<Value>) -> impl Fn(&crate::server::Request) -> Option<Reply> {
    move |request| (request.path == "/api/v1/pods" && !request.watches()).then(|| items_of(&items))
}

#[test]
fn one_forbidden_kind_is_listed_and_the_others_are_read() {
    let server = Server::plain(|request| {
        let nodes = request.path.starts_with("/api/v1/nodes");
        let asks = request.path.ends_with("accessreviews") && request.body.contains("\"nodes\"");
        if asks {
            let mut review: Value = serde_json::from_str(&request.body).ok()?;
            review["status"] = json!({"allowed": false, "reason": "no binding for mara"});
            return Some(Reply(201, "application/json", review.to_string()));
        }
        nodes.then(|| {
            Reply::failure(403, "Forbidden", "nodes is forbidden: User \"mara\" cannot list resource \"nodes\"")
        })
    });
    let home = Home::with_kubeconfig(&server.kubeconfig());
    let ended = home.run(&["scan", "-o", "json"]);
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    assert_eq!(unreadable(&ended.document()), [("nodes".to_owned(), "forbidden".to_owned())]);
    let ended = home.run(&["scan"]);
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    assert!(ended.stdout.contains("You may not read nodes in stub"), "{ended:#?}");
}

#[test]
fn a_kind_that_the_server_does_not_serve_is_not_unreadable() {
    let server = Server::plain(|request| {
        let old = request.path.contains("/autoscaling/");
        old.then(|| Reply(404, "text/plain", "404 page not found\n".to_owned()))
    });
    let ended = Home::with_kubeconfig(&server.kubeconfig()).run(&["scan", "-o", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(unreadable(&ended.document()).is_empty(), "{ended:#?}");
}

#[test]
fn open_incidents_win_over_what_could_not_be_read() {
    let items = vec![broken_pod("checkout", "Back-off pulling image"), json!({"metadata": {"name": 7}})];
    let server = Server::plain(pods(items));
    let ended = Home::with_kubeconfig(&server.kubeconfig()).run(&["scan", "-o", "json"]);
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    let document = ended.document();
    assert_eq!(document["incidents"].as_array().map(Vec::len), Some(1), "{document:#}");
    assert_eq!(unreadable(&document), [("pods".to_owned(), "malformed".to_owned())]);
}

#[test]
fn an_object_that_does_not_parse_is_skipped_counted_and_shown() {
    let odd = [
        json!({"metadata": {"name": 7}}),
        json!("a text"),
        json!({"metadata": {"name": "odd", "namespace": "shop", "uid": "u"}, "spec": "nothing of the kind"}),
    ];
    let server = Server::plain(pods(odd.to_vec()));
    let home = Home::with_kubeconfig(&server.kubeconfig());
    let ended = home.run(&["scan", "-o", "json"]);
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let document = ended.document();
    let told = document["unreadable"][0]["message"].as_str().unwrap_or_default();
    assert!(told.contains('3'), "how many were skipped: {document:#}");
}

#[test]
fn pages_for_people_and_other_nonsense_are_told_as_such() {
    let login = "<html><head><title>Sign in</title></head><body>Welcome to the hotel Wi-Fi</body></html>";
    for (status, kind, body) in [
        (200, "text/html", login),
        (200, "application/json", "{\"kind\": \"Coffee\"}"),
        (200, "application/json", "[1, 2"),
        (200, "application/json", ""),
        (302, "text/html", login),
        (418, "text/plain", "I am a teapot"),
    ] {
        let server = Server::plain(move |_| Some(Reply(status, kind, body.to_owned())));
        let home = Home::with_kubeconfig(&server.kubeconfig());
        let ended = home.run(&["scan", "-o", "json"]);
        assert!(matches!(ended.code, Some(1 | 4)), "{status} {body}: {ended:#?}");
        let document = ended.document();
        assert!(
            !unreadable(&document).is_empty(),
            "{status} {body}: nonsense was taken for an empty cluster: {document:#}"
        );
        assert!(!ended.stderr.contains("<html>"), "{}", ended.stderr);
    }
}

#[test]
fn a_server_that_does_not_speak_http_is_told() {
    for bytes in [&b"SSH-2.0-OpenSSH_9.9\r\n"[..], b"\x00\x01\x02\x03", b""] {
        let server = Server::raw(bytes);
        let ended = Home::with_kubeconfig(&server.kubeconfig()).run(&["scan"]);
        ended.told(1, &["stub is out of reach"]);
    }
}

#[test]
fn a_server_in_trouble_is_told_with_its_words() {
    let server = Server::plain(|_| Some(Reply::failure(500, "InternalError", "etcdserver: request timed out")));
    let ended = Home::with_kubeconfig(&server.kubeconfig()).run(&["scan", "-o", "json"]);
    ended.told(1, &["stub", "etcdserver: request timed out"]);
}

#[test]
fn a_list_that_breaks_off_is_a_gap_and_not_a_short_list() {
    let whole = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "10"}, "items": [broken_pod("checkout", "x")]});
    let half = whole.to_string();
    let half = half[..half.len() - 40].to_owned();
    let server = Server::plain(move |request| {
        (request.path == "/api/v1/pods" && !request.watches()).then(|| Reply(200, "application/json", half.clone()))
    });
    let ended = Home::with_kubeconfig(&server.kubeconfig()).run(&["scan", "-o", "json"]);
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    assert_eq!(unreadable(&ended.document()), [("pods".to_owned(), "unreachable".to_owned())]);
}
