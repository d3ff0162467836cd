//! Names of models on the hub, as given with `--model`: `org/name` or `name`, optionally with `@revision`
//! and, for GGUF, with `:FILE.gguf`.

use std::fmt;

/// A model of the hub, at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubModel {
    organisation: Option<String>,
    name: String,
    revision: Option<String>,
}

/// Longest name of a repository that the hub allows.
const LONGEST_NAME: usize = 96;

impl HubModel {
    /// Parses `org/name@revision`. `None` if the text cannot be the name of a model on the hub: if it is a
    /// path, or not a valid name of a repository or revision.
    pub fn parse(text: &str) -> Option<Self> {
        let (repository, revision) = match text.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision)),
            None => (text, None),
        };
        let (organisation, name) = match repository.split_once('/') {
            Some((organisation, name)) => (Some(organisation), name),
            None => (None, repository),
        };
        let named = organisation.is_none_or(is_name) && is_name(name);
        if !named || !revision.is_none_or(is_revision) {
            return None;
        }
        Some(Self {
            organisation: organisation.map(str::to_owned),
            name: name.to_owned(),
            revision: revision.map(|revision| match is_commit(revision) {
                true => revision.to_lowercase(),
                false => revision.to_owned(),
            }),
        })
    }

    /// Parses `org/name@revision:FILE.gguf`, where the file may be left out. `None` as for
    /// [`parse`](Self::parse), and also if the file cannot be the path of a GGUF file in a repository.
    pub fn parse_with_file(text: &str) -> Option<(Self, Option<String>)> {
        let Some((model, file)) = text.split_once(':') else {
            return Some((Self::parse(text)?, None));
        };
        let gguf = file.ends_with(".gguf") && file.split('/').all(is_part);
        Some((Self::parse(model).filter(|_| gguf)?, Some(file.to_owned())))
    }

    /// `org`, or an empty text for the hub's oldest models, which have none.
    pub fn organisation(&self) -> &str {
        self.organisation.as_deref().unwrap_or_default()
    }

    /// The name without the organisation.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `org/name`.
    pub fn repository(&self) -> String {
        match &self.organisation {
            Some(organisation) => format!("{organisation}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Branch, tag or commit; `main` if none was given.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// Whether the revision is a commit, which never changes, and not a branch or a tag.
    pub fn is_pinned(&self) -> bool {
        is_commit(self.revision())
    }
}

impl fmt::Display for HubModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository())?;
        match &self.revision {
            Some(revision) => write!(f, "@{revision}"),
            None => Ok(()),
        }
    }
}

/// Whether the text is a complete commit hash.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether the hub allows this name, by its own rule.
fn is_name(text: &str) -> bool {
    let within = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let at_an_end = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= LONGEST_NAME
        && text.chars().all(within)
        && text.starts_with(at_an_end)
        && text.ends_with(at_an_end)
        && !text.contains("--")
        && !text.contains("..")
        && !text.ends_with(".git")
}

/// Whether a text can be a component of a file's path that does not lead out of the directory.
fn is_part(text: &str) -> bool {
    !text.starts_with(['-', '.'])
        && !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_control() && !matches!(c, '\\' | ':' | '?' | '#' | '%'))
}

/// Whether a text can be the name of a branch or tag, such as `refs/pr/1`, and also a path below `refs/`.
fn is_revision(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['-', '.'])
            && !part.contains("..")
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+'))
    };
    text.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, String, bool)> {
        let model = HubModel::parse(text)?;
        assert_eq!(model.to_string().to_lowercase(), text.to_lowercase());
        let revision = model.revision().to_owned();
        Some((model.repository(), revision, model.is_pinned()))
    }

    #[test]
    fn names_are_read_with_their_revision() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for (text, repository, revision, pinned) in [
            ("gpt2", "gpt2", "main", false),
            ("org/Name-3.2_1B", "org/Name-3.2_1B", "main", false),
            ("org/name@v1.0", "org/name", "v1.0", false),
            ("org/name@refs/pr/12", "org/name", "refs/pr/12", false),
            (&format!("org/name@{commit}"), "org/name", commit, true),
            (
                &format!("name@{}", commit.to_uppercase()),
                "name",
                commit,
                true,
            ),
            ("org/name@0123456", "org/name", "0123456", false),
        ] {
            let expected = (repository.to_owned(), revision.to_owned(), pinned);
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_gguf_file_of_a_model_is_read_behind_a_colon() {
        let read = |text| {
            let (model, file) = HubModel::parse_with_file(text)?;
            Some((model.to_string(), file))
        };
        let named = |model: &str, file: &str| Some((model.to_owned(), Some(file.to_owned())));
        assert_eq!(read("org/name"), Some(("org/name".to_owned(), None)));
        assert_eq!(read("org/name:m.gguf"), named("org/name", "m.gguf"));
        assert_eq!(
            read("org/name@v1:Q4/m Q4_K.gguf"),
            named("org/name@v1", "Q4/m Q4_K.gguf")
        );
        for text in [
            "org/name:",
            "org/name:m.bin",
            "org/name:../m.gguf",
            "org/name:/m.gguf",
            "org/name:a//m.gguf",
            "org/name:c:m.gguf",
            "org/name:.gguf",
            "a/b/c:m.gguf",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn paths_and_impossible_names_are_not_models() {
        let long = "x".repeat(97);
        for text in [
            "",
            ".",
            "..",
            "./name",
            "../name",
            "/name",
            "~/name",
            "org/",
            "/",
            "a/b/c",
            "a\\b",
            "c:name",
            "-name",
            "name-",
            "name.git",
            "a--b",
            "a..b",
            "a b",
            "näme",
            "org/name@",
            "name@../x",
            "name@/x",
            "name@x/",
            "name@a//b",
            "name@-x",
            "name@.x",
            "name@a b",
            "name@x\n",
            "@main",
            "https://host/org/name",
            &long,
        ] {
            assert_eq!(HubModel::parse(text), None, "{text:?}");
        }
    }
}
