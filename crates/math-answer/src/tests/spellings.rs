use super::super::{MathVerdict, Unsure, math_equal, math_verdict, parse_number};

pub(super) fn all_same(pairs: &[(&str, &str)]) {
    for (a, b) in pairs {
        assert!(math_equal(a, b), "{a} = {b}: {}", math_verdict(a, b));
        assert!(math_equal(b, a), "{b} = {a}: {}", math_verdict(b, a));
    }
}

pub(super) fn all_different(pairs: &[(&str, &str)]) {
    for (a, b) in pairs {
        assert!(!math_equal(a, b), "{a} != {b}");
        assert!(!math_equal(b, a), "{b} != {a}");
    }
}

#[test]
fn a_number_has_many_spellings() {
    all_same(&[
        ("18", "18.00"),
        (" 18. ", "$18$"),
        ("1,000", "1000"),
        ("1{,}234,567", "1234567"),
        (r"1,\!234", "1234"),
        (r"12\,345", "12345"),
        (r"\frac{3}{4}", "0.75"),
        (r"\dfrac{3}{4}", r"\frac34"),
        (r"-\frac 3 4", r"\tfrac{-3}{4}"),
        ("3/4", "6/8"),
        (r"3\frac12", "3.5"),
        ("3 1/2", "7/2"),
        (r"-2\frac{1}{3}", "-7/3"),
        (r"\$70,000", "70000"),
        ("$-5", "-$5"),
        ("$-7$.", "-7"),
        ("+7", "\u{2212}-7"),
        ("-0", "0"),
        (".5", r"\frac12"),
        (r"0.\overline{3}", r"\frac13"),
        (r"0.1\overline{6}", "1/6"),
        (r"1.5\times10^3", "1500"),
        ("1.5e3", "1500"),
        ("1e-3", "0.001"),
        ("2^{10}", "1024"),
        ("2^10", "1024"),
        ("2^{-2}", "0.25"),
        ("2^3^2", "512"),
        ("5!", "120"),
        (r"\binom{5}{2}", "10"),
        ("3 million", "3,000,000"),
        (r"\text{12}", "12"),
        (r"\(4\)", r"\[4\]"),
        ("2:3", "4:6"),
    ]);
    all_different(&[
        ("0.33", "1/3"),
        ("3.14", r"\pi"),
        ("1 2", "12"),
        ("(1,234)", "1234"),
        ("1,23", "123"),
        ("-5", "5"),
        ("1010_2", "1010"),
        (r"2\frac{1}{3}", r"\frac23"),
        ("1/2x", "x/2"),
        ("2e-3", "0.002"),
        ("0.1", "0.10000000000000000001"),
    ]);
}

#[test]
fn percent_is_a_hundredth_and_may_be_left_out_where_the_gold_answer_has_it() {
    for (answer, gold) in [
        ("50", r"50\%"),
        ("50%", r"50\%"),
        ("0.5", "50%"),
        ("50%", r"\frac12"),
        ("50 percent", "50%"),
        ("100%", "1"),
        (r"12\frac12\%", "12.5%"),
        (r"1/2\%", r"0.5\%"),
    ] {
        assert!(math_equal(answer, gold), "{answer} for {gold}");
    }
    for (answer, gold) in [
        ("50%", "50"),
        (r"1/2\%", "50"),
        ("0.05", "50%"),
        ("5000", "50%"),
    ] {
        assert!(!math_equal(answer, gold), "{answer} for {gold}");
    }
}

#[test]
fn a_unit_may_be_left_out_but_not_changed() {
    all_same(&[
        ("18 dollars", "18"),
        (r"18\text{ dollars}", r"\$18"),
        (r"5\text{ cm}^2", "5 square centimeters"),
        (r"60\text{ mph}", "60 miles per hour"),
        (r"60\,\mathrm{km}/\mathrm{h}", "60 kilometers per hour"),
        (r"90^\circ", "90"),
        (r"90^{\circ}", "90 degrees"),
        (r"90^\circ", r"\frac{\pi}{2}"),
        (r"-10\text{ mph}", "-10"),
        ("3 m", "3m"),
        ("5 people", "5"),
    ]);
    all_different(&[
        (r"5\text{ cm}", r"5\text{ m}"),
        ("18 cents", "18 dollars"),
        (r"5\text{ cm}", r"5\text{ cm}^2"),
        ("5 million", "5"),
        ("5m", "5"),
    ]);
}

#[test]
fn what_is_counted_may_be_left_out_but_not_changed() {
    all_same(&[
        ("5 wombats", "5"),
        (r"18\text{ red apples}", "18"),
        (r"18\text{ Eggs}", "18 eggs"),
        ("1 apple", "1"),
        ("-3 goals", "-3"),
        ("3, 4", "3 apples, 4 pears"),
        (r"10\text{ two}\text{ wheelers}", "10 two wheelers"),
    ]);
    all_different(&[
        ("5 apples", "5 pears"),
        ("5 apples", "5 red apples"),
        ("5 apples", "6"),
        ("5 or more", "5"),
        ("5 more", "5"),
        ("3 fifths", "3"),
        ("3 quarters", "3"),
        ("2 dozens", "2"),
        ("2 thousands", "2"),
        ("3 less than seven apples", "3"),
        ("3 remainder", "3"),
        ("2 apple", "2"),
        ("2 cos", "2"),
        ("2abs", "2"),
        ("x apples", "x"),
    ]);
}

#[test]
fn roots_powers_and_constants_are_exact() {
    all_same(&[
        (r"\sqrt{12}", r"2\sqrt3"),
        (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}"),
        (r"\frac{1}{2+\sqrt{3}}", r"2-\sqrt{3}"),
        (r"\sqrt[3]{16}", r"2\sqrt[3]{2}"),
        (r"\sqrt[3]{-8}", "-2"),
        ("8^{2/3}", "4"),
        (r"\sqrt{6}", r"\sqrt{2}\sqrt{3}"),
        (r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt{2}"),
        (r"\sqrt{7+4\sqrt{3}}-\sqrt{3}", "2"),
        (r"\sqrt{-4}", "2i"),
        (r"\frac{1}{1-i}", r"\frac{1+i}{2}"),
        (r"\frac{2\pi}{4}", r"0.5\pi"),
        (r"\ln 8", r"3\ln 2"),
        (r"\log_2 8", "3"),
        (r"e^{\ln 5}", "5"),
        (r"\ln e^3", "3"),
        (r"\sin 60^\circ", r"\frac{\sqrt{3}}{2}"),
        (r"\cos\frac{\pi}{12}", r"\frac{\sqrt6+\sqrt2}{4}"),
        (r"\tan(\pi/4)", "1"),
        (r"\arctan 1", r"\frac{\pi}{4}"),
        (r"\sin^{-1}(1/2)", r"\pi/6"),
        (r"|-3|", "3"),
        (r"|1-\sqrt2|", r"\sqrt2-1"),
        (r"\lfloor 3.7 \rfloor", "3"),
    ]);
    all_different(&[
        (r"\sqrt{2}", "1.41421356"),
        (r"\sqrt{10}+\sqrt{11}", r"\sqrt{5}+\sqrt{18}"),
        (r"\sin 1", "0.8414709848078965"),
        (r"e^{\pi\sqrt{163}}", "262537412640768744"),
        (r"\frac{355}{113}", r"\pi"),
        (r"\sqrt12", r"\sqrt{12}"),
        (r"\log 100", "2"),
    ]);
}

#[test]
fn expressions_are_equal_as_functions_of_their_variables() {
    all_same(&[
        ("(x+1)^2", "x^2+2x+1"),
        ("(x+y)(x-y)", "x^2 - y^2"),
        (r"\frac{x^2-1}{x-1}", "x+1"),
        (r"\frac{1}{x}+\frac{1}{y}", r"\frac{x+y}{xy}"),
        ("2ab", "b*a*2"),
        (r"\frac{1}{\sqrt{x}}", r"\frac{\sqrt{x}}{x}"),
        (r"\sqrt{4x+8}", r"2\sqrt{x+2}"),
        (r"\frac{x+1}{\sqrt{x+1}}", r"\sqrt{x+1}"),
        (r"\sin^2 x + \cos^2 x", "1"),
        (r"\sin 2x", r"2\sin x\cos x"),
        (r"\tan x", r"\frac{\sin x}{\cos x}"),
        ("e^{2x}", "(e^x)^2"),
        ("4^x", "2^{2x}"),
        ("2^{x+1}", r"2 \cdot 2^x"),
        ("x_1+x_2", "x_{2}+x_{1}"),
        ("5!", r"\text{120}"),
    ]);
    all_different(&[
        ("x", "y"),
        ("x", "X"),
        ("x^2", "2x"),
        (r"\sqrt{x^2}", "x"),
        ("|x-100|", "100-x"),
        (r"\ln x^2", r"2\ln x"),
        (r"\sin x + 10^{-15}", r"\sin x"),
        (r"\frac{x+1}{x+2}", r"\frac{x+1}{x+3}"),
        ("x_1", "x_2"),
    ]);
}

#[test]
fn sets_lists_pairs_intervals_and_matrices_are_compared_entry_by_entry() {
    all_same(&[
        (r"\{1,2\}", r"\left\{ 2, 1 \right\}"),
        ("1, 2", "2,1"),
        (r"1 \text{ or } 2", r"x = 2, x = 1"),
        (r"3\pm\sqrt{2}", r"3-\sqrt2, 3+\sqrt2"),
        (r"\pm 2", "-2, 2"),
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\pi/2)"),
        (r"\langle 1, 2 \rangle", "(1,2)"),
        (
            r"(-\infty, 2]\cup[3,\infty)",
            r"[3,+\infty) \cup (-\infty,2]",
        ),
        (r"x \in [-2, 7]", "[-2,7]"),
        (
            r"\begin{pmatrix}1\\2\end{pmatrix}",
            r"\begin{bmatrix} 2/2 \\ 2 \end{bmatrix}",
        ),
        (
            r"\left(\begin{array}{cc}1&2\\3&4\end{array}\right)",
            r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
        ),
        (r"\emptyset", r"\{\}"),
    ]);
    all_different(&[
        ("(1,2)", "(2,1)"),
        ("[1,2]", "(1,2)"),
        ("[1,2)", "(1,2]"),
        ("1,2", "(1,2)"),
        (r"\{1,2\}", r"\{1,2,3\}"),
        (r"\pm 2", "2"),
        (
            r"\begin{pmatrix}1&2\end{pmatrix}",
            r"\begin{pmatrix}1\\2\end{pmatrix}",
        ),
        (r"(1,2)\cup(3,4)", r"(1,2)\cap(3,4)"),
    ]);
}

#[test]
fn relations_are_the_same_with_sides_swapped_moved_or_scaled() {
    all_same(&[
        ("x = 5", "5"),
        ("f(x) = 2x+1", "1+2x"),
        ("x = 6/4 = 3/2", "1.5"),
        ("2 + 3 = 5", "5"),
        ("y = 2x+1", "2x - y = -1"),
        ("x > 2", "2 < x"),
        (r"x \ge 2", "[2, \\infty)"),
        ("1 < x <= 2", "(1,2]"),
        ("x-2 < 3", "2x < 10"),
        (r"x \ne 3", r"\mathbb{R} \setminus \{3\}"),
    ]);
    all_different(&[
        ("x = 5", "y = 5"),
        ("x = 5", "x > 5"),
        ("2x = 5", "5"),
        ("x < 2", r"x \le 2"),
        ("-x < 2", "x < -2"),
        ("2 + 2 = 5", "5"),
        ("x < 2", "2"),
    ]);
}

#[test]
fn words_and_letters_are_compared_as_text() {
    all_same(&[
        (r"\text{Evelyn}", "Evelyn"),
        ("Yes", r"\text{yes}"),
        (r"\text{ even}", "even."),
        ("(A)", "A"),
        (r"\textbf{(B)}", "B"),
        ("C)", r"\text{C}"),
        ("no solution", r"\text{No solution}"),
    ]);
    all_different(&[
        ("yes", "no"),
        ("A", "B"),
        ("a", "A"),
        ("no", "on"),
        ("dog", "god"),
        ("[invalid]", "7"),
        (r"\leftarrow", "arrow"),
    ]);
}

#[test]
fn unsure_is_not_equal_and_says_why() {
    let why = |answer: &str, gold: &str| match math_verdict(answer, gold) {
        MathVerdict::Unsure(why) => why,
        other => panic!("{answer}, {gold}: {other}"),
    };
    assert_eq!(why("", ""), Unsure::Empty);
    assert_eq!(why("1/2x", "x"), Unsure::Ambiguous("/".to_owned()));
    assert_eq!(why("1/0", "1"), Unsure::NoValue);
    assert_eq!(
        why(r"\int x", "1"),
        Unsure::NotUnderstood(r"\int".to_owned())
    );
    assert_eq!(why("1e999999", "1"), Unsure::TooLarge);
    assert_eq!(why("(1", "1"), Unsure::EndsEarly);
    assert_eq!(math_verdict("2", "1"), MathVerdict::Different);
    // An answer that cannot be parsed still equals itself.
    assert!(math_equal(r"\int x \, dx", r"\int x dx"));
}

#[test]
fn a_number_is_read_with_its_percent_sign_apart() {
    for (text, percent) in [
        (r"\frac{3}{4}", false),
        ("50%", true),
        ("5 cm", false),
        ("2^{10}", false),
    ] {
        assert_eq!(parse_number(text).unwrap().percent, percent, "{text}");
    }
    assert!(
        parse_number("50%")
            .unwrap()
            .same_value(&parse_number("50").unwrap())
    );
    for text in [
        "",
        "x",
        "1 2",
        "1,23",
        "1/0",
        r"\sqrt{2}",
        "(1,2)",
        "yes",
        "1e999999",
    ] {
        assert_eq!(parse_number(text), None, "{text}");
    }
}

/// Pairs that a reader of this code made up to be mistaken for equal ones, and near variants that are
/// equal.
#[test]
fn what_only_looks_the_same_is_not() {
    all_different(&[
        ("1 third", "1"),
        ("1 fifth", "1"),
        ("1 quadrillion", "1"),
        ("1xyz", "1"),
        ("1 alpha", "1"),
        ("2 billions", "2"),
        ("5 tens", "5"),
        ("3 couples", "3"),
        ("6 factorials", "6"),
        (r"\$50", r"50\%"),
        ("50 cents", r"50\%"),
        (r"50^\circ", r"50\%"),
        ("I or III", "I and III"),
        ("Alice or Bob", "Alice and Bob"),
        ("A or B", "A and B"),
        (r"(\pm1,\mp2)", r"(\pm1,\pm2)"),
        (r"x=\pm1, y=\mp2", r"x=\pm1, y=\pm2"),
        ("CBA", "ABC"),
        ("BAC_{16}", "ABC_{16}"),
        ("Ae", "aE"),
        ("Bi", "bi"),
        (r"f \circ g", r"g \circ f"),
        (r"\vec a\times\vec b", r"\vec b\times\vec a"),
        (r"\mathbf{B}\mathbf{A}", r"\mathbf{A}\mathbf{B}"),
        (r"2\mathbf{g}", "2"),
        (r"\cos 2\pi/3", r"\frac13"),
        (r"\sin\pi/6", "0"),
        ("1.93185165257814", r"\sqrt{2+\sqrt3}"),
        ("0.693147180559945x", r"x\ln 2"),
        (r"1.7320508075688772\ln 2", r"\sqrt3\ln 2"),
        ("(y,x)=(1,2)", "(1,2)"),
        (r"\rho=1, \theta=2, \phi=3", "(3,1,2)"),
        ("5 lbs", "£5"),
        ("4 tonnes", "4 tons"),
        ("21e-3", "0.021"),
        ("3:3.0", "3:30"),
        ("1.2:30", "12:30"),
        ("~5", "5"),
        ("f(1 2)", "f(12)"),
        ("3–5", "-2"),
    ]);
    all_same(&[
        ("1 apple", "1"),
        ("2 apples", "2"),
        ("x = 1 or x = 2", "x = 1 and x = 2"),
        ("2 and 3", "3, 2"),
        (r"\pm 1, \pm 2", "1, -1, 2, -2"),
        (r"(1, \pm 2)", r"(1, \pm 2) "),
        (r"2\vec a+3\vec b", r"3\vec b + 2 \vec a"),
        (r"\frac{\sin x}{\cos x}", r"\sin x/\cos x"),
        (r"\rho=1, \theta=2, \phi=3", "(1,2,3)"),
        ("(x,y)=(1,2)", "(1,2)"),
        ("5 pounds", "5 lbs"),
        ("5 pounds", "£5"),
        ("1e-3", "0.001"),
        ("3:30 p.m.", "3:30 PM"),
        (r"20^\circ C", r"20^\circ"),
        ("NO", "no"),
    ]);
}
