//! Many configs that are published: what an import and a clone share.
//!
//! First all together, which costs one write of the log. When that is refused, nothing was published, and they are
//! published one after the other: which of them can be, and what is told of the others, is as if that had been done at once.
//! Not all or nothing: as in Nacos, the answer tells what became of each. Unlike there, only what was published counts as
//! published, whatever the policy.

use super::version;
use crate::{
    Answer, Ask, Unavailable,
    fault::Fault,
    operation::{Event, Next, failed},
    reply::{self, Rendered},
};
use config::{Author, CHANGES_MAX, Change, ConfigKey, Details, Outcome, Reply, Request};
use http::StatusCode;
use serde::Serialize;
use std::{collections::VecDeque, sync::Arc};

/// What becomes of a config that exists already. Whether it does is decided where it is published, not before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// It stays, and nothing after it is published.
    Abort,
    /// It stays.
    Skip,
    /// It is replaced.
    Overwrite,
}

impl Policy {
    /// # Errors
    /// When it is none of the three; blank is the first.
    pub(crate) fn read(text: Option<&str>) -> Result<Self, Fault> {
        match text.map(str::trim) {
            None | Some("" | "ABORT") => Ok(Self::Abort),
            Some("SKIP") => Ok(Self::Skip),
            Some("OVERWRITE") => Ok(Self::Overwrite),
            Some(other) => {
                let told = format!("invalid policy : {other}: ABORT, SKIP or OVERWRITE is taken");
                Err(Fault::caused(told))
            }
        }
    }
}

/// One config to publish.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) key: ConfigKey,
    pub(crate) content: Content,
    pub(crate) details: Details,
}

/// Where its content is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Text(Arc<str>),
    /// The file of this number in the archive.
    File(usize),
}

/// The answers of Nacos that are no success. Their status is 200 all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    NamespaceUnknown,
    MetadataIllegal,
    Unreadable,
    Empty,
    NothingChosen,
}

impl Failure {
    fn told(self) -> (u32, &'static str) {
        match self {
            Self::NamespaceUnknown => (100_001, "目标 namespace 不存在"),
            Self::MetadataIllegal => (100_002, "导入的元数据非法"),
            Self::Unreadable => (100_004, "解析数据失败"),
            Self::Empty => (100_005, "导入的文件数据为空"),
            Self::NothingChosen => (100_006, "没有选择任何配制"),
        }
    }

    /// The answer, with what more is known.
    pub(crate) fn rendered(self, more: Option<&str>) -> Rendered {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            succ_count: usize,
        }
        #[derive(Serialize)]
        struct Body {
            code: u32,
            message: String,
            data: Data,
        }
        let (code, text) = self.told();
        let message = more.map_or_else(|| text.to_owned(), |more| format!("{text}: {more}"));
        let body = reply::to_json(&Body { code, message, data: Data { succ_count: 0 } });
        Rendered::Http(reply::http(StatusCode::OK, Some(reply::JSON_UTF8), body))
    }
}

/// A config that was not published.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Left {
    data_id: Arc<str>,
    group: Arc<str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

/// A file that is no config.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Unrecognized {
    pub(crate) item_name: String,
}

/// What was asked for.
#[derive(Debug)]
enum Current {
    One(ConfigKey),
    /// All that are left.
    Together,
}

/// How far it has come.
#[derive(Debug)]
pub(crate) struct Transfer {
    policy: Policy,
    author: Author,
    left: VecDeque<Item>,
    /// Asked for and not answered.
    current: Option<Current>,
    /// They were, or cannot be, published together.
    together_tried: bool,
    published: usize,
    failed: Vec<Left>,
    skipped: Vec<Left>,
    unrecognized: Vec<Unrecognized>,
    message: &'static str,
}

impl Transfer {
    pub(crate) fn new(
        policy: Policy,
        author: Author,
        items: Vec<Item>,
        message: &'static str,
    ) -> Self {
        Self {
            policy,
            author,
            left: items.into(),
            current: None,
            together_tried: false,
            published: 0,
            failed: Vec::new(),
            skipped: Vec::new(),
            unrecognized: Vec::new(),
            message,
        }
    }

    pub(crate) fn with_unrecognized(self, unrecognized: Vec<Unrecognized>) -> Self {
        Self { unrecognized, ..self }
    }

    /// Publishes all of them or the next one, or answers. `content` reads a file of the archive.
    pub(crate) fn next(&mut self, content: impl Fn(usize) -> Option<String>) -> Next {
        if !std::mem::replace(&mut self.together_tried, true)
            && let Some(changes) = self.changes(&content)
        {
            self.current = Some(Current::Together);
            let author = self.author.clone();
            return Next::Ask(Ask::Config(Request::PublishMany { changes, author }));
        }
        while let Some(Item { key, content: source, details }) = self.left.pop_front() {
            let content = match source {
                Content::Text(text) => Some(text),
                Content::File(number) => content(number).map(Arc::from),
            };
            let Some(content) = content else {
                self.fail(&key, "its content is not UTF-8".to_owned());
                continue;
            };
            self.current = Some(Current::One(key.clone()));
            let cas_md5 = self.condition();
            let author = self.author.clone();
            return Next::Ask(Ask::Config(Request::Publish {
                key,
                content,
                cas_md5,
                details,
                author,
            }));
        }
        Next::Reply(self.done())
    }

    /// No config has this md5: only what does not exist is published.
    fn condition(&self) -> Option<Arc<str>> {
        (self.policy != Policy::Overwrite).then(|| Arc::from(""))
    }

    /// All of them, if they may be published together.
    fn changes(&self, content: impl Fn(usize) -> Option<String>) -> Option<Vec<Change>> {
        if !(2..=CHANGES_MAX).contains(&self.left.len()) {
            return None;
        }
        let change = |item: &Item| {
            let text = match &item.content {
                Content::Text(text) => Arc::clone(text),
                Content::File(number) => Arc::from(content(*number)?),
            };
            let (key, to) = (item.key.clone(), Some((text, item.details.clone())));
            Some(Change { key, cas_md5: self.condition(), to })
        };
        self.left.iter().map(change).collect()
    }

    /// Takes the answer for what was asked for, and goes on.
    pub(crate) fn resume(
        &mut self,
        event: Event,
        content: impl Fn(usize) -> Option<String>,
    ) -> Next {
        let key = match self.current.take() {
            Some(Current::One(key)) => key,
            Some(Current::Together) => return self.together(event, content),
            None => return failed(event),
        };
        match event {
            Event::Answer(Answer::Config(Reply::Outcome(Outcome::Published(_)))) => {
                self.published += 1;
            }
            Event::Answer(Answer::Config(Reply::Outcome(Outcome::CasConflict { .. }))) => {
                match self.policy {
                    Policy::Skip => self.skipped.push(left(&key, String::new())),
                    Policy::Abort | Policy::Overwrite => self.fail(&key, String::new()),
                }
            }
            Event::Answer(Answer::Config(Reply::Outcome(Outcome::QuotaExceeded { bytes_max }))) => {
                self.fail(&key, format!("all configs together would exceed {bytes_max} bytes"));
            }
            Event::Answer(Answer::Config(Reply::Refused(refusal))) => {
                self.fail(&key, refusal.to_string());
            }
            Event::Answer(Answer::Unavailable(why)) => return Next::Fault(self.broken_off(why)),
            event => return failed(event),
        }
        self.next(content)
    }

    fn together(&mut self, event: Event, content: impl Fn(usize) -> Option<String>) -> Next {
        match event {
            Event::Answer(Answer::Config(Reply::Outcome(Outcome::Published(_)))) => {
                self.published = self.left.len();
                self.left.clear();
                self.next(content)
            }
            Event::Answer(Answer::Config(
                Reply::Outcome(Outcome::Conflicts(_) | Outcome::QuotaExceeded { .. })
                | Reply::Refused(_),
            )) => self.next(content),
            Event::Answer(Answer::Unavailable(why)) => Next::Fault(self.broken_off(why)),
            event => failed(event),
        }
    }

    fn fail(&mut self, key: &ConfigKey, reason: String) {
        self.failed.push(left(key, reason));
        if self.policy == Policy::Abort {
            let rest = self.left.drain(..).map(|item| left(&item.key, String::new()));
            self.skipped.extend(rest);
        }
    }

    fn broken_off(&self, why: Unavailable) -> Fault {
        let fault = Fault::from(why);
        let text = format!("{}; {} configs were published before", fault.text, self.published);
        Fault { text: text.into(), ..fault }
    }

    fn done(&self) -> Rendered {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Done<'a> {
            succ_count: usize,
            skip_count: usize,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            fail_data: &'a [Left],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            skip_data: &'a [Left],
            #[serde(skip_serializing_if = "Option::is_none")]
            unrecognized_count: Option<usize>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            unrecognized_data: &'a [Unrecognized],
        }
        let count = self.unrecognized.len();
        version::told(
            self.message,
            Done {
                succ_count: self.published,
                skip_count: self.skipped.len(),
                fail_data: &self.failed,
                skip_data: &self.skipped,
                unrecognized_count: (count > 0).then_some(count),
                unrecognized_data: &self.unrecognized,
            },
        )
    }
}

fn left(key: &ConfigKey, reason: String) -> Left {
    Left { data_id: key.data_id.clone(), group: key.group.clone(), reason }
}
