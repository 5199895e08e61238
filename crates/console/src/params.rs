//! Query parameters: each one that is sent must be known to its route, and be well-formed.

use crate::{names, problem::Problem};
use base::Consistency;
use config::ConfigKey;
use naming::ServiceKey;
use std::{collections::BTreeMap, str::FromStr, sync::Arc};

/// Items of one page when `limit` is not given.
const PAGE_ITEMS_DEFAULT: usize = 100;
/// Items of one page at most.
const PAGE_ITEMS_MAX: usize = 1_000;

/// The parameters of one request, taken out one by one.
#[derive(Debug)]
pub(crate) struct Params {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
}

impl Params {
    /// Reads a query string.
    pub(crate) fn parse(query: &str) -> Result<Self, Problem> {
        let mut given = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if let Some(first) = given.insert(name.to_string(), value.to_string()) {
                return Err(Problem::invalid(
                    format!("parameter `{name}` is given twice"),
                    format!("it is `{first}` and `{value}`, and only one of them can be meant"),
                    "give it once",
                ));
            }
        }
        Ok(Self { given, known: Vec::new() })
    }

    /// The value of a parameter, if it was sent.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.remove(name)
    }

    /// The value of a parameter that is not a text.
    pub(crate) fn take_as<T: FromStr>(
        &mut self,
        name: &'static str,
        form: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.take(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            Problem::invalid(
                format!("parameter `{name}` is `{text}`"),
                format!("it must be {form}"),
                "correct it or leave it out",
            )
        })
    }

    /// Nothing else may have been sent: a misspelt parameter must not be taken for an absent one.
    pub(crate) fn finish(&self) -> Result<(), Problem> {
        let Some(name) = self.given.keys().next() else { return Ok(()) };
        let known = if self.known.is_empty() {
            "this route takes none".to_owned()
        } else {
            format!("this route takes: {}", self.known.join(", "))
        };
        Err(Problem::invalid(
            format!("unknown parameter `{name}`"),
            known,
            "correct it or leave it out",
        ))
    }

    /// `namespace`; `public` when absent or empty.
    pub(crate) fn namespace(&mut self) -> Result<Arc<str>, Problem> {
        let given = self.take("namespace").filter(|text| !text.is_empty());
        names::namespace(&given.unwrap_or_else(|| access::PUBLIC_NAMESPACE.to_owned()))
    }

    /// `group`; `DEFAULT_GROUP` when absent.
    fn group(&mut self) -> Result<Arc<str>, Problem> {
        names::group(&self.take("group").unwrap_or_else(|| names::DEFAULT_GROUP.to_owned()))
    }

    /// The service of a path's name, with `namespace` and `group`.
    pub(crate) fn service(&mut self, name: &str) -> Result<ServiceKey, Problem> {
        Ok(ServiceKey {
            namespace: self.namespace()?,
            group: self.group()?,
            name: names::service(name)?,
        })
    }

    /// The config of a path's data id, with `namespace` and `group`.
    pub(crate) fn config(&mut self, data_id: &str) -> Result<ConfigKey, Problem> {
        Ok(ConfigKey {
            namespace: self.namespace()?,
            group: self.group()?,
            data_id: names::data_id(data_id)?,
        })
    }

    /// `group` and `contains` of a list.
    pub(crate) fn filter(&mut self) -> Result<crate::Filter, Problem> {
        let group = self.take("group").map(|group| names::group(&group)).transpose()?;
        Ok(crate::Filter { group, contains: self.take("contains").unwrap_or_default().into() })
    }

    /// `offset` and `limit` of a list.
    pub(crate) fn page(&mut self) -> Result<(usize, usize), Problem> {
        let offset = self.take_as("offset", "a number, 0 for the first item")?.unwrap_or(0);
        Ok((offset, self.limit(PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX)?))
    }

    /// `limit`, from 1 to `max`.
    pub(crate) fn limit(&mut self, default: usize, max: usize) -> Result<usize, Problem> {
        let form = format!("a number from 1 to {max}");
        let limit = self.take_as("limit", &form)?.unwrap_or(default);
        if (1..=max).contains(&limit) {
            return Ok(limit);
        }
        Err(Problem::invalid(
            format!("parameter `limit` is {limit}"),
            format!("it must be {form}"),
            "ask for the rest with another request",
        ))
    }

    /// `consistency`, or what the route does without it.
    pub(crate) fn consistency(&mut self, default: Consistency) -> Result<Consistency, Problem> {
        let Some(text) = self.take("consistency") else { return Ok(default) };
        text.parse().map_err(|()| {
            Problem::invalid(
                format!("parameter `consistency` is `{text}`"),
                "it must be `stale`, `bounded(500ms)` (up to one hour), `session` or \
                 `linearizable`",
                "correct it or leave it out",
            )
        })
    }
}
