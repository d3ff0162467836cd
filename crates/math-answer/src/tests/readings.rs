//! Parts of an answer besides its value: names, joining words, units, notation.

use super::super::math_equal;
use super::spellings::{all_different, all_same};

#[test]
fn a_choice_of_sign_is_all_that_it_says() {
    all_same(&[
        (r"x = \pm 2", "2, -2"),
        (r"x = 2 \text{ or } x = -2", r"x=\pm 2"),
        (r"y = \pm x", r"y = x, y = -x"),
        (r"1 \pm \sqrt2", r"x = 1\pm\sqrt2"),
    ]);
    all_different(&[
        ("x = 2", r"x = \pm 2"),
        (r"x=\pm 2", "x=2"),
        (r"y=\pm x", "y = x"),
        (r"x > \pm 2", "x > 2"),
        ("3, -3", r"\pm1\pm2"),
        (r"\pm 3", r"\pm1\pm2"),
    ]);
}

#[test]
fn lists_keep_their_names_joining_words_and_repetitions() {
    all_same(&[
        ("x=1, y=2", "y=2, x=1"),
        ("x=1 and y=2", "(1,2)"),
        ("(x,y) = (1,2)", "(1,2)"),
        ("x=1 and x=2", "x=1 or x=2"),
        (r"\{1,1,2\}", r"\{1,2\}"),
        ("Bob and Alice", r"\text{Alice, Bob}"),
        (r"\text{A,C}", "C, A"),
    ]);
    all_different(&[
        ("x=2,y=1", "1,2"),
        ("2,1", "x=1,y=2"),
        ("x=2, y=1", "(1,2)"),
        ("x>1 and x<2", r"x>1\text{ or }x<2"),
        ("x=1 or y=2", "x=1 and y=2"),
        ("1,1,2", "1,2,2"),
        ("1,1,2", "1,2"),
        (r"\{1\}", r"\{\{1\}\}"),
    ]);
}

#[test]
fn sets_of_real_numbers_are_written_as_conditions_or_intervals() {
    all_same(&[
        (r"x<1 \text{ or } x>2", r"(-\infty,1)\cup(2,\infty)"),
        ("x>2 and x<3", "(2,3)"),
        (r"\{x \mid x<2\}", r"(-\infty,2)"),
        (r"\{x \in \mathbb{R} : x \ge 2\}", r"[2,\infty)"),
        (r"x\ne-1", r"(-\infty,-1)\cup(-1,\infty)"),
        (r"\mathbb{R} \setminus \{3\}", r"x \neq 3"),
        (r"(-\infty,\infty)", r"\mathbb{R}"),
        ("|x|<1", "-1<x<1"),
        (r"|x| \ge 1", r"(-\infty,-1]\cup[1,\infty)"),
        (r"k\in[1,2)", r"1\le k<2"),
    ]);
    all_different(&[
        (r"x<1 \text{ and } x>2", r"(-\infty,1)\cup(2,\infty)"),
        ("x>2 or x<3", "(2,3)"),
        (r"\{x \mid x\le 2\}", r"(-\infty,2)"),
        (r"x\ne-1", r"(-\infty,-1)\cup(1,\infty)"),
        ("|x|>1", "-1<x<1"),
        (r"k\in[1,2)", r"1\le x<2"),
    ]);
}

#[test]
fn a_ratio_is_no_time_of_day() {
    all_same(&[
        ("3:4", "6:8"),
        ("3:4", "3/4"),
        ("2:4:6", "1:2:3"),
        ("3:30 PM", r"3{:}30\text{ p.m.}"),
        ("3:30", "3:30 p.m."),
        ("4:13", "8/26"),
    ]);
    for (answer, gold) in [("1:10", "3:30"), ("0.1", "3:30"), ("4:5", "4:05")] {
        assert!(!math_equal(answer, gold), "{answer} for {gold}");
    }
    assert!(math_equal("2:3", "10:15"));
    all_different(&[("3:30 am", "3:30 pm"), ("1:6", "1:2:3"), ("4:6:4", "2:3:4")]);
}

#[test]
fn letters_are_variables_words_or_names_of_functions() {
    all_same(&[
        ("yx", "xy"),
        ("x y", "xy"),
        ("f(3) = 20", "20"),
        ("P(3) = 20", "20"),
        (r"\text{Area} = 20", "20"),
        ("Total cost = 20", "20"),
        (r"\angle ABC = 20^\circ", "20"),
        ("20 = x", "20"),
        ("= 20", "20"),
        ("Bob", r"\text{bob}"),
        ("Option B", r"\text{(B)}"),
        ("infinity", r"\infty"),
    ]);
    all_different(&[
        ("ab", "AB"),
        ("xY", "Xy"),
        ("f(x)+f(y)", "f(x+y)"),
        ("2f(x)", "f(2x)"),
        ("0", "f(0)"),
        ("g(f(x))", "f(g(x))"),
        (r"\frac{y}{x}", r"\frac{dy}{dx}"),
        ("20", r"\text{Area} = 21"),
    ]);
}

#[test]
fn infinity_is_not_computed_with() {
    all_same(&[
        (r"-\infty", r"-\infty"),
        (r"(-\infty, \infty)", r"(-\infty,+\infty)"),
    ]);
    all_different(&[
        (r"\infty-\infty", "0"),
        (r"0\cdot\infty", "0"),
        (r"\frac{\infty}{\infty}", "1"),
        (r"2\infty", r"\infty\cdot2"),
        ("3!!", "720"),
    ]);
}

#[test]
fn units_are_read_in_the_ways_that_they_are_written() {
    all_same(&[
        (r"20\text{ cm}^{2}", r"20\text{ cm}^2"),
        (r"20\text{ m/s}", r"20\,\mathrm{m}/\mathrm{s}"),
        (r"20\text{ cm^2}", "20 square centimeters"),
        (r"\$20\text{ per hour}", "20"),
        (r"20\text{ in}^2", "20 square inches"),
        (r"20^\circ\text{C}", "20"),
        ("20{}^\\circ", r"20^\circ"),
        ("20 years old", "20"),
        ("18 eggs per day", r"18\text{ eggs per day}"),
        (r"\$5\text{ per ticket}", "5 dollars per ticket"),
        ("3 apples left", "3"),
        ("1\\ 000", "1000"),
        ("1 000 000", "1000000"),
    ]);
    all_different(&[
        (r"20^\circ C", r"20^\circ F"),
        (r"20\text{ m/s}", r"20\text{ m}"),
        ("18 eggs per day", "18 eggs"),
        (r"\$20\text{ per hour}", r"\$20\text{ per day}"),
        ("3 125/1000", "3125"),
    ]);
}

#[test]
fn notation_of_the_field_is_understood() {
    all_same(&[
        (r"\boxed{20}", "20"),
        ("**20**", "20"),
        ("`20`", "20"),
        (r"**(B)**", r"\text{(B)}"),
        ("½", r"\frac12"),
        ("5½", "5.5"),
        (r"{1\over 2}", "0.5"),
        (r"{10 \choose 3}", "120"),
        (r"\binom52", "10"),
        ("x**2", "x^2"),
        ("sqrt3", r"\sqrt{3}"),
        (r"0.\bar3", r"\frac13"),
        (r"1010_{\text{two}}", "1010_2"),
        ("(1010)_2", "1010_2"),
        (r"\lvert x\rvert", "|x|"),
        (r"\textcolor{red}{20}", "20"),
        (
            r"\begin{pmatrix}1\\[4pt]2\end{pmatrix}",
            r"\begin{pmatrix}1\\2\end{pmatrix}",
        ),
        (r"e^{i\pi}", "-1"),
        (r"e^{\pi i/3}", r"\frac12+\frac{\sqrt3}{2}i"),
        ("|3+4i|", "5"),
        (r"|1+\sqrt3 i|", "2"),
    ]);
    all_different(&[
        (r"e^{i\pi}", "1"),
        (r"e^{\pi}", "-1"),
        ("|3+4i|", "7"),
        ("1010_3", "1010_2"),
        ("10101", "1010_2"),
    ]);
}
