//! `commonsense`: multiple choice over the small closed world of [`super::world`].
//!
//! A question of level 1 needs one stored fact: what a robin is, or where a bird is found. One of level 2
//! needs two: where a robin is found. The wrong options are the values of the same relation for other
//! categories.

use std::collections::HashSet;
use std::sync::LazyLock;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::choice::{self, OPTIONS};
use super::split::Split;
use super::world::{Category, MEMBERS, WORLD};
use super::{Choices, Item, Kind};

/// One (subject, relation) pair in this many is for testing, whatever the options.
const TEST_SHARE: u64 = 4;

/// Subject, relation, value, and the number of stored facts that the fact follows from.
type Fact = (&'static str, Relation, &'static str, u32);

/// Everything that is true in the closed world.
static CONCLUSIONS: LazyLock<HashSet<Fact>> = LazyLock::new(conclusions);

/// The relation between a subject and a value that a question is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Relation {
    Kind,
    Place,
    Part,
    Act,
}

const PROPERTIES: [Relation; 3] = [Relation::Place, Relation::Part, Relation::Act];
const RELATIONS: [Relation; 4] = [
    Relation::Kind,
    Relation::Place,
    Relation::Part,
    Relation::Act,
];

impl Relation {
    fn value(self, category: &Category) -> &'static str {
        match self {
            Relation::Kind => category.name,
            Relation::Place => category.place,
            Relation::Part => category.part,
            Relation::Act => category.act,
        }
    }

    /// The words of the question before and after the subject.
    fn frame(self) -> (&'static str, &'static str) {
        match self {
            Relation::Kind => ("What is ", "?"),
            Relation::Place => ("Where is ", " found?"),
            Relation::Part => ("What does ", " have?"),
            Relation::Act => ("What can ", " do?"),
        }
    }

    fn question(self, subject: &str) -> String {
        let (before, after) = self.frame();
        format!("{before}{} {subject}{after}", article(subject))
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

/// Draws one item of `level`, with the right option at index `gold`.
pub(super) fn draw(level: u32, gold: usize, random: &mut impl Rng) -> Item {
    let mut categories: Vec<usize> = (0..WORLD.len()).collect();
    let (chosen, _) = categories.partial_shuffle(random, OPTIONS);
    let chosen: Vec<&Category> = chosen.iter().map(|index| &WORLD[*index]).collect();
    let right = chosen[gold];
    let member = right.members[random.random_range(0..MEMBERS)];
    let property = PROPERTIES[random.random_range(0..PROPERTIES.len())];
    let (subject, relation) = match level {
        1 if random.random() => (member, Relation::Kind),
        1 => (right.name, property),
        _ => (member, property),
    };
    let options = chosen
        .iter()
        .map(|category| relation.value(category).to_owned())
        .collect();
    Item::new(
        Kind::Commonsense,
        level,
        relation.question(subject),
        choice::solution(options, gold),
    )
}

/// The split of an item, from its question, which contains the subject and the relation, but no options.
pub(super) fn split(item: &Item) -> Split {
    Split::of(&item.question, TEST_SHARE)
}

/// Answers the question from all conclusions that the table's facts allow, and checks that exactly one
/// option is right and is the key. The error says what is wrong.
pub(super) fn check(
    level: u32,
    question: &str,
    choices: &Choices,
    key: &str,
) -> Result<(), String> {
    let key = choice::place(choices, key)?;
    let (subject, relation) = parse(question).ok_or("the question does not have a known form")?;
    let says = |option: &str| {
        CONCLUSIONS
            .iter()
            .find(|fact| fact.0 == subject && fact.1 == relation && fact.2 == option)
    };
    if let Some(fact) = says(&choices.text[key]).filter(|fact| fact.3 != level) {
        return Err(format!("it takes {} facts, not {level}", fact.3));
    }
    let right: Vec<bool> = choices
        .text
        .iter()
        .map(|option| says(option).is_some())
        .collect();
    choice::only(&right, key)
}

/// The subject and the relation of a question.
fn parse(question: &str) -> Option<(&str, Relation)> {
    RELATIONS.into_iter().find_map(|relation| {
        let (before, after) = relation.frame();
        let named = question.strip_prefix(before)?.strip_suffix(after)?;
        let (given, subject) = named.split_once(' ')?;
        (given == article(subject) && !subject.contains(' ')).then_some((subject, relation))
    })
}

/// The stored facts of the table, and all facts that follow from two of them.
fn conclusions() -> HashSet<Fact> {
    let mut known = HashSet::new();
    for category in &WORLD {
        known.extend(
            category
                .members
                .map(|member| (member, Relation::Kind, category.name, 1)),
        );
        known.extend(
            PROPERTIES.map(|relation| (category.name, relation, relation.value(category), 1)),
        );
    }
    let inherited: Vec<_> = known
        .iter()
        .filter(|fact| fact.1 == Relation::Kind)
        .flat_map(|is| {
            known
                .iter()
                .filter(|fact| fact.0 == is.2)
                .map(|fact| (is.0, fact.1, fact.2, is.3 + fact.3))
        })
        .collect();
    known.extend(inherited);
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: [&str; OPTIONS]) -> Choices {
        choice::lettered(text.map(str::to_owned).to_vec())
    }

    #[test]
    fn the_world_closes_over_exactly_its_one_and_two_fact_conclusions() {
        let facts = conclusions();
        let members = WORLD.len() * MEMBERS;
        assert_eq!(
            facts.iter().filter(|fact| fact.3 == 1).count(),
            members + 3 * WORLD.len()
        );
        assert_eq!(facts.iter().filter(|fact| fact.3 == 2).count(), 3 * members);
        assert!(facts.contains(&("owl", Relation::Act, "fly", 2)));
    }

    #[test]
    fn the_solver_accepts_one_right_option_only() {
        let nest = options(["mine", "nest", "road", "stage"]);
        assert_eq!(check(2, "Where is a robin found?", &nest, "B"), Ok(()));
        assert_eq!(check(1, "Where is a bird found?", &nest, "B"), Ok(()));
        assert_eq!(
            check(
                1,
                "What is an owl?",
                &options(["bird", "dog", "gem", "seat"]),
                "A"
            ),
            Ok(())
        );
    }

    #[test]
    fn the_solver_refuses_wrong_keys_levels_options_and_questions() {
        let nest = options(["mine", "nest", "road", "stage"]);
        assert!(check(2, "Where is a robin found?", &nest, "A").is_err());
        assert!(check(2, "Where is a robin found?", &nest, "E").is_err());
        assert!(check(1, "Where is a robin found?", &nest, "B").is_err());
        assert!(check(2, "Where is an robin found?", &nest, "B").is_err());
        assert!(check(2, "Where is a griffin found?", &nest, "B").is_err());
        assert!(check(2, "Why is a robin found?", &nest, "B").is_err());
        assert!(
            check(
                2,
                "Where is a robin found?",
                &options(["nest", "nest", "road", "stage"]),
                "B"
            )
            .is_err()
        );
        assert!(
            check(
                2,
                "Where is a robin found?",
                &options(["mine", "water", "road", "stage"]),
                "B"
            )
            .is_err()
        );
    }
}
