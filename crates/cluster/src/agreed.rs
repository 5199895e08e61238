//! What all members agree on: invitations, and who never comes back.

use crate::{Applied, Command, Error, JoinToken, Outcome, Secret, TokenId, view::Token};
use base::{NodeId, Row};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How many invitations may be open at once. One more is refused.
pub const TOKENS_MAX: usize = 64;
/// How many ids may be removed for good. One more is refused.
pub const REMOVED_MAX: usize = 4096;

const TOKENS: u8 = 0;
const REMOVED: u8 = 1;
/// Version of a row's value; its first byte.
const VERSION: u8 = 1;

/// The replicated state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) tokens: BTreeMap<TokenId, Token>,
    pub(crate) removed: BTreeSet<NodeId>,
}

#[derive(Serialize, Deserialize)]
struct TokenRow {
    key: Secret,
    expires_ms: u64,
}

impl Agreed {
    /// A pure function of the state and the command.
    pub(crate) fn apply(&mut self, command: &Command) -> Applied {
        match command {
            Command::MakeToken { id, key, expires_ms } => {
                if self.tokens.len() >= TOKENS_MAX {
                    return Applied { outcome: Outcome::TooManyTokens, rows: Vec::new() };
                }
                let token = Token { key: key.clone(), expires_ms: *expires_ms };
                let rows = vec![token_row(*id, Some(&token))];
                self.tokens.insert(*id, token);
                let token = JoinToken { id: *id, key: key.clone() };
                Applied { outcome: Outcome::Token(token), rows }
            }
            Command::EndTokens(ids) => {
                let ended = ids.iter().filter(|id| self.tokens.remove(id).is_some());
                let rows = ended.map(|id| token_row(*id, None)).collect();
                Applied { outcome: Outcome::Done, rows }
            }
            Command::Remove(node) => {
                if self.removed.len() >= REMOVED_MAX && !self.removed.contains(node) {
                    return Applied { outcome: Outcome::TooManyRemoved, rows: Vec::new() };
                }
                let key = node.0.to_be_bytes().to_vec();
                let rows = self.removed.insert(*node).then(|| Row {
                    table: REMOVED,
                    key,
                    value: Some(vec![VERSION]),
                });
                Applied { outcome: Outcome::Done, rows: rows.into_iter().collect() }
            }
        }
    }

    /// Takes a row of the state tables back in.
    pub(crate) fn restore(&mut self, row: &Row) -> Result<(), Error> {
        let what = "a row of the cluster's tables";
        let value = match &row.value {
            Some(value) => value,
            None => return Err(Error::malformed(what, "it has no value")),
        };
        let number: [u8; 8] = row
            .key
            .as_slice()
            .try_into()
            .map_err(|_| Error::malformed(what, "its key is no id"))?;
        let number = u64::from_be_bytes(number);
        let rest = match value.split_first() {
            Some((&VERSION, rest)) => rest,
            Some((&found, _)) => return Err(Error::Version { what, found, known: VERSION }),
            None => return Err(Error::malformed(what, "it is empty")),
        };
        match row.table {
            TOKENS => {
                let TokenRow { key, expires_ms } =
                    postcard::from_bytes(rest).map_err(|why| Error::malformed(what, why))?;
                self.tokens.insert(TokenId(number), Token { key, expires_ms });
            }
            REMOVED => {
                self.removed.insert(NodeId(number));
            }
            table => return Err(Error::malformed(what, format!("there is no table {table}"))),
        }
        Ok(())
    }
}

fn token_row(id: TokenId, token: Option<&Token>) -> Row {
    let value = token.map(|Token { key, expires_ms }| {
        let row = TokenRow { key: key.clone(), expires_ms: *expires_ms };
        postcard::to_extend(&row, vec![VERSION])
            .expect("a token is plain data and memory does not refuse it")
    });
    Row { table: TOKENS, key: id.0.to_be_bytes().to_vec(), value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Rng;

    #[test]
    fn its_rows_are_its_state_and_limits_refuse() {
        let mut agreed = Agreed::default();
        let mut rows: BTreeMap<(u8, Vec<u8>), Option<Vec<u8>>> = BTreeMap::new();
        let mut rng = Rng::from_seed([1; 32]);
        let mut command = |agreed: &mut Agreed, command: Command| {
            let applied = agreed.apply(&command);
            rows.extend(applied.rows.into_iter().map(|row| ((row.table, row.key), row.value)));
            let mut back = Agreed::default();
            for ((table, key), value) in &rows {
                let row = Row { table: *table, key: key.clone(), value: value.clone() };
                if value.is_some() {
                    back.restore(&row).expect("a row of ours");
                }
            }
            assert_eq!(back, *agreed);
            applied.outcome
        };
        for id in 0..TOKENS_MAX as u64 {
            let key = Secret::random(&mut rng);
            let make = Command::MakeToken { id: TokenId(id), key, expires_ms: 7 };
            assert!(matches!(command(&mut agreed, make), Outcome::Token(_)));
        }
        let key = Secret::random(&mut rng);
        let make = Command::MakeToken { id: TokenId(99), key, expires_ms: 7 };
        assert_eq!(command(&mut agreed, make.clone()), Outcome::TooManyTokens);
        let end = Command::EndTokens(vec![TokenId(3), TokenId(77)]);
        assert_eq!(command(&mut agreed, end), Outcome::Done);
        assert!(matches!(command(&mut agreed, make), Outcome::Token(_)));
        assert_eq!(command(&mut agreed, Command::Remove(NodeId(5))), Outcome::Done);
        assert_eq!(command(&mut agreed, Command::Remove(NodeId(5))), Outcome::Done);
        assert_eq!(agreed.removed.len(), 1);
    }
}
