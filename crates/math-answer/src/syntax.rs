//! Syntax tree of an answer.

use num_rational::BigRational;

use super::unit::Unit;

/// LaTeX commands that are letters or constants.
const SYMBOLS: [&str; 38] = [
    "pi",
    "infty",
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "varepsilon",
    "zeta",
    "eta",
    "theta",
    "vartheta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "varphi",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Phi",
    "Psi",
    "Omega",
    "emptyset",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Number(BigRational),
    /// A variable or constant: `x`, `x_{1}`, `alpha`, `pi`, `infty`.
    Symbol(String),
    /// Words, such as `no solution`.
    Text(String),
    Sum(Vec<(Sign, Node)>),
    Product(Vec<Node>),
    Quotient(Box<Node>, Box<Node>),
    Power(Box<Node>, Box<Node>),
    /// Degree, an integer of at least two, and radicand.
    Root(u32, Box<Node>),
    Call(Function, Vec<Node>),
    /// A number before a percent sign. The value of the node is a hundredth of it.
    Percent(Box<Node>),
    Measured(Box<Node>, Unit),
    /// Entries in brackets: a pair, a vector, an interval. The brackets may differ, as in `(1, 2]`.
    Ordered {
        open: char,
        items: Vec<Node>,
        close: char,
    },
    /// Entries in `\{ \}`.
    Set(Vec<Node>),
    /// Entries without brackets.
    List(Joined, Vec<Node>),
    /// A ratio of three or more numbers, `1:2:3`. A ratio of two numbers is a quotient.
    Ratio(Vec<Node>),
    Matrix(Vec<Vec<Node>>),
    /// A chain such as `a < b <= c`, with one relation fewer than sides.
    Relation {
        sides: Vec<Node>,
        relations: Vec<Relation>,
    },
    /// Sets joined by the same operation.
    Sets(SetOperation, Vec<Node>),
}

/// Separator between the entries of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    Comma,
    And,
    Or,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
    PlusMinus,
    MinusPlus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetOperation {
    Union,
    Intersection,
    Difference,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Function {
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    ArcSin,
    ArcCos,
    ArcTan,
    Sinh,
    Cosh,
    Tanh,
    Exp,
    /// Logarithm to the base e.
    Ln,
    /// Logarithm without a written base, which may be ten or e.
    Log,
    /// Logarithm with a written base. Arguments: base, argument.
    LogBase,
    Absolute,
    Floor,
    Ceiling,
    Factorial,
    Binomial,
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Function> {
        Some(match name {
            "sin" => Function::Sin,
            "cos" => Function::Cos,
            "tan" | "tg" => Function::Tan,
            "cot" | "ctg" => Function::Cot,
            "sec" => Function::Sec,
            "csc" | "cosec" => Function::Csc,
            "arcsin" => Function::ArcSin,
            "arccos" => Function::ArcCos,
            "arctan" => Function::ArcTan,
            "sinh" => Function::Sinh,
            "cosh" => Function::Cosh,
            "tanh" => Function::Tanh,
            "exp" => Function::Exp,
            "ln" => Function::Ln,
            "log" => Function::Log,
            _ => return None,
        })
    }

    pub(super) fn inverse(self) -> Option<Function> {
        match self {
            Function::Sin => Some(Function::ArcSin),
            Function::Cos => Some(Function::ArcCos),
            Function::Tan => Some(Function::ArcTan),
            _ => None,
        }
    }
}

impl Node {
    pub(super) fn integer(value: i64) -> Node {
        Node::Number(BigRational::from_integer(value.into()))
    }

    pub(super) fn infinity() -> Node {
        Node::Symbol("infty".to_owned())
    }

    pub(super) fn negated(self) -> Node {
        Node::Sum(vec![(Sign::Minus, self)])
    }
}

/// Whether a LaTeX command is a letter or a constant.
pub(super) fn is_symbol(name: &str) -> bool {
    SYMBOLS.contains(&name)
}
