//! An HTTP request as the operations read it: query and form body are one list of parameters, whatever the verb.

use crate::{check, fault::Fault, json};
use access::PUBLIC_NAMESPACE;
use base::Limit;
use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_TYPE};
use naming::ServiceKey;
use std::sync::Arc;

/// Nacos's group when a client names none.
pub(crate) const DEFAULT_GROUP: &str = "DEFAULT_GROUP";
/// Nacos's cluster name when a client names none.
pub(crate) const DEFAULT_CLUSTER: &str = "DEFAULT";
/// Parameters of one request.
pub(crate) const PARAMETERS_MAX: usize = 1_000;

/// The parameters and headers of one request.
#[derive(Debug)]
pub(crate) struct Form {
    parameters: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// As it came, for those who read another form of it.
    pub(crate) body: Bytes,
}

impl Form {
    pub(crate) fn read(request: &http::Request<Bytes>) -> Result<Self, Fault> {
        let mut parameters = Vec::new();
        read_into(&mut parameters, request.uri().query().unwrap_or_default().as_bytes())?;
        let kind = request.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        // A body of another type is not parameters: some SDKs call an empty one `application/octet-stream`.
        if kind.is_none_or(|kind| kind.to_ascii_lowercase().starts_with(b"application/x-www-form"))
        {
            read_into(&mut parameters, request.body())?;
        }
        let (headers, body) = (request.headers().clone(), request.body().clone());
        Ok(Self { parameters, headers, body })
    }

    /// The first value of a parameter, as sent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter if it is not blank.
    pub(crate) fn some(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// A header if it is text and not blank.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then_some(value)
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.some(name).map_or(default, |value| value.eq_ignore_ascii_case("true"))
    }

    /// The parameter filter, over everything that it knows.
    pub(crate) fn filter(&self) -> Result<(), Fault> {
        for name in ["namespaceId", "tenant"] {
            self.some(name).map_or(Ok(()), check::namespace)?;
        }
        // A blurred search has patterns where all others have names.
        let blurred = self.some("search") == Some("blur");
        let named = |name| {
            let text = self.some(name).unwrap_or_default();
            if blurred { text.replace('*', "") } else { text.to_owned() }
        };
        check::data_id(&named("dataId"))?;
        for name in ["group", "groupName"] {
            check::group(&named(name))?;
        }
        if let Some(name) = self.some("serviceName") {
            let (group, name) = split_grouped(name);
            group.map_or(Ok(()), check::group)?;
            check::service(name)?;
        }
        self.some("ip").map_or(Ok(()), check::ip)?;
        if let Some(port) = self.some("port") {
            check::port(port.parse().ok())?;
        }
        for name in ["clusterName", "cluster"] {
            self.some(name).map_or(Ok(()), check::cluster)?;
        }
        self.some("clusters")
            .into_iter()
            .flat_map(|list| list.split(','))
            .try_for_each(check::cluster)
    }

    /// `serviceName` (with or without group), `groupName` and `namespaceId`.
    pub(crate) fn service(&self) -> Result<ServiceKey, Fault> {
        let name = self.some("serviceName").ok_or_else(|| Fault::required("serviceName"))?;
        let (group, name) = split_grouped(name);
        if name.is_empty() {
            return Err(Fault::required("serviceName"));
        }
        Ok(ServiceKey {
            namespace: canonical(self.get("namespaceId")),
            group: self.group(group),
            name: name.into(),
        })
    }

    /// The group: from the service's name, else `groupName`, else the default.
    pub(crate) fn group(&self, of_name: Option<&str>) -> Arc<str> {
        of_name
            .filter(|group| !group.is_empty())
            .or_else(|| self.some("groupName"))
            .unwrap_or(DEFAULT_GROUP)
            .into()
    }

    /// `ip` and `port`, both required.
    pub(crate) fn address(&self) -> Result<(Arc<str>, u16), Fault> {
        let ip = self.some("ip").ok_or_else(|| Fault::required("ip"))?;
        let port = self.some("port").ok_or_else(|| Fault::required("port"))?;
        Ok((ip.into(), check::port(port.parse().ok())?))
    }

    pub(crate) fn cluster_name(&self) -> Arc<str> {
        self.some("clusterName").or_else(|| self.some("cluster")).unwrap_or(DEFAULT_CLUSTER).into()
    }

    /// A page number or size: required, and at least 1.
    pub(crate) fn count(&self, name: &str) -> Result<usize, Fault> {
        let text = self.some(name).ok_or_else(|| Fault::required(name))?;
        text.parse::<usize>().ok().filter(|count| *count > 0).ok_or_else(|| {
            Fault::plain(format!(
                "Param '{name}' is illegal, the value should be a number above 0."
            ))
        })
    }
}

/// Adds the pairs of `a=1&b=2`.
fn read_into(parameters: &mut Vec<(String, String)>, bytes: &[u8]) -> Result<(), Fault> {
    for (name, value) in form_urlencoded::parse(bytes) {
        if parameters.len() >= PARAMETERS_MAX {
            return Err(Fault::plain(format!(
                "more than {PARAMETERS_MAX} parameters: send fewer in one request"
            ))
            .at(Limit::Parameters));
        }
        parameters.push((name.into_owned(), value.into_owned()));
    }
    // The decoder puts U+FFFD where bytes are no UTF-8: content must not change silently on its way in.
    let replaced = parameters.iter().any(|(n, v)| n.contains('\u{fffd}') || v.contains('\u{fffd}'));
    if replaced && !sends_replacement(bytes) {
        return Err(Fault::plain(
            "a parameter is not UTF-8: send parameters percent-encoded in UTF-8",
        ));
    }
    Ok(())
}

/// Whether the sender itself wrote U+FFFD.
fn sends_replacement(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|w| w == "\u{fffd}".as_bytes())
        || bytes.windows(9).any(|w| w.eq_ignore_ascii_case(b"%ef%bf%bd"))
}

/// `group@@name` in two; the group is absent when there is no `@@`.
pub(crate) fn split_grouped(text: &str) -> (Option<&str>, &str) {
    match text.split_once("@@") {
        Some((group, name)) => (Some(group), name),
        None => (None, text),
    }
}

/// The namespace inside: blank, absent and `public` are one.
pub(crate) fn canonical(namespace: Option<&str>) -> Arc<str> {
    match namespace.map(str::trim) {
        None | Some("") => PUBLIC_NAMESPACE.into(),
        Some(other) => other.into(),
    }
}

/// A comma-separated list of cluster names.
pub(crate) fn clusters(list: Option<&str>) -> naming::ClusterNames {
    list.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(Arc::from)
        .collect()
}

/// Metadata as JSON, or as `k=v,k=v`.
pub(crate) fn metadata(
    text: &str,
) -> Result<std::collections::BTreeMap<Arc<str>, Arc<str>>, Fault> {
    #[derive(serde::Deserialize)]
    #[serde(transparent)]
    struct Texts(
        #[serde(deserialize_with = "json::texts")] std::collections::BTreeMap<Arc<str>, Arc<str>>,
    );
    if text.chars().count() > check::METADATA_CHARS_MAX * 8 {
        // Not even its JSON escapes could bring it under the limit.
        return Err(check::metadata_over(check::METADATA_CHARS_MAX));
    }
    let map = if text.trim_start().starts_with('{') {
        json::read::<Texts>(text.as_bytes()).map_err(|_| bad_metadata(text))?.0
    } else {
        text.split(',')
            .filter(|pair| !pair.trim().is_empty())
            .map(|pair| match pair.split_once('=') {
                Some((key, value)) if !value.contains('=') => Ok((key.trim().into(), value.into())),
                Some(_) | None => Err(bad_metadata(text)),
            })
            .collect::<Result<_, _>>()?
    };
    check::metadata(&map)?;
    Ok(map)
}

fn bad_metadata(text: &str) -> Fault {
    let told = format!("metadata format incorrect:{text}");
    let message = format!("Server failed, caused: ErrCode:400, ErrMsg:{told};caused: {told};");
    Fault::new(
        crate::fault::Shape::Framework,
        http::StatusCode::INTERNAL_SERVER_ERROR,
        400,
        message,
    )
}
