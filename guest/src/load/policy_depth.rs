//! The gate before Cedar's parser: counts, sizes and depth, without recursion that an author could drive.
//!
//! Cedar guards its recursion with the size of the machine's stack, which WebAssembly does not have, so a
//! deep expression would trap: while it is parsed, validated, evaluated, or only dropped. The gate reads the
//! tokens of a policy with its own small parser, measures the height of the tree that Cedar will build,
//! balances chains of `&&` and `||` by inserting brackets, and refuses what is still too deep.
//!
//! Both operators are associative, in value, in errors and in what the validator learns from them, so
//! brackets change no decision.

use crate::contract::limits::{Limits, NESTING_MAX};
use crate::load::lexer::{Kind, Token, tokens};
use std::collections::BTreeMap;

/// A text that Cedar's parser may read.
#[derive(Debug)]
pub struct Balanced {
    /// The text with chains balanced.
    pub text: String,
    /// How many policies the text holds.
    pub policies: usize,
    /// Where brackets were inserted: offsets in the original text, ascending, each with the bytes inserted
    /// before it.
    inserted: Vec<(usize, usize)>,
}

impl Balanced {
    /// A text that has passed the gate before.
    #[must_use]
    pub fn passed(text: String) -> Self {
        Self { text, policies: 0, inserted: Vec::new() }
    }

    /// The place in the original text of a place in the balanced one.
    #[must_use]
    pub fn original(&self, offset: usize) -> usize {
        let mut shift = 0;
        for (at, bytes) in &self.inserted {
            if offset < at + shift + bytes {
                return if offset < at + shift { offset - shift } else { *at };
            }
            shift += bytes;
        }
        offset.saturating_sub(shift)
    }
}

/// Why a text may not reach Cedar's parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The byte of the text where it is.
    pub offset: usize,
    /// What is wrong, and the cure.
    pub why: Why,
}

/// The reasons of a [`Refusal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The expression tree, or its brackets, go deeper than the limit.
    #[error("this expression is nested deeper than the limit of {0} levels")]
    Depth(usize),
    /// One policy is longer than the limit.
    #[error("this policy is {0} bytes long, the limit is {1}")]
    Bytes(usize, usize),
    /// The text cannot be measured, because it is not made as policies are.
    #[error("this is not a policy")]
    Shape,
}

impl Why {
    /// What the author can do.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Depth(_) => "split the policy in two, or name the values in a set and use `contains`",
            Self::Bytes(..) => "split the policy, or move its lists into static entities",
            Self::Shape => "a policy is `permit(principal, action, resource) when { ... };` or the same with `forbid`",
        }
    }
}

/// Measures and balances a text of policies.
///
/// # Errors
/// Every [`Refusal`], in the order of the text. A [`Why::Shape`] alone does not mean that the text holds
/// what Cedar would accept: it says that the gate cannot vouch for it. The text that comes with it may still
/// be parsed for a better message, never used.
pub fn check(text: &str, limits: &Limits) -> (Balanced, Vec<Refusal>) {
    let tokens = tokens(text);
    let mut parser = Parser { text, tokens: &tokens, at: 0, marks: BTreeMap::new(), nesting: 0 };
    let mut refusals = Vec::new();
    let mut policies = 0;
    while parser.peek().is_some() {
        let first = parser.at;
        let outcome = parser.policy();
        let start = parser.start(first);
        match outcome {
            Ok(depth) if depth > limits.depth => {
                refusals.push(Refusal { offset: start, why: Why::Depth(limits.depth) })
            }
            Ok(_) => {}
            Err(Stop::Depth) => {
                let offset = parser.start(parser.at.min(tokens.len().saturating_sub(1)));
                refusals.push(Refusal { offset, why: Why::Depth(limits.depth) });
                parser.resync(first);
            }
            Err(Stop::Shape) => {
                refusals.push(Refusal { offset: parser.start(parser.at), why: Why::Shape });
                parser.resync(first);
            }
        }
        policies += 1;
        let bytes = parser.end_before() - start;
        if bytes > limits.policy_bytes {
            refusals.push(Refusal { offset: start, why: Why::Bytes(bytes, limits.policy_bytes) });
        }
    }
    let marks = std::mem::take(&mut parser.marks);
    let balanced = balanced(text, policies, &marks);
    if refusals.is_empty() {
        refusals.extend(nested_too_deep(&balanced));
    }
    (balanced, refusals)
}

/// Where the brackets of a balanced text nest deeper than its parser can follow.
fn nested_too_deep(balanced: &Balanced) -> Option<Refusal> {
    let mut open = 0_usize;
    let too_deep = tokens(&balanced.text).into_iter().find(|token| {
        match balanced.text.get(token.start..token.end) {
            Some("(" | "[" | "{") => open += 1,
            Some(")" | "]" | "}") => open = open.saturating_sub(1),
            _ => {}
        }
        open > NESTING_MAX
    })?;
    Some(Refusal { offset: balanced.original(too_deep.start), why: Why::Depth(NESTING_MAX) })
}

/// Brackets to insert at a byte: how many close there and how many open.
#[derive(Debug, Default, Clone, Copy)]
struct Marks {
    close: usize,
    open: usize,
}

fn balanced(text: &str, policies: usize, marks: &BTreeMap<usize, Marks>) -> Balanced {
    let mut out = String::with_capacity(text.len() + marks.len() * 2);
    let mut inserted = Vec::with_capacity(marks.len());
    let mut from = 0;
    for (&at, mark) in marks {
        out.push_str(text.get(from..at).unwrap_or_default());
        out.extend(std::iter::repeat_n(')', mark.close));
        out.extend(std::iter::repeat_n('(', mark.open));
        inserted.push((at, mark.close + mark.open));
        from = at;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Balanced { text: out, policies, inserted }
}

/// Why the small parser stopped inside a policy.
enum Stop {
    Depth,
    Shape,
}

/// The height of an expression tree.
type Depth = usize;

/// One operand of a chain: where it stands, and its height.
struct Operand {
    start: usize,
    end: usize,
    depth: Depth,
}

/// Chains up to this length are left as they are written.
const CHAIN_AS_WRITTEN: usize = 4;

/// Reads one policy after the other by Cedar's grammar. Recursion happens in `expr` alone and is bounded.
struct Parser<'t> {
    text: &'t str,
    tokens: &'t [Token],
    at: usize,
    marks: BTreeMap<usize, Marks>,
    nesting: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t str> {
        self.tokens.get(self.at).and_then(|t| self.text.get(t.start..t.end))
    }

    fn peek_second(&self) -> Option<&'t str> {
        self.tokens.get(self.at + 1).and_then(|t| self.text.get(t.start..t.end))
    }

    fn kind(&self) -> Option<Kind> {
        self.tokens.get(self.at).map(|t| t.kind)
    }

    fn start(&self, token: usize) -> usize {
        self.tokens.get(token).map_or(self.text.len(), |t| t.start)
    }

    fn end_before(&self) -> usize {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(0, |t| t.end)
    }

    fn take(&mut self, what: &str) -> bool {
        let found = self.peek() == Some(what);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, what: &str) -> Result<(), Stop> {
        if self.take(what) { Ok(()) } else { Err(Stop::Shape) }
    }

    fn ident(&mut self) -> Result<&'t str, Stop> {
        match (self.kind(), self.peek()) {
            (Some(Kind::Ident), Some(text)) => {
                self.at += 1;
                Ok(text)
            }
            _ => Err(Stop::Shape),
        }
    }

    /// Goes on behind the next semicolon, and at least one token further.
    fn resync(&mut self, first: usize) {
        self.nesting = 0;
        self.at = self.at.max(first);
        while let Some(text) = self.peek() {
            self.at += 1;
            if text == ";" {
                break;
            }
        }
    }

    /// `{'@' ident ['(' string ')']} effect '(' scope ')' {clause} ';'`
    fn policy(&mut self) -> Result<Depth, Stop> {
        while self.take("@") {
            self.ident()?;
            if self.take("(") {
                if self.kind() != Some(Kind::Str) {
                    return Err(Stop::Shape);
                }
                self.at += 1;
                self.expect(")")?;
            }
        }
        self.ident()?;
        self.expect("(")?;
        let mut deepest = 1;
        while !self.take(")") {
            deepest = deepest.max(self.scope_part()?);
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        let mut clauses = 0;
        while !self.take(";") {
            let keyword = self.ident()?;
            self.expect("{")?;
            if !self.take("}") {
                let depth = self.expr()? + usize::from(keyword == "unless");
                self.expect("}")?;
                deepest = deepest.max(depth);
            }
            clauses += 1;
        }
        Ok(deepest + usize::max(clauses, 1) - 1)
    }

    /// `ident [':' name] ['is' add] [relation expr]`
    fn scope_part(&mut self) -> Result<Depth, Stop> {
        self.ident()?;
        if self.take(":") {
            self.primary()?;
        }
        let mut depth = 1;
        if self.take("is") {
            depth = depth.max(self.additive()?);
        }
        if self.relation_operator() {
            depth = depth.max(self.expr()?);
        }
        Ok(depth)
    }

    fn expr(&mut self) -> Result<Depth, Stop> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return Err(Stop::Depth);
        }
        let depth = if self.peek() == Some("if") && self.peek_second() != Some("::") {
            self.at += 1;
            let test = self.expr()?;
            self.expect("then")?;
            let yes = self.expr()?;
            self.expect("else")?;
            let no = self.expr()?;
            1 + test.max(yes).max(no)
        } else {
            self.chain("||", |p| p.chain("&&", Self::relation))?
        };
        self.nesting -= 1;
        Ok(depth)
    }

    /// Operands joined by one operator, balanced where the chain is long.
    fn chain(&mut self, operator: &str, operand: impl Fn(&mut Self) -> Result<Depth, Stop>) -> Result<Depth, Stop> {
        let mut operands = Vec::new();
        loop {
            let start = self.start(self.at);
            let depth = operand(self)?;
            operands.push(Operand { start, end: self.end_before(), depth });
            if !self.take(operator) {
                break;
            }
        }
        if operands.len() <= CHAIN_AS_WRITTEN {
            return Ok(left_deep(operands.iter().map(|o| o.depth)));
        }
        Ok(self.balance(&operands))
    }

    /// Inserts brackets so that the tree over `operands` is as low as it can be. Its recursion halves.
    fn balance(&mut self, operands: &[Operand]) -> Depth {
        let (left, right) = operands.split_at(operands.len() / 2);
        match (operands, left, right) {
            ([only], ..) => only.depth,
            (_, [_, ..], [_, ..]) => {
                self.bracket(left);
                self.bracket(right);
                1 + self.balance(left).max(self.balance(right))
            }
            _ => 0,
        }
    }

    fn bracket(&mut self, operands: &[Operand]) {
        if let [first, .., last] = operands {
            self.marks.entry(first.start).or_default().open += 1;
            self.marks.entry(last.end).or_default().close += 1;
        }
    }

    fn relation_operator(&mut self) -> bool {
        let found = matches!(self.peek(), Some("<" | "<=" | ">=" | ">" | "!=" | "==" | "=" | "in"));
        self.at += usize::from(found);
        found
    }

    fn relation(&mut self) -> Result<Depth, Stop> {
        let mut depth = self.additive()?;
        match self.peek() {
            Some("has") => {
                self.at += 1;
                let path = if self.peek() == Some("if") {
                    self.at += 1;
                    self.accesses(1)?
                } else {
                    self.additive()?
                };
                // `a has b.c.d` becomes one test for each part.
                Ok(depth.max(path) + 1 + path)
            }
            Some("like") => {
                self.at += 1;
                Ok(1 + depth.max(self.additive()?))
            }
            Some("is") => {
                self.at += 1;
                depth = depth.max(self.additive()?) + 1;
                if self.take("in") {
                    depth = depth.max(self.additive()?) + 2;
                }
                Ok(depth)
            }
            _ => {
                // `!=`, `>` and `>=` are written with a negation.
                while self.relation_operator() {
                    depth = depth.max(self.additive()?) + 2;
                }
                Ok(depth)
            }
        }
    }

    fn additive(&mut self) -> Result<Depth, Stop> {
        let mut depth = self.multiplicative()?;
        while matches!(self.peek(), Some("+" | "-")) {
            self.at += 1;
            depth = depth.max(self.multiplicative()?) + 1;
        }
        Ok(depth)
    }

    fn multiplicative(&mut self) -> Result<Depth, Stop> {
        let mut depth = self.unary()?;
        while matches!(self.peek(), Some("*" | "/" | "%")) {
            self.at += 1;
            depth = depth.max(self.unary()?) + 1;
        }
        Ok(depth)
    }

    fn unary(&mut self) -> Result<Depth, Stop> {
        let mut signs = 0;
        while matches!(self.peek(), Some("!" | "-")) {
            self.at += 1;
            signs += 1;
        }
        Ok(signs + self.member()?)
    }

    fn member(&mut self) -> Result<Depth, Stop> {
        let depth = self.primary()?;
        self.accesses(depth)
    }

    /// `{'.' ident | '(' [list] ')' | '[' expr ']'}`
    fn accesses(&mut self, mut depth: Depth) -> Result<Depth, Stop> {
        loop {
            if self.take(".") {
                self.ident()?;
                depth += 1;
            } else if self.take("(") {
                depth = depth.max(self.list(")")?) + 1;
            } else if self.take("[") {
                depth = depth.max(self.expr()?) + 1;
                self.expect("]")?;
            } else {
                return Ok(depth);
            }
        }
    }

    fn list(&mut self, close: &str) -> Result<Depth, Stop> {
        let mut deepest = 0;
        while !self.take(close) {
            deepest = deepest.max(self.expr()?);
            if !self.take(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(deepest)
    }

    fn primary(&mut self) -> Result<Depth, Stop> {
        match (self.kind(), self.peek()) {
            (Some(Kind::Number | Kind::Str | Kind::Slot), _) => {
                self.at += 1;
                Ok(1)
            }
            (_, Some("(")) => {
                self.at += 1;
                let depth = self.expr()?;
                self.expect(")")?;
                Ok(depth)
            }
            (_, Some("[")) => {
                self.at += 1;
                Ok(1 + self.list("]")?)
            }
            (_, Some("{")) => {
                self.at += 1;
                self.record()
            }
            (Some(Kind::Ident), Some(word)) => {
                self.at += 1;
                if word == "if" && self.peek() != Some("::") {
                    return Err(Stop::Shape);
                }
                self.path()
            }
            _ => Err(Stop::Shape),
        }
    }

    /// What follows the first part of a name: `{'::' ident} ['::' (string | '{' ... '}')]`
    fn path(&mut self) -> Result<Depth, Stop> {
        while self.take("::") {
            match (self.kind(), self.peek()) {
                (Some(Kind::Ident), _) => self.at += 1,
                (Some(Kind::Str), _) => {
                    self.at += 1;
                    return Ok(1);
                }
                (_, Some("{")) => {
                    self.at += 1;
                    return self.record();
                }
                _ => return Err(Stop::Shape),
            }
        }
        Ok(1)
    }

    /// `{key ':' expr} '}'`
    fn record(&mut self) -> Result<Depth, Stop> {
        let mut deepest = 0;
        while !self.take("}") {
            if self.peek() == Some("if") && self.peek_second() == Some(":") {
                self.at += 1;
            } else {
                deepest = deepest.max(self.expr()?);
            }
            self.expect(":")?;
            deepest = deepest.max(self.expr()?);
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(1 + deepest)
    }
}

/// The height of a chain that is written without brackets.
fn left_deep(operands: impl Iterator<Item = Depth>) -> Depth {
    operands.enumerate().fold(0, |height, (at, depth)| if at == 0 { depth } else { height.max(depth) + 1 })
}

#[cfg(test)]
mod tests {
    use super::{Why, check};
    use crate::contract::limits::Limits;

    fn when(expression: &str) -> String {
        format!("permit(principal, action, resource) when {{ {expression} }};")
    }

    fn passes(expression: &str) -> bool {
        check(&when(expression), &Limits::default()).1.is_empty()
    }

    #[test]
    fn a_long_chain_is_balanced_and_its_places_are_kept() {
        let text = when(&["context.a"; 9].join(" || "));
        let (balanced, refusals) = check(&text, &Limits::default());
        assert!(refusals.is_empty());
        assert!(balanced.text.len() > text.len());
        assert_eq!(balanced.text.replace(['(', ')'], ""), text.replace(['(', ')'], ""));
        for (at, _) in balanced.text.match_indices("context") {
            assert!(text.get(balanced.original(at)..).unwrap().starts_with("context"));
        }
    }

    #[test]
    fn depth_is_of_the_tree_and_not_of_brackets() {
        assert!(passes(&vec!["true"; 3_000].join(" && ")));
        assert!(!passes(&vec!["1"; 70].join(" + ")));
        assert!(passes(&format!("{}true{}", "(".repeat(75), ")".repeat(75))));
        assert!(!passes(&format!("{}true{}", "(".repeat(10_000), ")".repeat(10_000))));
        assert!(!passes(&format!("context{}", ".a".repeat(64))));
        assert!(!passes(&format!("{}true{}", "if true then true else ".repeat(64), "")));
    }

    #[test]
    fn the_last_depth_that_passes_is_the_limit() {
        let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        assert!(passes(&nested(63)));
        assert!(!passes(&nested(64)));
    }

    #[test]
    fn one_bad_policy_hides_no_other() {
        let text = format!("permit(;\n{}\nforbid(principal", when(&format!("context{}", ".a".repeat(70))));
        let (_, refusals) = check(&text, &Limits::default());
        let whys: Vec<_> = refusals.into_iter().map(|r| r.why).collect();
        assert_eq!(whys, [Why::Shape, Why::Depth(64), Why::Shape]);
    }

    #[test]
    fn keywords_may_be_names_where_cedar_lets_them() {
        for expression in [
            "context has if",
            "{if: 1, then: 2}.if == 1",
            "context.in.like.has",
            "if if::\"a\" == principal then true else false",
            "principal is A::B in A::C::\"x\"",
            "[].contains(ip(\"1.1.1.1\").isIpv4())",
            "principal[\"a b\"]",
            "!!!!true && -1 < - - 2",
        ] {
            assert!(passes(expression), "{expression}");
        }
    }
}
