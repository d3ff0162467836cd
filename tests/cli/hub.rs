//! `--model org/name`: fetched from a hub (a server in this process) into the cache that the Python
//! client shares, and refused in one clear line where that fails.

use std::{collections::BTreeMap, fs, path::Path};

use crate::support_cli::{Ended, Place, cola, fixture_model, text, words};
use crate::support_hub::{Fault, Hub, Repository, commit, etag, files_of};

const SHARDED: &str = "sharded-f16";
const LLAMA: &str = "llama31-gqa-tied-bf16";

/// A hub with the two models.
fn hub() -> Hub {
    Hub::new()
        .with("org/sharded", Repository::of(&fixture_model(SHARDED)))
        .with("org/llama", Repository::of(&fixture_model(LLAMA)))
}

/// Runs a command line with the hub at an address, its cache below `home`.
fn run(place: &Place, endpoint: &str, line: &str, environment: &[(&str, &str)]) -> Ended {
    let mut command = cola(place.path());
    for variable in [
        "HF_HUB_OFFLINE",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN",
        "HF_TOKEN_PATH",
        "TRANSFORMERS_OFFLINE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        command.env_remove(variable);
    }
    command.env("HF_HOME", place.join("home"));
    command.env("HF_ENDPOINT", endpoint);
    command.envs(environment.iter().copied());
    Ended::of(command.args(words(line)).output().unwrap())
}

#[track_caller]
fn ok(place: &Place, hub: &Hub, line: &str) -> Ended {
    run(place, &hub.endpoint, line, &[]).with_status(0)
}

/// The reason of a refusal: the last line. Those before it may say what was fetched.
#[track_caller]
fn refused(ended: Ended, names: &[&str]) {
    let ended = ended.with_status(2);
    assert_eq!(ended.stdout, "", "{ended:#?}");
    let mut lines: Vec<&str> = ended.stderr.lines().collect();
    let last = lines.pop().unwrap_or_default();
    for line in lines {
        assert!(line.starts_with("cola: fetching org/"), "{ended:#?}");
    }
    assert!(last.starts_with("cola: --model "), "{ended:#?}");
    for name in names {
        assert!(last.contains(name), "{last}\nlacks {name:?}");
    }
}

/// `inspect`'s answer for the local directory.
fn inspected(place: &Place, model: &str) -> String {
    let model = fixture_model(model);
    place
        .ok(&format!("inspect --json --model {}", model.display()))
        .stdout
}

fn cached(place: &Place, model: &str) -> std::path::PathBuf {
    place.join(&format!("home/hub/models--org--{model}"))
}

/// Lays a model out as Python's `huggingface_hub` does.
fn lay_out(place: &Place, name: &str, files: &Path, known_as: &str) {
    let home = cached(place, name);
    let snapshot = home.join("snapshots").join(commit('a'));
    for directory in [&snapshot, &home.join("blobs"), &home.join("refs")] {
        fs::create_dir_all(directory).unwrap();
    }
    fs::write(home.join("refs").join(known_as), commit('a')).unwrap();
    for (file, content) in files_of(files) {
        let blob = etag(&file, &content);
        fs::write(home.join("blobs").join(&blob), content).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(format!("../../blobs/{blob}"), snapshot.join(file)).unwrap();
        #[cfg(not(unix))]
        fs::copy(home.join("blobs").join(&blob), snapshot.join(file)).unwrap();
    }
}

#[test]
fn a_model_of_the_hub_is_what_its_local_directory_is() {
    let (place, hub) = (Place::new(), hub());
    for (name, model) in [("org/sharded", SHARDED), ("org/llama", LLAMA)] {
        let found = ok(&place, &hub, &format!("inspect --json --model {name}"));
        assert_eq!(found.stdout, inspected(&place, model), "{name}");
    }
    let generate = "generate --json --prompt the~cat --max-new-tokens 4 --model";
    let local = fixture_model(LLAMA).display().to_string();
    let local = place.ok(&format!("{generate} {local}")).stdout;
    let found = ok(&place, &hub, &format!("{generate} org/llama"));
    assert_eq!(found.stdout, local);
    assert_eq!(found.stderr, "", "all of it was in the cache");
}

#[test]
fn only_what_is_needed_is_fetched_and_only_once() {
    let place = Place::new();
    let repository = Repository::of(&fixture_model(SHARDED))
        .with("pytorch_model.bin", Some("pickle"))
        .with("README.md", Some("# Model"));
    let hub = Hub::new().with("org/sharded", repository);
    ok(&place, &hub, "inspect --model org/sharded");
    let requests = hub.requests();
    let got: Vec<&str> = requests
        .iter()
        .filter(|request| request.method == "GET")
        .map(|request| request.path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(
        got,
        [
            "main",
            "config.json",
            "generation_config.json",
            "model.safetensors.index.json",
            "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors",
            "model-00003-of-00003.safetensors",
        ]
    );
    ok(&place, &hub, "inspect --model org/sharded");
    let again: Vec<String> = hub.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(again, ["/api/models/org/sharded/revision/main"]);
}

#[test]
fn paths_of_the_environment_are_expanded_as_python_expands_them() {
    for (variable, value, cache) in [
        ("HF_HOME", "~/h", "h/hub"),
        ("HF_HUB_CACHE", "$MINE/c", "c"),
        ("HF_HUB_CACHE", "${MINE}/c", "c"),
    ] {
        let (place, hub) = (Place::new(), hub());
        let user = place.join("user").display().to_string();
        let environment = [("HOME", user.as_str()), ("MINE", &user), (variable, value)];
        let line = "inspect --json --model org/llama";
        run(&place, &hub.endpoint, line, &environment).with_status(0);
        assert!(place.has(&format!("user/{cache}/models--org--llama/refs/main")));
        assert!(!place.has("~") && !place.has("$MINE") && !place.has("${MINE}"));
        let offline = [&environment[..], &[("HF_HUB_OFFLINE", "1")]].concat();
        run(&place, &hub.endpoint, line, &offline).with_status(0);
    }
}

#[test]
fn what_is_in_the_cache_serves_without_a_network() {
    let (place, hub) = (Place::new(), hub());
    let line = "inspect --json --model org/sharded";
    let first = ok(&place, &hub, line).stdout;
    hub.requests();

    let offline = run(&place, &hub.endpoint, line, &[("HF_HUB_OFFLINE", "1")]).with_status(0);
    assert_eq!(
        (offline.stdout.as_str(), offline.stderr.as_str()),
        (first.as_str(), "")
    );
    let absent = "inspect --json --model org/llama";
    let absent = run(&place, &hub.endpoint, absent, &[("HF_HUB_OFFLINE", "1")]);
    refused(
        absent,
        &[
            "org/llama",
            "no such directory",
            "config.json",
            "HF_HUB_OFFLINE",
        ],
    );
    assert!(
        hub.requests().is_empty(),
        "HF_HUB_OFFLINE: nothing is asked"
    );

    let endpoint = hub.close();
    let gone = run(&place, &endpoint, line, &[]).with_status(0);
    assert_eq!(gone.stdout, first);
    assert_eq!(gone.stderr.lines().count(), 1, "{gone:#?}");
    for name in ["org/sharded", &endpoint, "cannot be reached", &commit('a')] {
        assert!(gone.stderr.contains(name), "{gone:#?}\nlacks {name:?}");
    }
    let absent = run(&place, &endpoint, "inspect --model org/llama", &[]);
    refused(
        absent,
        &[
            "org/llama",
            "no such directory",
            "config.json",
            &endpoint,
            "HF_ENDPOINT",
            "HF_HUB_OFFLINE",
            "local directory",
        ],
    );
}

#[test]
fn a_hub_that_is_down_is_as_one_that_is_not_there() {
    let (place, hub) = (Place::new(), hub());
    let line = "inspect --json --model org/sharded";
    let first = ok(&place, &hub, line).stdout;
    let hub = hub.fails("/api/", Fault::Status(503, "Down"));
    let found = ok(&place, &hub, line);
    assert_eq!(found.stdout, first);
    assert!(found.stderr.contains("503"), "{found:#?}");
}

#[test]
fn a_revision_is_a_branch_a_tag_or_a_commit() {
    let (place, hub) = (Place::new(), Hub::new());
    let mut repository = Repository::of(&fixture_model(SHARDED));
    repository.commit("refs/pr/1", &commit('b'), files_of(&fixture_model(LLAMA)));
    hub.put("org/name", repository.clone());
    let (sharded, llama) = (inspected(&place, SHARDED), inspected(&place, LLAMA));
    let line = "inspect --json --model org/name";
    let pinned = format!("{line}@{}", commit('b'));
    assert_eq!(ok(&place, &hub, &pinned).stdout, llama);
    assert_eq!(ok(&place, &hub, &format!("{line}@refs/pr/1")).stdout, llama);
    assert_eq!(ok(&place, &hub, line).stdout, sharded);

    // A branch that moves is followed; a commit is not asked for again.
    repository.commit("main", &commit('b'), files_of(&fixture_model(LLAMA)));
    hub.put("org/name", repository);
    assert_eq!(ok(&place, &hub, line).stdout, llama);
    hub.requests();
    assert_eq!(ok(&place, &hub, &pinned).stdout, llama);
    let old = format!("{line}@{}", commit('a'));
    assert_eq!(ok(&place, &hub, &old).stdout, sharded);
    assert!(hub.requests().is_empty(), "commits that are in the cache");
}

#[test]
fn a_cache_that_python_filled_is_used() {
    let (place, hub) = (Place::new(), hub());
    let line = "inspect --json --model org/sharded";
    lay_out(&place, "sharded", &fixture_model(SHARDED), "main");
    let found = ok(&place, &hub, line);
    assert_eq!(found.stdout, inspected(&place, SHARDED));
    assert!(
        hub.requests()
            .iter()
            .all(|request| request.method == "HEAD" || request.path.contains("/api/"))
    );
    let offline = run(&place, &hub.endpoint, line, &[("HF_HUB_OFFLINE", "true")]);
    assert_eq!(offline.with_status(0).stdout, found.stdout);

    let elsewhere = Place::new();
    fs::rename(place.join("home/hub"), elsewhere.join("models")).unwrap();
    let cache = elsewhere.join("models").display().to_string();
    let variables = [("HF_HUB_CACHE", cache.as_str()), ("HF_HUB_OFFLINE", "1")];
    let found = run(&place, &hub.endpoint, line, &variables).with_status(0);
    assert_eq!(found.stdout, inspected(&place, SHARDED));
}

#[cfg(unix)]
#[test]
fn the_cache_is_laid_out_as_python_lays_it_out() {
    let (place, hub) = (Place::new(), hub());
    ok(&place, &hub, "inspect --model org/sharded");
    let home = cached(&place, "sharded");
    assert_eq!(
        fs::read_to_string(home.join("refs/main")).unwrap(),
        commit('a')
    );
    let snapshot = home.join("snapshots").join(commit('a'));
    for (file, content) in files_of(&fixture_model(SHARDED)) {
        let blob = etag(&file, &content);
        let link = fs::read_link(snapshot.join(&file)).unwrap();
        assert_eq!(link, Path::new("../../blobs").join(&blob), "{file}");
        assert_eq!(fs::read(home.join("blobs").join(blob)).unwrap(), content);
    }
    let missing = home.join(".no_exist").join(commit('a'));
    assert!(missing.join("tokenizer.json").exists());
}

#[test]
fn a_local_directory_wins() {
    let (place, hub) = (Place::new(), hub());
    for (file, content) in files_of(&fixture_model(LLAMA)) {
        place.write(&format!("org/sharded/{file}"), content);
    }
    let found = ok(&place, &hub, "inspect --json --model org/sharded");
    assert_eq!(found.stdout, inspected(&place, LLAMA));
    assert!(hub.requests().is_empty());
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let place = Place::new();
    let llama = Repository::of(&fixture_model(LLAMA));
    let storage = Hub::new().with("org/llama", llama.clone());
    let fault = Fault::Elsewhere(storage.endpoint.clone());
    let hub = Hub::new()
        .with("org/llama", llama)
        .fails("model.safetensors", fault);
    let line = "inspect --json --model org/llama";
    let found = run(&place, &hub.endpoint, line, &[("HF_TOKEN", "hf_secret")]).with_status(0);
    assert_eq!(found.stdout, inspected(&place, LLAMA));
    for request in hub.requests() {
        let sent = request.authorization.as_deref();
        assert_eq!(sent, Some("Bearer hf_secret"), "{request:?}");
    }
    let elsewhere = storage.requests();
    assert_eq!(elsewhere.len(), 1, "{elsewhere:?}");
    assert_eq!(elsewhere[0].authorization, None);

    let place = Place::new();
    ok(&place, &hub, line);
    assert!(hub.requests().iter().all(|r| r.authorization.is_none()));
    let place = Place::new();
    place.write("home/token", "hf_from_file\n");
    ok(&place, &hub, line);
    let requests = hub.requests();
    let sent = requests.iter().map(|r| r.authorization.as_deref());
    assert!(sent.eq(vec![Some("Bearer hf_from_file"); requests.len()]));
}

#[test]
fn what_may_not_be_read_or_is_not_there_is_refused_by_name() {
    let place = Place::new();
    let line = "inspect --model org/llama";
    for (part, status, code) in [
        ("/resolve/", 401, "GatedRepo"),
        ("/resolve/", 403, "GatedRepo"),
        ("/api/", 401, ""),
        ("/api/", 403, ""),
    ] {
        let hub = hub().fails(part, Fault::Status(status, code));
        let page = format!("{}/org/llama", hub.endpoint);
        let status = status.to_string();
        let names = [
            "org/llama",
            "config.json",
            &status,
            "licence",
            "HF_TOKEN",
            &page,
        ];
        refused(run(&place, &hub.endpoint, line, &[]), &names);
    }
    // The hub says 401, not 404, of a name it does not know to who shows no token.
    let hub = hub().fails("nobody/", Fault::Status(401, "RepoNotFound"));
    let none = |line: &str, names: &[&str]| refused(run(&place, &hub.endpoint, line, &[]), names);
    for name in ["nobody/nothing", "org/nothing", "nothing"] {
        let line = format!("inspect --model {name}");
        none(
            &line,
            &[
                name,
                "no such directory",
                "no model",
                &hub.endpoint,
                "HF_TOKEN",
            ],
        );
    }
    let revision = "inspect --model org/llama@v9";
    none(revision, &["org/llama@v9", "no branch, tag or commit v9"]);
    let commit = commit('9');
    let pinned = format!("inspect --model org/llama@{commit}");
    none(&pinned, &["org/llama", "no branch, tag or commit", &commit]);
    assert!(!place.has("home/hub/models--org--llama/snapshots"));
}

#[test]
fn a_repository_without_what_a_model_needs_is_refused_by_file() {
    let place = Place::new();
    let llama = || Repository::of(&fixture_model(LLAMA));
    let pickled = llama()
        .with("model.safetensors", None)
        .with("pytorch_model.bin", Some("pickle"));
    let hub = Hub::new()
        .with("org/bare", llama().with("config.json", None))
        .with("org/pickled", pickled);
    let refuse = |name: &str, names: &[&str]| {
        let line = format!("inspect --model {name}");
        refused(run(&place, &hub.endpoint, &line, &[]), names);
    };
    refuse("org/bare", &["org/bare", "config.json", "no such file"]);
    let names = [
        "org/pickled",
        "model.safetensors",
        "only safetensors",
        "pytorch_model.bin",
    ];
    refuse("org/pickled", &names);
    let asked = hub.requests();
    assert!(asked.iter().all(|request| !request.path.ends_with(".bin")));
}

#[test]
fn an_index_that_names_other_files_is_refused_before_they_are_asked_for() {
    let index = "model.safetensors.index.json";
    for name in ["../x.safetensors", "sub/x.safetensors", "x.bin", ""] {
        let text = format!(
            r#"{{"weight_map": {{"a": "model-00001-of-00003.safetensors", "b": "{name}"}}}}"#
        );
        let repository = Repository::of(&fixture_model(SHARDED)).with(index, Some(&text));
        let hub = Hub::new().with("org/odd", repository);
        let place = Place::new();
        let ended = run(&place, &hub.endpoint, "inspect --model org/odd", &[]);
        refused(ended, &["org/odd", index, "weight_map", name]);
        let asked = hub.requests();
        assert!(
            asked
                .iter()
                .all(|r| !r.path.contains("model-0") && !r.path.ends_with(".bin"))
        );
    }
    let place = Place::new();
    let repository = Repository::of(&fixture_model(SHARDED)).with(index, Some("[]"));
    let hub = Hub::new().with("org/odd", repository);
    let ended = run(&place, &hub.endpoint, "inspect --model org/odd", &[]);
    refused(ended, &["org/odd", index]);
}

#[test]
fn a_part_of_a_file_is_never_taken_for_the_file() {
    let line = "inspect --json --model org/llama";
    let whole = inspected(&Place::new(), LLAMA);
    for (file, fault, said) in [
        ("model.safetensors", Fault::Cut, "connection broke"),
        ("tokenizer.json", Fault::Cut, "connection broke"),
        (
            "model.safetensors",
            Fault::Short,
            "the checksum that the hub announced",
        ),
        (
            "tokenizer.json",
            Fault::Short,
            "the checksum that the hub announced",
        ),
        (
            "model.safetensors",
            Fault::PageInstead,
            "the checksum that the hub announced",
        ),
    ] {
        let (place, hub) = (Place::new(), hub().fails(&format!("/{file}"), fault));
        let ended = run(&place, &hub.endpoint, line, &[]);
        refused(ended, &["org/llama", file, said, "same command again"]);
        // A commit may do without files that cannot be asked for, but not without this one.
        let pinned = format!("{line}@{}", commit('a'));
        refused(run(&place, &hub.endpoint, &pinned, &[]), &[file, said]);
        hub.heals();
        assert_eq!(ok(&place, &hub, line).stdout, whole, "{file}");
    }
}

#[test]
fn the_manifest_of_a_search_names_the_commit() {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 1, 2);
    let demo = files_of(&crate::support_cli::demo_model());
    let mut repository = Repository::default();
    repository.commit("main", &commit('d'), demo);
    let hub = Hub::new().with("demo", repository);
    let search = "search --task arith --data arith.jsonl --simulations 2 --out run --model";
    ok(&place, &hub, &format!("{search} demo"));
    let manifest: serde_json::Value =
        serde_json::from_str(&place.read("run/manifest.json")).unwrap();
    assert_eq!(text(&manifest["model"]), format!("demo@{}", commit('d')));
    // The same weights by another name are the same run.
    place.ok(&format!("{search} @demo"));
}

#[test]
fn a_gguf_file_of_the_hub_is_fetched_with_all_its_parts_and_found_again_offline() {
    let place = Place::new();
    let directory = crate::support_cli::repository().join("tests/fixtures/gguf");
    let read = |name: &str| fs::read(directory.join(name)).unwrap();
    let whole = "llama-f32.gguf";
    let part = |n: usize| format!("llama-split-{n:05}-of-00003.gguf");
    let mut files = BTreeMap::from([(format!("Q/{whole}"), read(whole))]);
    files.extend((1..=3).map(|n| (part(n), read(&part(n)))));
    files.insert("README.md".to_owned(), b"not fetched".to_vec());
    let mut repository = Repository::of(&fixture_model(LLAMA));
    repository.commit("main", &commit('a'), files);
    let hub = Hub::new().with("org/gguf", repository);
    for (asked, local) in [(format!("Q/{whole}"), whole.to_owned()), (part(2), part(1))] {
        let inspect = format!("inspect --json --model org/gguf:{asked}");
        let found = ok(&place, &hub, &inspect);
        let expected = place.ok(&format!(
            "inspect --json --model {}",
            directory.join(local).display()
        ));
        assert_eq!(found.stdout, expected.stdout);
        let offline = run(&place, &hub.endpoint, &inspect, &[("HF_HUB_OFFLINE", "1")]);
        assert_eq!(offline.with_status(0).stdout, expected.stdout);
    }
    let fetched = cached(&place, "gguf").join("snapshots").join(commit('a'));
    assert!(!fetched.join("README.md").exists() && !fetched.join("config.json").exists());
    let none = run(
        &place,
        &hub.endpoint,
        "inspect --model org/gguf:none.gguf",
        &[],
    );
    refused(none, &["org/gguf", "none.gguf"]);
}
