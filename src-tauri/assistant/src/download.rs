//! Downloads a model file: only when a person asked for it, with what came before kept, and checked against its hash.

use std::{
    collections::VecDeque,
    fs::{self, TryLockError},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use futures::StreamExt;
use reqwest::{
    StatusCode, Url,
    header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::{
    catalogue::Entry,
    disk, hex,
    http::{self, Redirects, place, why},
    problem::{Problem, size},
};

/// The file that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub url: String,
    pub file: String,
    pub size_bytes: u64,
    /// In small hexadecimal letters.
    pub sha256: String,
    /// Where it can be had by hand.
    pub page: String,
}

impl Wanted {
    /// What to download for an entry of the catalogue.
    ///
    /// # Errors
    /// When its hash is not known: it is linked and not downloaded.
    pub fn of(entry: &Entry) -> Result<Wanted, Problem> {
        let Some(sha256) = entry.sha256.clone() else {
            let why = entry.unverified.as_deref().unwrap_or("its hash is not known");
            return Err(Problem::new(format!(
                "{} is not offered for download: {why}. Get it from {} and import the file.",
                entry.name, entry.page
            )));
        };
        Ok(Wanted {
            url: entry.url.clone(),
            file: entry.file.clone(),
            size_bytes: entry.size_bytes,
            sha256,
            page: entry.page.clone(),
        })
    }

    /// Where what has come lies until it is whole.
    pub fn part(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.part", self.file))
    }
}

/// How far it is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub all: u64,
    /// Seconds left at the present pace, where it can be said.
    pub left_s: Option<u32>,
}

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Attempts without a single new byte, before it is given up.
    pub attempts: u32,
    /// Before the second attempt; doubled for each further one.
    pub pause: Duration,
    /// Without a byte.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { attempts: 4, pause: Duration::from_secs(2), silence: Duration::from_secs(60) }
    }
}

/// What is known of the file that a part is the beginning of.
#[derive(Default, Serialize, Deserialize)]
struct Origin {
    url: String,
    /// A strong one only: nothing else says that two answers are of the same bytes.
    etag: Option<String>,
}

/// Downloads into the folder and returns the part file, whole and with the right hash. Dropping the future ends it;
/// what has come is kept, and the next call goes on from there.
///
/// # Errors
/// When there is no room, the server cannot be reached or offers another file, or the hash differs; then the file is
/// deleted.
pub async fn download(
    wanted: &Wanted,
    folder: &Path,
    patience: Patience,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<PathBuf, Problem> {
    let url = Url::parse(&wanted.url).map_err(|_| Problem::new(format!("{} is no address.", wanted.url)))?;
    if url.scheme() != "https" && !http::is_local(&url) {
        return Err(Problem::new(format!("{} is not encrypted, so nothing is downloaded from there.", place(&url))));
    }
    fs::create_dir_all(folder).map_err(|e| disk::trouble("The folder of models could not be made", folder, &e))?;
    let client = http::client(&url, Redirects::Followed)?;
    let mut part = Part::open(wanted, folder).await?;
    disk::room_for(wanted.size_bytes - part.done, folder)?;
    let mut pace = Pace::default();
    part.read_again(|done| progress(pace.at(done, wanted.size_bytes))).await?;
    let mut pace = Pace::default();
    let mut fruitless = 0;
    while part.done < wanted.size_bytes {
        let before = part.done;
        let tried =
            part.go_on(&client, &url, patience.silence, |done| progress(pace.at(done, wanted.size_bytes))).await;
        match tried {
            Ok(()) if part.done == wanted.size_bytes => break,
            Err(Trouble::Final(problem)) => return Err(problem),
            Ok(()) | Err(Trouble::Passing(_)) if part.done > before => fruitless = 0,
            Ok(()) | Err(Trouble::Passing(_)) => fruitless += 1,
        }
        if fruitless >= patience.attempts {
            let reason = match tried {
                Err(Trouble::Passing(reason)) => reason,
                _ => "the connection ended early".to_owned(),
            };
            let (at, came, all) = (place(&url), size(part.done), size(wanted.size_bytes));
            // Without a mark of the same bytes the next attempt has to begin anew.
            let kept = match part.etag {
                Some(_) => format!("{came} of {all} are kept; download again to go on from there."),
                None => "Download again later.".to_owned(),
            };
            return Err(Problem::new(format!("{at} does not send the file: {reason}. {kept}")));
        }
        tokio::time::sleep(patience.pause * 2_u32.pow(fruitless.saturating_sub(1).min(5))).await;
    }
    part.finish().await
}

/// Why an attempt ended.
enum Trouble {
    /// Another attempt may do better.
    Passing(String),
    Final(Problem),
}

/// What has come so far.
struct Part<'a> {
    wanted: &'a Wanted,
    path: PathBuf,
    notes: PathBuf,
    file: tokio::fs::File,
    done: u64,
    hash: Sha256,
    etag: Option<String>,
}

impl<'a> Part<'a> {
    async fn open(wanted: &'a Wanted, folder: &Path) -> Result<Part<'a>, Problem> {
        let path = wanted.part(folder);
        let notes = path.with_extension("part.json");
        let failed = |e: std::io::Error| disk::trouble("The download could not be kept", &path, &e);
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(failed)?;
        // A download that was cancelled lets go a moment later.
        for tries in 0.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < 20 => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(Problem::new(format!(
                        "{} is being downloaded already, by the app or by another command. Wait for it, or cancel it there.",
                        wanted.file
                    )));
                }
                // Some network disks know no locks; two programs at once are then caught by the hash.
                Err(TryLockError::Error(_)) => break,
            }
        }
        let origin: Origin =
            fs::read(&notes).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let mut done = file.metadata().map_err(failed)?.len();
        if origin.url != wanted.url || done > wanted.size_bytes {
            file.set_len(0).map_err(failed)?;
            done = 0;
        }
        let etag = origin.etag.filter(|_| done > 0);
        let file = tokio::fs::File::from_std(file);
        Ok(Part { wanted, path, notes, file, done, hash: Sha256::new(), etag })
    }

    /// Reads what was kept, for the hash of the whole.
    async fn read_again(&mut self, mut told: impl FnMut(u64)) -> Result<(), Problem> {
        let mut chunk = vec![0; 1 << 20];
        let (mut read, kept) = (0, self.done);
        while read < kept {
            let n = self.file.read(&mut chunk).await.map_err(|e| self.unwritten(&e))?;
            if n == 0 {
                break;
            }
            self.hash.update(&chunk[..n]);
            read += n as u64;
            told(read);
        }
        self.done = read;
        Ok(())
    }

    /// One request, until the file is whole or the connection ends.
    async fn go_on(
        &mut self,
        client: &reqwest::Client,
        url: &Url,
        silence: Duration,
        mut told: impl FnMut(u64),
    ) -> Result<(), Trouble> {
        // Without a strong mark of the same bytes the rest could be that of another file.
        if self.etag.is_none() {
            self.begin_again().await?;
        }
        let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(etag) = self.etag.as_ref().filter(|_| self.done > 0) {
            request = request.header(RANGE, format!("bytes={}-", self.done)).header(IF_RANGE, etag);
        }
        let sent = tokio::time::timeout(silence, request.send()).await;
        let answer = sent.map_err(|_| silent(silence))?.map_err(|e| self.refused(url, &e))?;
        self.judge(&answer).await?;
        let mut body = answer.bytes_stream();
        loop {
            let next = tokio::time::timeout(silence, body.next()).await.map_err(|_| silent(silence))?;
            let Some(chunk) = next else { break };
            let chunk = chunk.map_err(|e| Trouble::Passing(why(&e)))?;
            if self.done + chunk.len() as u64 > self.wanted.size_bytes {
                return Err(self.other_file("more than that").await);
            }
            self.file.write_all(&chunk).await.map_err(|e| Trouble::Final(self.unwritten(&e)))?;
            self.hash.update(&chunk);
            self.done += chunk.len() as u64;
            told(self.done);
        }
        self.file.flush().await.map_err(|e| Trouble::Final(self.unwritten(&e)))
    }

    /// Takes the answer's head in: whether it goes on, begins anew, or is of another file.
    async fn judge(&mut self, answer: &reqwest::Response) -> Result<(), Trouble> {
        let (status, headers) = (answer.status(), answer.headers());
        let etag = strong(headers);
        match status {
            StatusCode::PARTIAL_CONTENT => {
                let (from, all) = range(headers).unwrap_or((u64::MAX, u64::MAX));
                if all != self.wanted.size_bytes {
                    return Err(self.other_file(&size(all)).await);
                }
                if from != self.done || (etag.is_some() && etag != self.etag) {
                    self.begin_again().await?;
                    return Err(Trouble::Passing("the file changed on the server".to_owned()));
                }
                Ok(())
            }
            StatusCode::OK => {
                if let Some(all) = answer.content_length().filter(|all| *all != self.wanted.size_bytes) {
                    return Err(self.other_file(&size(all)).await);
                }
                self.begin_again().await?;
                self.etag = etag;
                let origin = Origin { url: self.wanted.url.clone(), etag: self.etag.clone() };
                let text = serde_json::to_vec(&origin).unwrap_or_default();
                fs::write(&self.notes, text).map_err(|e| Trouble::Final(self.unwritten(&e)))
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                self.begin_again().await?;
                Err(Trouble::Passing("the server has no rest of this file".to_owned()))
            }
            StatusCode::TOO_MANY_REQUESTS => Err(Trouble::Passing("it is asked too often".to_owned())),
            s if s.is_server_error() => Err(Trouble::Passing(format!("it answers {s}"))),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Trouble::Final(Problem::new(format!(
                "{} wants somebody to sign in first. Get {} from {} in a browser, and import it.",
                place(answer.url()),
                self.wanted.file,
                self.wanted.page
            )))),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(Trouble::Final(Problem::new(format!(
                "{} is no longer at its address. Look for it at {}, and import it.",
                self.wanted.file, self.wanted.page
            )))),
            s => Err(Trouble::Final(Problem::new(format!(
                "{} answers {s}. Get {} from {}, and import it.",
                place(answer.url()),
                self.wanted.file,
                self.wanted.page
            )))),
        }
    }

    async fn begin_again(&mut self) -> Result<(), Trouble> {
        let emptied = match self.file.set_len(0).await {
            Ok(()) => self.file.rewind().await.map(drop),
            failed => failed,
        };
        emptied.map_err(|e| Trouble::Final(self.unwritten(&e)))?;
        (self.done, self.hash, self.etag) = (0, Sha256::new(), None);
        Ok(())
    }

    /// Holds the whole against its hash.
    async fn finish(mut self) -> Result<PathBuf, Problem> {
        self.file.sync_all().await.map_err(|e| self.unwritten(&e))?;
        let hash = hex(&std::mem::take(&mut self.hash).finalize());
        if hash != self.wanted.sha256 {
            self.discard();
            return Err(Problem::new(format!(
                "Checksum differs, file deleted. What came under the name {} is not the file the catalogue means; nothing of it was used. Try again later, or get it from {}.",
                self.wanted.file, self.wanted.page
            )));
        }
        let _ = fs::remove_file(&self.notes);
        Ok(self.path)
    }

    /// The server means another file than the catalogue.
    async fn other_file(&mut self, offered: &str) -> Trouble {
        self.discard();
        Trouble::Final(Problem::new(format!(
            "The server offers another file under the name {}: {offered} instead of {}. Nothing of it was kept. Look at {}.",
            self.wanted.file,
            size(self.wanted.size_bytes),
            self.wanted.page
        )))
    }

    fn discard(&self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.notes);
    }

    fn unwritten(&self, error: &std::io::Error) -> Problem {
        disk::trouble("The download could not be kept", &self.path, error)
    }

    /// No answer came: for good where the address itself is at fault.
    fn refused(&self, url: &Url, error: &reqwest::Error) -> Trouble {
        if error.is_redirect() {
            return Trouble::Final(Problem::new(format!(
                "{} was not downloaded from {}: {}.",
                self.wanted.file,
                place(url),
                why(error)
            )));
        }
        Trouble::Passing(why(error))
    }
}

fn silent(silence: Duration) -> Trouble {
    Trouble::Passing(format!("nothing came for {} s", silence.as_secs().max(1)))
}

/// The answer's mark, where it stands for the very bytes.
fn strong(headers: &HeaderMap) -> Option<String> {
    let mark = headers.get(ETAG)?.to_str().ok()?;
    (mark.starts_with('"') && mark.len() <= 256).then(|| mark.to_owned())
}

/// First byte and whole length of `bytes 10-99/100`.
fn range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let told = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (span, all) = told.split_once('/')?;
    Some((span.split_once('-')?.0.parse().ok()?, all.parse().ok()?))
}

/// How fast it goes: over the last ten seconds, so that a slow beginning does not spoil the estimate.
#[derive(Default)]
struct Pace {
    seen: VecDeque<(Instant, u64)>,
}

impl Pace {
    fn at(&mut self, done: u64, all: u64) -> Progress {
        let now = Instant::now();
        if self.seen.back().is_none_or(|(at, _)| now - *at >= Duration::from_millis(250)) {
            self.seen.push_back((now, done));
        }
        while self.seen.len() > 2 && self.seen.front().is_some_and(|(at, _)| now - *at > Duration::from_secs(10)) {
            self.seen.pop_front();
        }
        let left_s = self.seen.front().and_then(|(at, then)| left(now - *at, done.saturating_sub(*then), all - done));
        Progress { done, all, left_s }
    }
}

/// Seconds left; nothing is said before there is something to go by.
fn left(took: Duration, came: u64, rest: u64) -> Option<u32> {
    (came > 0 && took >= Duration::from_secs(1)).then(|| {
        let seconds = rest as f64 * took.as_secs_f64() / came as f64;
        seconds.ceil().min(f64::from(u32::MAX)) as u32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_left_follow_the_pace_and_are_not_guessed_at_the_beginning() {
        assert_eq!(left(Duration::from_secs(10), 100, 1_000), Some(100));
        assert_eq!(left(Duration::from_millis(200), 100, 1_000), None);
        assert_eq!(left(Duration::from_secs(10), 0, 1_000), None);
    }

    #[test]
    fn a_weak_mark_is_no_mark() {
        let with = |mark: &'static str| strong(&HeaderMap::from_iter([(ETAG, mark.parse().unwrap())]));
        assert_eq!(with("\"abc\"").as_deref(), Some("\"abc\""));
        assert_eq!(with("W/\"abc\""), None);
    }
}
