//! A template compiled, with what Python's operators and lists do and the engine's own do not.
//!
//! Two instructions are exchanged for filters that take the same operands from the stack: `%`, which the engine has for
//! numbers only, and `~`, which prints floats in another way. Lists are made ones that can be changed.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use minijinja::machinery::{
    CodeGenerator, Instruction, Instructions, ast, eval, make_string_output, parse, parse_expr,
};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, ValueKind};
use minijinja::{AutoEscape, Environment, Error, Expression, State, Value, context};

use super::values::{List, text_of, to_str};
use super::{format, refused};

/// Names of the filters that stand for instructions; no template can say them.
const PERCENT: &str = "%";
const CONCAT: &str = "~";
const LIST: &str = "[]";

/// Names of the lists that a template writes out; beyond these, lists cannot be changed.
const LITERALS: [&str; 32] = [
    "[0]", "[1]", "[2]", "[3]", "[4]", "[5]", "[6]", "[7]", "[8]", "[9]", "[10]", "[11]", "[12]",
    "[13]", "[14]", "[15]", "[16]", "[17]", "[18]", "[19]", "[20]", "[21]", "[22]", "[23]", "[24]",
    "[25]", "[26]", "[27]", "[28]", "[29]", "[30]", "[31]",
];

/// Not to be remembered by the engine.
const UNCACHED: u8 = u8::MAX;

pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter(PERCENT, |left: &Value, right: &Value| match text_of(left) {
        Some(text) => format::percent(text, right).map(Value::from),
        None => remainder(left, right),
    });
    environment.add_filter(CONCAT, concat);
    environment.add_filter(LIST, |items: Rest<Value>| List::value(items.0));
}

fn concat(state: &mut State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    let mut text = |value: &Value| match value.is_undefined() {
        // An error, but for what an `if` without an `else` leaves.
        true => state.format(value.clone()),
        false => to_str(value),
    };
    let joined = text(left)? + &text(right)?;
    Ok(match left.is_safe() && right.is_safe() {
        true => Value::from_safe_string(joined),
        false => Value::from(joined),
    })
}

/// The engine's own `%`.
fn remainder(left: &Value, right: &Value) -> Result<Value, Error> {
    static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(Environment::new);
    static REMAINDER: LazyLock<Option<Expression<'static, 'static>>> =
        LazyLock::new(|| PLAIN.compile_expression("left % right").ok());
    let expression = REMAINDER.as_ref().ok_or_else(|| refused("no remainder"))?;
    expression.eval(context! { left, right })
}

/// The syntax of lm-evaluation-harness's templates.
fn syntax() -> Result<SyntaxConfig, Error> {
    SyntaxConfig::builder().keep_trailing_newline(true).build()
}

/// What a template or an expression compiles to.
pub(super) struct Program<'s> {
    main: Instructions<'s>,
    blocks: BTreeMap<&'s str, Instructions<'s>>,
    literals: Vec<Value>,
}

impl<'s> Program<'s> {
    pub fn template(source: &'s str) -> Result<Self, Error> {
        let tree = parse(source, "template", syntax()?)?;
        Ok(Self::new(source, |generator| generator.compile_stmt(&tree)))
    }

    pub fn expression(source: &'s str) -> Result<Self, Error> {
        let tree: ast::Expr<'s> = parse_expr(source)?;
        Ok(Self::new(source, |generator| generator.compile_expr(&tree)))
    }

    fn new(source: &'s str, compile: impl FnOnce(&mut CodeGenerator<'s>)) -> Self {
        let mut generator = CodeGenerator::new("template", source);
        compile(&mut generator);
        let (mut main, mut blocks) = generator.finish();
        let mut literals = Vec::new();
        for instructions in std::iter::once(&mut main).chain(blocks.values_mut()) {
            exchange(instructions, &mut literals);
        }
        Program {
            main,
            blocks,
            literals,
        }
    }

    /// Runs over `context`: the text that is written, and the value that is left.
    pub fn run(
        &self,
        environment: &'s Environment<'s>,
        context: Value,
    ) -> Result<(String, Option<Value>), Error> {
        let context = match self.literals.as_slice() {
            [] => context,
            literals => Value::from_object(WithLiterals {
                context,
                literals: literals.to_vec(),
            }),
        };
        let mut text = String::new();
        let mut output = make_string_output(&mut text);
        let (value, _) = eval(
            environment,
            &self.main,
            context,
            &self.blocks,
            &mut output,
            AutoEscape::None,
        )?;
        Ok((text, value))
    }
}

fn exchange(instructions: &mut Instructions<'_>, literals: &mut Vec<Value>) {
    for at in 0.. {
        // The names of a macro's arguments are a list too.
        let names = matches!(instructions.get(at + 1), Some(Instruction::BuildMacro(..)));
        let Some(instruction) = instructions.get_mut(at) else {
            return;
        };
        let filter = |name, operands| Instruction::ApplyFilter(name, Some(operands), UNCACHED);
        let exchanged = match instruction {
            Instruction::Rem => filter(PERCENT, 2),
            Instruction::StringConcat => filter(CONCAT, 2),
            Instruction::BuildList(Some(count)) if let Ok(count) = u16::try_from(*count) => {
                filter(LIST, count)
            }
            Instruction::LoadConst(value)
                if !names
                    && value.kind() == ValueKind::Seq
                    && !value.is_tuple()
                    && let Some(name) = LITERALS.get(literals.len()) =>
            {
                literals.push(value.clone());
                Instruction::Lookup(name)
            }
            _ => continue,
        };
        *instruction = exchanged;
    }
}

/// A row, and under names of their own the lists that the template writes out, each time anew.
#[derive(Debug)]
struct WithLiterals {
    context: Value,
    literals: Vec<Value>,
}

impl Object for WithLiterals {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let place = LITERALS.iter().position(|name| Some(*name) == key.as_str());
        match place.and_then(|place| self.literals.get(place)) {
            Some(items) => Some(List::value(items.try_iter().ok()?.collect())),
            None => self
                .context
                .get_item(key)
                .ok()
                .filter(|value| !value.is_undefined()),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.context.try_iter() {
            Ok(keys) => Enumerator::Values(keys.collect()),
            Err(_) => Enumerator::Empty,
        }
    }
}
