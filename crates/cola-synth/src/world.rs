//! The facts of the `commonsense` world: sixteen categories of things, eight members each.
//!
//! The world is closed: a fact that is not in the table is false. Every value occurs in one row only, so
//! that a property identifies its category and a question has exactly one right option.

/// One row of the table.
pub(super) struct Category {
    /// Name of the category.
    pub name: &'static str,
    /// Place where its members are found.
    pub place: &'static str,
    /// Part that its members have.
    pub part: &'static str,
    /// Act that its members can do.
    pub act: &'static str,
    /// The things of this category.
    pub members: [&'static str; MEMBERS],
}

/// Number of members of a category.
pub(super) const MEMBERS: usize = 8;

const fn category(
    name: &'static str,
    place: &'static str,
    part: &'static str,
    act: &'static str,
    members: [&'static str; MEMBERS],
) -> Category {
    Category {
        name,
        place,
        part,
        act,
        members,
    }
}

/// All categories of the world.
#[rustfmt::skip]
pub(super) const WORLD: [Category; 16] = [
    category("bird", "nest", "feathers", "fly", ["robin", "sparrow", "eagle", "owl", "crow", "finch", "swan", "hawk"]),
    category("fish", "water", "fins", "swim", ["trout", "salmon", "carp", "perch", "pike", "cod", "tuna", "herring"]),
    category("insect", "grass", "feelers", "crawl", ["bee", "wasp", "moth", "beetle", "ant", "cricket", "gnat", "termite"]),
    category("snake", "burrow", "fangs", "slither", ["cobra", "python", "viper", "adder", "boa", "mamba", "asp", "rattler"]),
    category("dog", "kennel", "fur", "fetch", ["poodle", "beagle", "collie", "terrier", "hound", "pug", "spaniel", "mastiff"]),
    category("ruminant", "pasture", "hooves", "graze", ["cow", "sheep", "goat", "ox", "bull", "calf", "lamb", "yak"]),
    category("flower", "garden", "petals", "bloom", ["rose", "tulip", "daisy", "lily", "violet", "orchid", "poppy", "iris"]),
    category("tree", "forest", "branches", "sway", ["oak", "pine", "elm", "maple", "birch", "willow", "cedar", "ash"]),
    category("fruit", "orchard", "pulp", "ripen", ["apple", "pear", "plum", "peach", "grape", "lemon", "cherry", "mango"]),
    category("gem", "mine", "facets", "sparkle", ["ruby", "emerald", "diamond", "opal", "topaz", "sapphire", "garnet", "jade"]),
    category("tool", "workshop", "handle", "repair", ["hammer", "saw", "drill", "wrench", "chisel", "rasp", "plane", "clamp"]),
    category("vehicle", "road", "wheels", "drive", ["car", "bus", "truck", "van", "taxi", "lorry", "tram", "jeep"]),
    category("boat", "harbour", "hull", "float", ["canoe", "ferry", "yacht", "raft", "kayak", "barge", "dinghy", "schooner"]),
    category("instrument", "stage", "tone", "sound", ["piano", "violin", "flute", "drum", "guitar", "harp", "trumpet", "cello"]),
    category("garment", "wardrobe", "seams", "warm", ["shirt", "coat", "sock", "glove", "scarf", "hat", "skirt", "jacket"]),
    category("seat", "room", "cushion", "support", ["chair", "sofa", "stool", "bench", "throne", "couch", "pew", "recliner"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_word_stands_twice_in_the_table() {
        let mut words = HashSet::new();
        for row in &WORLD {
            for word in [row.name, row.place, row.part, row.act]
                .iter()
                .chain(&row.members)
            {
                assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
                assert!(words.insert(*word), "{word}");
            }
        }
        assert_eq!(words.len(), WORLD.len() * (MEMBERS + 4));
    }
}
