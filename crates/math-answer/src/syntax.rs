//! What an answer says, as a tree.

use num_rational::BigRational;

use super::units::Unit;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Number(BigRational),
    /// A variable or constant: `x`, `x_{1}`, `alpha`, `pi`, `infty`.
    Symbol(String),
    /// Words that are no mathematics.
    Text(String),
    Sum(Vec<(Sign, Node)>),
    Product(Vec<Node>),
    Quotient(Box<Node>, Box<Node>),
    Power(Box<Node>, Box<Node>),
    /// The root of a degree, which is a whole number of at least two.
    Root(u32, Box<Node>),
    Call(Function, Vec<Node>),
    /// Hundredths.
    Percent(Box<Node>),
    Measured(Box<Node>, Unit),
    /// In brackets, of which each side may include its end: a pair, a vector, an interval.
    Ordered {
        open: char,
        items: Vec<Node>,
        close: char,
    },
    /// In braces.
    Set(Vec<Node>),
    /// Without brackets.
    List(Joined, Vec<Node>),
    /// Of three numbers or more: `1:2:3`. One of two is a quotient.
    Ratio(Vec<Node>),
    Matrix(Vec<Vec<Node>>),
    /// `a < b <= c`: one relation fewer than sides.
    Relation {
        sides: Vec<Node>,
        relations: Vec<Relation>,
    },
    /// Sets with one operation between them.
    Sets(SetOperation, Vec<Node>),
}

/// What stands between the entries of a list.
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
    /// Base e.
    Ln,
    /// Of a base that is not written: ten or e.
    Log,
    /// Base, argument.
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

    pub(super) fn negated(self) -> Node {
        Node::Sum(vec![(Sign::Minus, self)])
    }
}
