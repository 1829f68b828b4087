//! Downloads, from servers that are not always well.

use std::{
    fs,
    io::Write,
    net::TcpStream,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use afterwatch_assistant::{
    download::{Patience, Progress, Wanted, download},
    problem::Problem,
};

use crate::stub::{Request, Stub, head, sha256, whole};

const SOON: Patience = Patience { attempts: 3, pause: Duration::from_millis(5), silence: Duration::from_millis(600) };

fn content() -> Vec<u8> {
    (0..400_000u32).flat_map(|n| n.to_le_bytes()).collect()
}

fn wanted(stub: &Stub) -> Wanted {
    Wanted {
        url: format!("{}/m.gguf", stub.url),
        file: "m.gguf".to_owned(),
        size_bytes: content().len() as u64,
        sha256: sha256(&content()),
        page: "https://models.example.com/m".to_owned(),
    }
}

async fn fetch(wanted: &Wanted, folder: &Path) -> Result<Vec<u8>, Problem> {
    let seen: Mutex<Vec<Progress>> = Mutex::default();
    let path = download(wanted, folder, SOON, &|p| seen.lock().unwrap().push(p)).await?;
    let seen = seen.into_inner().unwrap();
    assert!(seen.iter().all(|p| p.done <= p.all && p.all == wanted.size_bytes));
    assert_eq!(seen.last().map(|p| p.done), Some(wanted.size_bytes));
    Ok(fs::read(path).unwrap())
}

/// Serves the file with resume, and sends no more than `most` bytes a connection.
fn serve(request: &Request, most: usize, etag: &str, stream: &mut TcpStream) {
    let bytes = content();
    let from = request.from().filter(|_| request.header("if-range") == Some(etag));
    let rest = &bytes[from.unwrap_or(0)..];
    let length = rest.len().to_string();
    match from {
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            let headers = [("Content-Length", length.as_str()), ("Content-Range", &range), ("ETag", etag)];
            head(stream, "206 Partial Content", &headers);
        }
        None => head(stream, "200 OK", &[("Content-Length", &length), ("ETag", etag)]),
    }
    let _ = stream.write_all(&rest[..most.min(rest.len())]);
}

#[tokio::test]
async fn a_connection_that_is_cut_again_and_again_still_ends_with_the_whole_file() {
    let stub = Stub::new(|request, _, stream| serve(request, 300_000, "\"v1\"", stream));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&wanted(&stub), dir.path()).await.unwrap(), content());
    let seen = stub.seen();
    assert!(seen.len() > 4 && seen[0].from().is_none(), "{}", seen.len());
    assert!(seen[1..].iter().all(|r| r.from().is_some() && r.header("if-range") == Some("\"v1\"")));
}

#[tokio::test]
async fn what_came_before_the_program_ended_is_used_by_the_next_one() {
    let stub = Stub::new(|request, number, stream| {
        serve(request, if number == 0 { 700_000 } else { usize::MAX }, "\"v1\"", stream);
        if number == 0 {
            thread::sleep(Duration::from_secs(5));
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let wanted = wanted(&stub);
    // Dropped in its middle, as by a person who cancels.
    let far = Arc::new(Mutex::new(0));
    {
        let told = far.clone();
        let tell = move |p: Progress| *told.lock().unwrap() = p.done;
        let begun = download(&wanted, dir.path(), SOON, &tell);
        let enough = async {
            while *far.lock().unwrap() < 600_000 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::select! {
            ended = begun => panic!("{ended:?}"),
            () = enough => {}
        }
    }
    assert!(wanted.part(dir.path()).exists());
    assert_eq!(fetch(&wanted, dir.path()).await.unwrap(), content());
    assert!(stub.seen().last().unwrap().from().unwrap() >= 500_000);
}

#[tokio::test]
async fn another_file_under_the_same_address_is_begun_anew_and_not_joined_to_the_old_one() {
    let stub = Stub::new(|request, number, stream| {
        let etag = if number == 0 { "\"v1\"" } else { "\"v2\"" };
        serve(request, if number == 0 { 500_000 } else { usize::MAX }, etag, stream);
    });
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&wanted(&stub), dir.path()).await.unwrap(), content());
    assert_eq!(stub.seen().len(), 2);
}

#[tokio::test]
async fn a_server_that_joins_the_rest_of_another_file_is_found_out_by_the_mark() {
    let stub = Stub::new(|request, number, stream| match number {
        0 => serve(request, 500_000, "\"v1\"", stream),
        1 => {
            let (from, all) = (request.from().unwrap(), content().len());
            let range = format!("bytes {from}-{}/{all}", all - 1);
            let length = (all - from).to_string();
            let headers = [("Content-Length", length.as_str()), ("Content-Range", &range), ("ETag", "\"v2\"")];
            head(stream, "206 Partial Content", &headers);
            let _ = stream.write_all(&vec![7; all - from]);
        }
        _ => serve(request, usize::MAX, "\"v2\"", stream),
    });
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&wanted(&stub), dir.path()).await.unwrap(), content());
}

#[tokio::test]
async fn a_wrong_hash_deletes_the_file_and_says_so() {
    let stub = Stub::new(|_, _, stream| {
        let mut bytes = content();
        bytes[1_000] ^= 1;
        head(stream, "200 OK", &[("Content-Length", &bytes.len().to_string())]);
        let _ = stream.write_all(&bytes);
    });
    let dir = tempfile::tempdir().unwrap();
    let told = fetch(&wanted(&stub), dir.path()).await.unwrap_err().message;
    assert!(told.starts_with("Checksum differs, file deleted."), "{told}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_server_that_offers_another_length_is_told_before_and_while_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let larger = Stub::new(|_, _, stream| head(stream, "200 OK", &[("Content-Length", "999999999999")]));
    let told = fetch(&wanted(&larger), dir.path()).await.unwrap_err().message;
    assert!(told.contains("1000.0 GB instead of 1 MB"), "{told}");
    // Without a length it is stopped at the first byte too many.
    let endless = Stub::new(|_, _, stream| {
        head(stream, "200 OK", &[("ETag", "\"x\"")]);
        while stream.write_all(&[0; 65_536]).is_ok() {}
    });
    let told = fetch(&wanted(&endless), dir.path()).await.unwrap_err().message;
    assert!(told.contains("The server offers another file"), "{told}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_server_that_goes_silent_or_fails_is_given_up_with_what_came_kept() {
    let stub = Stub::new(|request, number, stream| match number {
        0 => {
            serve(request, 400_000, "\"v1\"", stream);
            thread::sleep(Duration::from_secs(20));
        }
        _ => whole(stream, "503 Service Unavailable", "text/plain", "later"),
    });
    let dir = tempfile::tempdir().unwrap();
    let wanted = wanted(&stub);
    let told = fetch(&wanted, dir.path()).await.unwrap_err().message;
    assert!(told.contains("503") && told.contains("download again to go on from there"), "{told}");
    assert_eq!(fs::metadata(wanted.part(dir.path())).unwrap().len(), 400_000);
}

#[tokio::test]
async fn refusals_name_the_page_where_the_file_can_be_had() {
    for (status, words) in [("404 Not Found", "no longer at its address"), ("403 Forbidden", "sign in first")] {
        let stub = Stub::new(move |_, _, stream| whole(stream, status, "text/plain", "no"));
        let dir = tempfile::tempdir().unwrap();
        let told = fetch(&wanted(&stub), dir.path()).await.unwrap_err().message;
        assert!(told.contains(words) && told.contains("https://models.example.com/m"), "{told}");
        assert_eq!(stub.seen().len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_fetched_from_an_address_that_is_not_encrypted_not_even_after_a_redirect() {
    let dir = tempfile::tempdir().unwrap();
    let away = Stub::new(|_, _, stream| {
        head(stream, "302 Found", &[("Location", "http://models.example.com/m.gguf"), ("Content-Length", "0")])
    });
    let told = fetch(&wanted(&away), dir.path()).await.unwrap_err().message;
    assert!(told.contains("not encrypted"), "{told}");
    let plain = Wanted { url: "http://models.example.com/m.gguf".to_owned(), ..wanted(&away) };
    assert!(fetch(&plain, dir.path()).await.unwrap_err().message.contains("not encrypted"));
    // On this computer a redirect is followed.
    let real = Stub::new(|request, _, stream| serve(request, usize::MAX, "\"v1\"", stream));
    let to = format!("{}/m.gguf", real.url);
    let near = Stub::new(move |_, _, stream| head(stream, "302 Found", &[("Location", &to), ("Content-Length", "0")]));
    assert_eq!(fetch(&wanted(&near), dir.path()).await.unwrap(), content());
}

#[tokio::test]
async fn what_the_disk_has_no_room_for_is_not_begun() {
    let stub = Stub::new(|_, _, stream| whole(stream, "200 OK", "text/plain", ""));
    let dir = tempfile::tempdir().unwrap();
    let huge = Wanted { size_bytes: u64::MAX / 4, ..wanted(&stub) };
    let told = fetch(&huge, dir.path()).await.unwrap_err().message;
    assert!(told.starts_with("Needs ") && told.contains("are free"), "{told}");
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn the_same_file_is_not_downloaded_by_two_at_once() {
    let stub = Stub::new(|request, _, stream| {
        serve(request, 100_000, "\"v1\"", stream);
        thread::sleep(Duration::from_secs(30));
    });
    let dir = tempfile::tempdir().unwrap();
    let wanted = wanted(&stub);
    let slow = Patience { silence: Duration::from_secs(30), ..SOON };
    let first = download(&wanted, dir.path(), slow, &|_| {});
    let second = async {
        while stub.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        download(&wanted, dir.path(), SOON, &|_| {}).await
    };
    tokio::select! {
        ended = first => panic!("{ended:?}"),
        told = second => assert!(told.unwrap_err().message.contains("is being downloaded already")),
    }
}
