//! Properties of random expressions: answers equal by construction are found equal, changed ones are not.

use proptest::prelude::*;

use super::super::{math_equal, math_verdict};

/// A polynomial in x and y: coefficients of x^i y^j.
type Coefficients = Vec<((u32, u32), i64)>;

fn spelled(terms: &Coefficients) -> String {
    let term = |((i, j), c): &((u32, u32), i64)| format!("({c})x^{{{i}}}y^{{{j}}}");
    terms.iter().map(term).collect::<Vec<_>>().join(" + ")
}

fn product(a: &Coefficients, b: &Coefficients) -> Coefficients {
    let mut out: std::collections::BTreeMap<(u32, u32), i64> = Default::default();
    for ((i, j), c) in a {
        for ((k, l), d) in b {
            *out.entry((i + k, j + l)).or_default() += c * d;
        }
    }
    out.into_iter().collect()
}

fn polynomial() -> impl Strategy<Value = Coefficients> {
    prop::collection::btree_map(
        (0u32..4, 0u32..4),
        (1i64..40).prop_map(|c| if c > 20 { 20 - c } else { c }),
        1..5,
    )
    .prop_map(|terms| terms.into_iter().collect())
}

proptest! {
    #[test]
    fn a_product_expanded_is_equal_and_with_one_coefficient_changed_is_not(
        a in polynomial(),
        b in polynomial(),
        place in any::<prop::sample::Index>(),
        by in 1i64..9,
    ) {
        let expanded = product(&a, &b);
        let factored = format!("({})({})", spelled(&a), spelled(&b));
        let verdict = math_verdict(&spelled(&expanded), &factored);
        prop_assert!(verdict.is_equal(), "{} {}: {}", factored, spelled(&expanded), verdict);
        let mut changed = expanded;
        let place = place.index(changed.len());
        changed[place].1 += by;
        prop_assert!(!math_equal(&spelled(&changed), &factored));
    }

    #[test]
    fn a_quotient_of_polynomials_is_equal_to_itself_multiplied_out(a in polynomial(), b in polynomial(), c in polynomial()) {
        let short = format!(r"\frac{{{}}}{{{}}}", spelled(&a), spelled(&b));
        let long = format!(r"\frac{{{}}}{{{}}}", spelled(&product(&a, &c)), spelled(&product(&b, &c)));
        let verdict = math_verdict(&long, &short);
        prop_assert!(verdict.is_equal(), "{} {}: {}", short, long, verdict);
        let more = format!("{long}+1");
        prop_assert!(!math_equal(&more, &short));
    }

    #[test]
    fn fractions_decimals_and_mixed_numbers_agree(whole in 0i64..1000, above in 1i64..100, more in 1i64..50, power in 0u32..4) {
        let below = above + more;
        let improper = format!(r"\frac{{{}}}{{{below}}}", whole * below + above);
        let mixed = format!(r"{whole}\frac{{{above}}}{{{below}}}");
        prop_assert!(math_equal(&mixed, &improper));
        let more = format!("{improper} + 1/1000000000");
        prop_assert!(!math_equal(&mixed, &more));
        let scale = 10i64.pow(power);
        let decimal = format!("{whole}.{:0width$}", above % scale, width = power as usize);
        let fraction = format!("{}/{scale}", whole * scale + above % scale);
        prop_assert!(math_equal(decimal.trim_end_matches('.'), &fraction));
    }

    #[test]
    fn sums_of_roots_are_compared_exactly(a in -9i64..9, b in 1i64..9, n in 2i64..60, k in 1i64..9) {
        let gold = format!(r"{a}+{b}\sqrt{{{n}}}");
        let inside = b * b * n;
        let joined = format!(r"\sqrt{{{inside}}}+{a}");
        prop_assert!(math_equal(&joined, &gold));
        let (above, below) = (a * a - inside, format!(r"{a}-{b}\sqrt{{{n}}}"));
        if above != 0 {
            let quotient = format!(r"\frac{{{above}}}{{{below}}}");
            prop_assert!(math_equal(&quotient, &gold));
        }
        let other = format!(r"\sqrt{{{}}}+{a}", inside + k);
        prop_assert!(!math_equal(&other, &gold));
        let rounded = format!("{:.15}", a as f64 + b as f64 * (n as f64).sqrt());
        prop_assert_eq!(math_equal(&rounded, &gold), (n as f64).sqrt().fract() == 0.0);
    }

    #[test]
    fn equality_of_short_expressions_is_symmetric_without_percent_and_units(
        a in r"([0-9]|x|\+|-|\(|\)|/|\^|,|\\sqrt|\\pi|=){1,8}",
        b in r"([0-9]|x|\+|-|\(|\)|/|\^|,|\\sqrt|\\pi|=){1,8}",
    ) {
        prop_assert_eq!(math_equal(&a, &b), math_equal(&b, &a));
    }
}
