//! One Rust file: its text, tokens and syntax.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::ops::RangeInclusive;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Lines, from 1.
pub type Lines = RangeInclusive<usize>;

/// How far down the mark of a generated file may stand.
const GENERATED_LINES: usize = 5;

/// One Rust file.
pub struct Source {
    /// From the root.
    pub path: String,
    pub tokens: TokenStream,
    pub syntax: syn::File,
    /// The whole file is for tests only.
    pub test: bool,
    /// A program wrote it: sizes are that program's business.
    pub generated: bool,
    /// Items for tests only.
    test_items: Vec<Lines>,
}

impl Source {
    pub fn parse(path: &str, text: &str) -> Result<Self, syn::Error> {
        let tokens: TokenStream = text.parse()?;
        let syntax: syn::File = syn::parse2(tokens.clone())?;
        let mut items = TestItems(Vec::new());
        items.visit_file(&syntax);
        let generated = text.lines().take(GENERATED_LINES).any(|line| line.contains("@generated"));
        Ok(Self {
            path: path.to_owned(),
            tokens,
            syntax,
            test: false,
            generated,
            test_items: items.0,
        })
    }

    /// Does this line exist in tests only?
    pub fn is_test(&self, line: usize) -> bool {
        self.test || self.test_items.iter().any(|lines| lines.contains(&line))
    }

    /// Calls `look` with every place in the tokens, inside of macros too, and what follows it in the same group.
    pub fn each_token(&self, look: &mut dyn FnMut(&[TokenTree])) {
        each(self.tokens.clone(), look);
    }
}

fn each(tokens: TokenStream, look: &mut dyn FnMut(&[TokenTree])) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        look(&tokens[index..]);
        if let TokenTree::Group(group) = token {
            each(group.stream(), look);
        }
    }
}

/// `#[cfg(test)]`, alone or as one of several conditions that must all hold.
pub fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && demands_test(list.tokens.clone())
    })
}

fn demands_test(tokens: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter().enumerate().any(|(index, token)| match (token, tokens.get(index + 1)) {
        (TokenTree::Ident(all), Some(TokenTree::Group(group))) if all == "all" => {
            demands_test(group.stream())
        }
        (TokenTree::Ident(test), _) => test == "test",
        _ => false,
    })
}

/// From the first to the last line of it, attributes and comments of documentation included.
pub fn lines_of(node: &impl Spanned) -> Lines {
    let span = node.span();
    span.start().line..=span.end().line
}

struct TestItems(Vec<Lines>);

impl<'ast> Visit<'ast> for TestItems {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if is_for_tests(attributes(item)) {
            self.0.push(lines_of(item));
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if is_for_tests(&item.attrs) {
            self.0.push(lines_of(item));
        }
    }
}

/// The attributes of an item, whatever it is.
pub fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item;
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The group right after the first tokens, if it is one of these brackets.
pub fn group_after(
    tokens: &[TokenTree],
    index: usize,
    delimiters: &[Delimiter],
) -> Option<TokenStream> {
    match tokens.get(index)? {
        TokenTree::Group(group) if delimiters.contains(&group.delimiter()) => Some(group.stream()),
        _ => None,
    }
}
