//! A hub in the test: serves the files of a directory over HTTP as the Hugging Face hub does, writes
//! down what it was asked, and fails where it is told to.

// Every test binary takes the part it needs.
#![allow(dead_code)]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use sha1::{Digest, Sha1};

/// A repository at its revisions.
#[derive(Clone, Default)]
pub struct Repository {
    /// Commit -> file -> content.
    pub commits: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// Branch or tag -> commit.
    pub refs: BTreeMap<String, String>,
}

/// What happens instead of an answer.
#[derive(Clone)]
pub enum Fault {
    /// A status and the hub's word for it.
    Status(u16, &'static str),
    /// The first half, then nothing.
    Cut,
    /// The first half, as if it were all.
    Short,
    /// The metadata are there, the content is an error page.
    PageInstead,
    /// The content is on another host.
    Elsewhere(String),
}

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
}

#[derive(Default)]
struct State {
    repositories: BTreeMap<String, Repository>,
    /// Text in the path -> what happens.
    faults: BTreeMap<String, Fault>,
    requests: Vec<Request>,
    closing: bool,
}

pub struct Hub {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

/// A commit hash.
pub fn commit(digit: char) -> String {
    digit.to_string().repeat(40)
}

/// The files of a directory.
pub fn files_of(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

/// What the hub calls a file's content: SHA-256 of weights, git's hash of the rest.
pub fn etag(file: &str, content: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect();
    if file.ends_with(".safetensors") {
        return hex(&sha2::Sha256::digest(content));
    }
    let mut git = Sha1::new();
    git.update(format!("blob {}\0", content.len()));
    git.update(content);
    hex(&git.finalize())
}

impl Repository {
    /// One commit, `main`.
    pub fn of(directory: &Path) -> Self {
        let mut repository = Self::default();
        repository.commit("main", &commit('a'), files_of(directory));
        repository
    }

    pub fn commit(&mut self, reference: &str, commit: &str, files: BTreeMap<String, Vec<u8>>) {
        self.commits.insert(commit.to_owned(), files);
        self.refs.insert(reference.to_owned(), commit.to_owned());
    }

    /// Another content of a file of `main`, or none.
    pub fn with(mut self, file: &str, content: Option<&str>) -> Self {
        let files = self.commits.get_mut(&self.refs["main"]).unwrap();
        match content {
            Some(content) => files.insert(file.to_owned(), content.into()),
            None => files.remove(file),
        };
        self
    }

    fn resolve(&self, revision: &str) -> Option<(&String, &BTreeMap<String, Vec<u8>>)> {
        let revision = revision.replace("%2F", "/");
        let commit = self.refs.get(&revision).unwrap_or(&revision);
        self.commits.get_key_value(commit)
    }
}

impl Hub {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.lock().unwrap().closing {
                    return;
                }
                // A client that leaves in the middle is none of the server's business.
                let _ = answer(stream.unwrap(), &shared);
            }
        });
        Self {
            endpoint,
            state,
            thread: Some(thread),
        }
    }

    pub fn with(self, name: &str, repository: Repository) -> Self {
        self.put(name, repository);
        self
    }

    pub fn put(&self, name: &str, repository: Repository) {
        let mut state = self.state.lock().unwrap();
        state.repositories.insert(name.to_owned(), repository);
    }

    /// Whatever has `part` in its path fails so.
    pub fn fails(self, part: &str, fault: Fault) -> Self {
        let mut state = self.state.lock().unwrap();
        state.faults.insert(part.to_owned(), fault);
        drop(state);
        self
    }

    pub fn heals(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// What was asked since the last time.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// The end of the server: nothing listens at its address any more.
    pub fn close(mut self) -> String {
        self.end();
        self.endpoint.clone()
    }

    fn end(&mut self) {
        self.state.lock().unwrap().closing = true;
        // Wakes the thread up.
        let _ = TcpStream::connect(self.endpoint.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.end();
    }
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How much of the body is sent, and how much announced.
    sent: usize,
    announced: usize,
}

impl Answer {
    fn new(status: u16, body: &[u8]) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
            sent: body.len(),
            announced: body.len(),
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn answer(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut words = first.split(' ').map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        authorization: None,
    };
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("authorization")
        {
            request.authorization = Some(value.trim().to_owned());
        }
    }
    let answer = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        state.answer(&request)
    };
    let mut out = &stream;
    write!(out, "HTTP/1.1 {} Status\r\n", answer.status)?;
    for (name, value) in &answer.headers {
        write!(out, "{name}: {value}\r\n")?;
    }
    let announced = answer.announced;
    write!(
        out,
        "content-length: {announced}\r\nconnection: close\r\n\r\n"
    )?;
    if request.method != "HEAD" {
        out.write_all(&answer.body[..answer.sent])?;
    }
    out.flush()
}

impl State {
    fn answer(&self, request: &Request) -> Answer {
        let fault = self
            .faults
            .iter()
            .find(|(part, _)| request.path.contains(*part));
        let fault = fault.map(|(_, fault)| fault);
        if let Some(Fault::Status(status, code)) = fault {
            return Answer::new(*status, b"").with("x-error-code", *code);
        }
        let path = &request.path[1..];
        if let Some(path) = path.strip_prefix("api/models/") {
            return self.information(path);
        }
        if let Some(path) = path.strip_prefix("api/datasets/") {
            return self.information(&format!("datasets/{path}"));
        }
        let found = path.split_once("/resolve/").and_then(|(name, rest)| {
            let (revision, file) = rest.split_once('/')?;
            let (commit, files) = self.repositories.get(name)?.resolve(revision)?;
            Some((commit, file, files.get(file)))
        });
        let Some((commit, file, content)) = found else {
            return Answer::new(404, b"").with("x-error-code", "RevisionNotFound");
        };
        let Some(content) = content else {
            return Answer::new(404, b"")
                .with("x-error-code", "EntryNotFound")
                .with("x-repo-commit", commit);
        };
        let mut answer = Answer::new(200, content)
            .with("x-repo-commit", commit)
            .with("etag", format!("\"{}\"", etag(file, content)));
        match fault {
            Some(Fault::Elsewhere(host)) => {
                let size = content.len().to_string();
                answer = Answer::new(302, b"")
                    .with("location", format!("{host}{}", request.path))
                    .with("x-repo-commit", commit)
                    .with("x-linked-etag", format!("\"{}\"", etag(file, content)))
                    .with("x-linked-size", size);
            }
            Some(Fault::Cut) => answer.sent /= 2,
            Some(Fault::Short) if request.method == "GET" => {
                answer.sent /= 2;
                answer.announced = answer.sent;
            }
            Some(Fault::PageInstead) if request.method == "GET" => {
                answer = Answer::new(403, b"<html>no</html>");
            }
            _ => {}
        }
        answer
    }

    /// `name` or `name/revision/rev`.
    fn information(&self, path: &str) -> Answer {
        let (name, revision) = path.split_once("/revision/").unwrap_or((path, "main"));
        let Some(repository) = self.repositories.get(name) else {
            return Answer::new(404, b"").with("x-error-code", "RepoNotFound");
        };
        let Some((commit, files)) = repository.resolve(revision) else {
            return Answer::new(404, b"").with("x-error-code", "RevisionNotFound");
        };
        let siblings: Vec<_> = files
            .keys()
            .map(|file| serde_json::json!({ "rfilename": file }))
            .collect();
        let text = serde_json::json!({ "id": name, "sha": commit, "siblings": siblings });
        Answer::new(200, text.to_string().as_bytes())
    }
}
