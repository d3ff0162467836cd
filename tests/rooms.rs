//! Every room of the house uses only the rooms above it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// In dependency order.
const ROOMS: [&str; 9] = [
    "chain", "model", "engine", "task", "search", "run", "analysis", "export", "cli",
];

/// What a room may use: those above it, and itself.
fn allowed(room: &str) -> &'static [&'static str] {
    if room == "search" {
        // Strategies are blind: they know chains, and nothing of what runs them.
        return &["chain", "search"];
    }
    let place = ROOMS.iter().position(|&known| known == room);
    let place = place.unwrap_or_else(|| panic!("src/{room} is not one of the rooms"));
    &ROOMS[..=place]
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The source without comments, strings and white space between tokens of a path.
fn code_of(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        let skipped = match character {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => 1 + end_of_string(&rest[1..]),
            // A quoted quote would open a string that never ends.
            '\'' if rest.starts_with("'\"'") => 3,
            '\'' if rest.starts_with("'\\\"'") => 4,
            _ => {
                code.push(character);
                character.len_utf8()
            }
        };
        rest = &rest[skipped..];
    }
    code
}

/// Bytes up to and with the closing quote.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The first names of what follows `::` at `text`: one, or those of a group.
fn first_names(text: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        let letters = text.trim_start().chars();
        letters
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = text.trim_start().strip_prefix('{') else {
        return vec![name(text)];
    };
    let mut names = vec![name(group)];
    let mut depth = 0;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

/// Rooms a file names, in paths from `crate::`, or from enough `super::` to reach the root.
/// `depth`: how many modules deep the file is.
fn rooms_named(source: &str, depth: usize) -> BTreeSet<String> {
    let code = code_of(source);
    let to_root = "super::".repeat(depth);
    let mut named = BTreeSet::new();
    for root in ["crate::", to_root.as_str()] {
        for (at, _) in code.match_indices(root) {
            named.extend(first_names(&code[at + root.len()..]));
        }
    }
    named.retain(|name| ROOMS.contains(&name.as_str()));
    named
}

/// Rust files below a directory, each with how many modules deep it is in the directory.
fn files(directory: &Path, depth: usize) -> Vec<(PathBuf, usize)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, depth + 1));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_module = path.file_name().is_some_and(|name| name == "mod.rs");
            found.push((path, if is_module { depth } else { depth + 1 }));
        }
    }
    found
}

fn rooms() -> Vec<String> {
    let entries = fs::read_dir(source()).unwrap();
    let directories = entries.map(|e| e.unwrap()).filter(|e| e.path().is_dir());
    directories
        .map(|room| room.file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_room_uses_only_the_rooms_above_it() {
    let mut wrong = Vec::new();
    for room in rooms() {
        for (file, depth) in files(&source().join(&room), 1) {
            let named = rooms_named(&fs::read_to_string(&file).unwrap(), depth);
            for used in named
                .iter()
                .filter(|used| !allowed(&room).contains(&used.as_str()))
            {
                wrong.push(format!("{} uses {used}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rooms_that_are_known_to_use_another_are_seen_to() {
    for (room, used) in [("engine", "model"), ("run", "engine"), ("search", "chain")] {
        let uses = files(&source().join(room), 1).iter().any(|(file, depth)| {
            rooms_named(&fs::read_to_string(file).unwrap(), *depth).contains(used)
        });
        assert!(uses, "{room} was not seen to use {used}");
    }
}

#[test]
fn every_directory_is_a_room_and_every_room_a_directory() {
    let expected: BTreeSet<String> = ROOMS.map(str::to_owned).into();
    assert_eq!(BTreeSet::from_iter(rooms()), expected);
}

#[test]
fn the_map_in_the_documentation_lists_the_rooms_in_order() {
    let library = fs::read_to_string(source().join("lib.rs")).unwrap();
    let rows = library
        .lines()
        .filter_map(|line| line.strip_prefix("//! | [`"));
    let listed: Vec<&str> = rows
        .filter_map(|row| row.split_once('`'))
        .filter(|(_, rest)| rest.starts_with("] |"))
        .map(|(room, _)| room)
        .collect();
    assert_eq!(listed, ROOMS);
}

#[test]
fn paths_are_found_in_groups_and_on_their_own_but_not_in_comments_or_strings() {
    let source = r#"
        use crate::{chain::{Chain, model}, engine::Row};
        // crate::search is not used
        use super::super::task::{self, Sample};
        fn f() -> crate :: export::X { println!("crate::cli {}", '"'); crate::run::go() }
        use super::{analysis, Thing};
    "#;
    let source = source.replace(" :: ", "::");
    let named = rooms_named(&source, 2);
    let expected = ["chain", "engine", "export", "run", "task"];
    assert_eq!(named, BTreeSet::from(expected.map(str::to_owned)));
}
