//! Where the cache and the token are, by the environment as Python's `huggingface_hub` reads it: `~` and `$NAME` in a path are
//! expanded.

use std::path::{Path, PathBuf};

/// Most bytes of a token, and of the list of the machine's users.
const SMALL: u64 = 1 << 20;

/// A value of the environment.
type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The cache of repositories.
pub(super) fn cache(get: Get<'_>) -> PathBuf {
    let named = get("HF_HUB_CACHE").or_else(|| get("HUGGINGFACE_HUB_CACHE"));
    match named {
        Some(path) => expanded(&path, get).into(),
        None => home(get).join("hub"),
    }
}

/// The token in a file. Not that of `HF_TOKEN`, which comes first, and none if the environment disables it.
pub(super) fn stored_token(get: Get<'_>) -> Option<String> {
    if get("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some() || get("HF_TOKEN").is_some() {
        return None;
    }
    let path = match get("HF_TOKEN_PATH") {
        Some(path) => expanded(&path, get).into(),
        None => home(get).join("token"),
    };
    let token = cola_files::read_text(&path, SMALL).ok()?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

/// The directory of everything that belongs to Hugging Face.
fn home(get: Get<'_>) -> PathBuf {
    let path = get("HF_HOME").unwrap_or_else(|| {
        let caches = get("XDG_CACHE_HOME").unwrap_or_else(|| "~/.cache".to_owned());
        format!("{caches}/huggingface")
    });
    expanded(&path, get).into()
}

/// `os.path.expandvars(os.path.expanduser(path))`.
fn expanded(path: &str, get: Get<'_>) -> String {
    with_variables(&with_user(path, get), get)
}

/// A leading `~` is the user's directory, `~name` another user's. What is not known stays.
fn with_user(path: &str, get: Get<'_>) -> String {
    let Some(after) = path.strip_prefix('~') else {
        return path.to_owned();
    };
    let (user, rest) = after.split_at(after.find('/').unwrap_or(after.len()));
    let directory = match user {
        "" => get("HOME").or_else(|| Some(std::env::home_dir()?.to_str()?.to_owned())),
        user => directory_of(user),
    };
    match directory {
        Some(directory) => match format!("{}{rest}", directory.trim_end_matches('/')) {
            path if path.is_empty() => "/".to_owned(),
            path => path,
        },
        None => path.to_owned(),
    }
}

/// The directory of a user, from the machine's list.
fn directory_of(user: &str) -> Option<String> {
    let users = cola_files::read_text(Path::new("/etc/passwd"), SMALL).ok()?;
    let fields = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let mut fields = fields.filter(|fields| fields.first() == Some(&user));
    Some((*fields.next()?.get(5)?).to_owned())
}

/// `$NAME` and `${NAME}` are values of the environment. Those that are not set stay, and values are not expanded again.
fn with_variables(path: &str, get: Get<'_>) -> String {
    let mut expanded = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('$') {
        expanded += before;
        let braced = after.strip_prefix('{').and_then(|it| it.split_once('}'));
        let (name, after_name) = braced.unwrap_or_else(|| {
            let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            after.split_at(after.find(word).unwrap_or(after.len()))
        });
        match get(name).filter(|_| !name.is_empty()) {
            Some(value) => {
                expanded += &value;
                rest = after_name;
            }
            None => {
                expanded.push('$');
                rest = after;
            }
        }
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)], what: impl Fn(Get<'_>) -> PathBuf) -> String {
        let get = |name: &str| {
            let mut known = variables.iter().filter(|(known, _)| *known == name);
            known.next().map(|(_, value)| (*value).to_owned())
        };
        what(&get).display().to_string()
    }

    /// Expected paths are those of `huggingface_hub.constants.HF_HUB_CACHE`.
    #[test]
    fn the_cache_is_where_python_has_it() {
        let home = ("HOME", "/home/me");
        for (variables, path) in [
            (vec![home], "/home/me/.cache/huggingface/hub"),
            (
                vec![home, ("XDG_CACHE_HOME", "~/c")],
                "/home/me/c/huggingface/hub",
            ),
            (vec![home, ("HF_HOME", "~/hf")], "/home/me/hf/hub"),
            (vec![home, ("HF_HOME", "~")], "/home/me/hub"),
            (vec![home, ("HF_HOME", "$HOME/hf")], "/home/me/hf/hub"),
            (vec![home, ("HF_HOME", "${HOME}/hf")], "/home/me/hf/hub"),
            (
                vec![home, ("HF_HOME", "/a/$NONE/${NONE}/$/b")],
                "/a/$NONE/${NONE}/$/b/hub",
            ),
            (vec![home, ("HF_HOME", "/a/~/b")], "/a/~/b/hub"),
            (
                vec![home, ("HF_HOME", "~nobody-of-this-name/x")],
                "~nobody-of-this-name/x/hub",
            ),
            (
                vec![home, ("HF_HUB_CACHE", "~/x"), ("HF_HOME", "/y")],
                "/home/me/x",
            ),
            (
                vec![home, ("HUGGINGFACE_HUB_CACHE", "$HOME/x")],
                "/home/me/x",
            ),
            (vec![("HOME", "/"), ("HF_HUB_CACHE", "~")], "/"),
            // A value is not expanded again.
            (
                vec![("A", "$B"), ("B", "b"), ("HF_HUB_CACHE", "/$A/$B")],
                "/$B/b",
            ),
        ] {
            assert_eq!(with(&variables, cache), path, "{variables:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn another_users_directory_is_that_of_the_list() {
        assert_eq!(with(&[("HF_HUB_CACHE", "~root/x")], cache), "/root/x");
    }

    #[test]
    fn the_token_is_read_from_the_expanded_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mine");
        std::fs::write(&path, " hf_x \n").unwrap();
        let home = directory.path().to_str().unwrap().to_owned();
        let token = |other: &[(&str, &str)]| {
            let get = |name: &str| match name {
                "HOME" => Some(home.clone()),
                name => {
                    let mut known = other.iter().filter(|(known, _)| *known == name);
                    known.next().map(|(_, value)| (*value).to_owned())
                }
            };
            stored_token(&get)
        };
        let here = ("HF_TOKEN_PATH", "~/mine");
        assert_eq!(token(&[here]).as_deref(), Some("hf_x"));
        assert_eq!(token(&[("HF_TOKEN_PATH", "~/none")]), None);
        assert_eq!(token(&[here, ("HF_TOKEN", "y")]), None);
        assert_eq!(token(&[here, ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        std::fs::rename(path, directory.path().join("token")).unwrap();
        assert_eq!(token(&[("HF_HOME", "$HOME")]).as_deref(), Some("hf_x"));
    }
}
