//! Which lines of a file are code, and which of them a size rule counts.
//!
//! Not counted: comments, documentation and blank lines; generated files; what exists in tests only; the body of a
//! `const` or `static` table; the arms of a dispatching `match` with one call per arm. They grow with the problem, and
//! splitting them would only please the counter.

use super::source::{Lines, Source, lines_of};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::BTreeSet;
use syn::visit::{self, Visit};
use syn::{Expr, Stmt};

/// A `match` with fewer arms is an ordinary decision.
const DISPATCH_ARMS_MIN: usize = 5;

/// A function, where it stands, and how many lines of it count.
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines_count: usize,
}

/// The lines of a file that count.
pub fn counted_lines(source: &Source) -> BTreeSet<usize> {
    if source.test || source.generated {
        return BTreeSet::new();
    }
    let mut lines = BTreeSet::new();
    code(source.tokens.clone(), &mut lines);
    let mut tables = Tables(Vec::new());
    tables.visit_file(&source.syntax);
    lines.retain(|line| {
        !source.is_test(*line) && !tables.0.iter().any(|table| table.contains(line))
    });
    lines
}

/// Every function of the file with a body, methods and functions inside of functions too.
pub fn functions(source: &Source) -> Vec<Function> {
    let counted = counted_lines(source);
    let mut bodies = Bodies(Vec::new());
    bodies.visit_file(&source.syntax);
    let all = &bodies.0;
    let measure = |(name, lines): &(String, Lines)| {
        let nested = |line: &usize| {
            all.iter().any(|(_, other)| {
                other != lines
                    && lines.contains(other.start())
                    && lines.contains(other.end())
                    && other.contains(line)
            })
        };
        Function {
            name: name.clone(),
            line: *lines.start(),
            lines_count: counted.range(lines.clone()).filter(|line| !nested(line)).count(),
        }
    };
    all.iter().map(measure).collect()
}

fn code(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut index = 0;
    while index < tokens.len() {
        if let Some(length) = documentation(&tokens[index..]) {
            index += length;
            continue;
        }
        match &tokens[index] {
            TokenTree::Group(group) => {
                lines.insert(group.span_open().start().line);
                lines.insert(group.span_close().end().line);
                code(group.stream(), lines);
            }
            token => lines.extend(token.span().start().line..=token.span().end().line),
        }
        index += 1;
    }
}

/// How many tokens the comment of documentation here consists of: it is `#[doc = "…"]` to the parser.
fn documentation(tokens: &[TokenTree]) -> Option<usize> {
    let TokenTree::Punct(hash) = tokens.first()? else { return None };
    let inner = matches!(tokens.get(1)?, TokenTree::Punct(bang) if bang.as_char() == '!');
    let at = if inner { 2 } else { 1 };
    let TokenTree::Group(group) = tokens.get(at)? else { return None };
    let attribute = hash.as_char() == '#' && group.delimiter() == Delimiter::Bracket;
    let first = group.stream().into_iter().next()?;
    (attribute && matches!(first, TokenTree::Ident(doc) if doc == "doc")).then_some(at + 1)
}

/// Lines of tables: after the first line of a constant, and the arms of a dispatch.
struct Tables(Vec<Lines>);

impl Tables {
    fn constant(&mut self, value: &Expr) {
        let lines = lines_of(value);
        self.0.push(lines.start() + 1..=*lines.end());
    }
}

impl<'ast> Visit<'ast> for Tables {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.constant(&item.expr);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.constant(&item.expr);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.constant(&item.expr);
    }

    fn visit_expr_match(&mut self, expr: &'ast syn::ExprMatch) {
        if expr.arms.len() >= DISPATCH_ARMS_MIN
            && expr.arms.iter().all(|arm| is_one_call(&arm.body))
        {
            let (first, last) =
                (lines_of(&expr.arms[0]), lines_of(&expr.arms[expr.arms.len() - 1]));
            self.0.push(*first.start()..=*last.end());
        }
        visit::visit_expr_match(self, expr);
    }
}

/// A call, or less: a name, a literal, nothing.
fn is_one_call(expr: &Expr) -> bool {
    match expr {
        Expr::Call(_) | Expr::MethodCall(_) | Expr::Macro(_) | Expr::Tuple(_) => !decides(expr),
        Expr::Path(_) | Expr::Lit(_) | Expr::Field(_) => true,
        Expr::Try(inner) => is_one_call(&inner.expr),
        Expr::Await(inner) => is_one_call(&inner.base),
        Expr::Paren(inner) => is_one_call(&inner.expr),
        Expr::Reference(inner) => is_one_call(&inner.expr),
        Expr::Return(inner) => inner.expr.as_deref().is_none_or(is_one_call),
        Expr::Block(block) => match &block.block.stmts[..] {
            [] => true,
            [Stmt::Expr(expr, _)] => is_one_call(expr),
            [Stmt::Macro(_)] => true,
            _ => false,
        },
        _ => false,
    }
}

/// Is there control flow somewhere in it? Then it is more than a call.
fn decides(expr: &Expr) -> bool {
    let mut flow = ControlFlow(false);
    flow.visit_expr(expr);
    flow.0
}

struct ControlFlow(bool);

impl<'ast> Visit<'ast> for ControlFlow {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        let flow = matches!(
            expr,
            Expr::If(_)
                | Expr::Match(_)
                | Expr::ForLoop(_)
                | Expr::While(_)
                | Expr::Loop(_)
                | Expr::Block(_)
        );
        self.0 |= flow;
        visit::visit_expr(self, expr);
    }
}

struct Bodies(Vec<(String, Lines)>);

impl Bodies {
    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        self.0.push((
            signature.ident.to_string(),
            *lines_of(signature).start()..=*lines_of(block).end(),
        ));
    }
}

impl<'ast> Visit<'ast> for Bodies {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.body(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> Vec<(String, usize)> {
        let source = Source::parse("crates/a/src/lib.rs", text).expect("the sample is Rust");
        functions(&source)
            .into_iter()
            .map(|function| (function.name, function.lines_count))
            .collect()
    }

    #[test]
    fn comments_blank_lines_and_attributes_above_do_not_count() {
        let text = "/// Says a.\n#[inline]\nfn a() {\n\n    // why\n    /* a\n    long one */\n    one();\n    two(\"x\n    y\");\n}\n";
        assert_eq!(counts(text), [("a".to_owned(), 5)]);
    }

    #[test]
    fn a_function_inside_counts_alone() {
        let text = "fn a() {\n    fn b() {\n        one();\n    }\n    b();\n}\n";
        assert_eq!(counts(text), [("a".to_owned(), 3), ("b".to_owned(), 3)]);
    }

    #[test]
    fn a_dispatch_counts_as_its_frame_and_a_decision_in_full() {
        let arms = "1 => a(),\n2 => b(x).await?,\n3 => {}\n4 => return c(\n  x,\n),\n";
        let dispatch = format!("fn d() {{\nmatch x {{\n{arms}_ => \"five\",\n}}\n}}\n");
        assert_eq!(counts(&dispatch), [("d".to_owned(), 4)]);
        let decision = format!("fn d() {{\nmatch x {{\n{arms}_ => if x {{ a() }},\n}}\n}}\n");
        assert_eq!(counts(&decision), [("d".to_owned(), 11)]);
        let few = "fn d() {\nmatch x {\n1 => a(),\n_ => b(),\n}\n}\n";
        assert_eq!(counts(few), [("d".to_owned(), 6)]);
        let hidden = format!("fn d() {{\nmatch x {{\n{arms}_ => a(|| {{ b(); c() }}),\n}}\n}}\n");
        assert_eq!(counts(&hidden), [("d".to_owned(), 11)]);
    }

    #[test]
    fn tables_and_tests_do_not_count() {
        let text = "const A: &[u8] = &[\n1,\n2,\n];\n#[cfg(test)]\nmod tests {\n    fn a() {}\n}\nfn b() {}\n";
        let source = Source::parse("crates/a/src/lib.rs", text).expect("the sample is Rust");
        assert_eq!(counted_lines(&source), BTreeSet::from([1, 9]));
    }
}
