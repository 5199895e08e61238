//! The streams of a session: how they begin, what they are told, how they end.

use crate::{
    Ask, CallId, Output, Unavailable, Views, gate,
    problem::Problem,
    session::{STREAMS_MAX, Session, Waiting, Work},
    stream::{self, Stream, Watch},
};
use base::Now;
use naming::{ServiceKey, ServiceView};
use std::sync::Arc;

impl Session {
    /// Begins a stream: the subscription holds already.
    pub(crate) fn watch(&mut self, now: Now, views: &dyn Views, mut work: Work, watch: Watch) {
        // From here on the subscription belongs to what is watched.
        work.subscribed = None;
        let refusal = if self.draining {
            Some(Problem::unavailable(Unavailable::Stopping))
        } else if self.streams.len() >= STREAMS_MAX {
            self.rejected = Some(base::Limit::EventStreams);
            Some(Problem::limit(
                "this connection watches too much",
                format!("it has {STREAMS_MAX} streams already"),
                "end one, or open another connection",
            ))
        } else {
            None
        };
        if refusal.is_some() || work.dropped {
            self.give_up(work.call, &watch);
            if let Some(problem) = refusal {
                self.fail(views, work, problem);
            }
            return;
        }
        let head = self.head(views, work.freshness, 200, "text/event-stream");
        let head = head.body(()).expect("our own headers are well-formed");
        self.outputs.push_back(Output::StreamStart { call: work.call, head });
        let mut stream = Stream {
            watch,
            token: work.token,
            right: work.right,
            place: work.place,
            sending: false,
            beat_at: now.instant,
        };
        stream.put_off(now);
        if matches!(stream.watch, Watch::Namespaces { .. }) {
            self.outputs.push_back(Output::WatchAccess(true));
        }
        self.streams.insert(work.call, stream);
        self.flush(now, views, work.call);
    }

    /// The transport took the last chunk.
    pub(crate) fn sent(&mut self, now: Now, views: &dyn Views, call: CallId) {
        if let Some(stream) = self.streams.get_mut(&call) {
            stream.sending = false;
            self.flush(now, views, call);
        }
    }

    /// A service has a new view.
    pub(crate) fn push(&mut self, now: Now, views: &dyn Views, view: &Arc<ServiceView>) {
        let mut told = Vec::new();
        for (call, stream) in &mut self.streams {
            match &mut stream.watch {
                Watch::Service { key, newest, .. } if *key == view.key => {
                    *newest = Some(Arc::clone(view));
                    told.push(*call);
                }
                Watch::Service { .. } | Watch::Config { .. } | Watch::Namespaces { .. } => {}
            }
        }
        for call in told {
            self.flush(now, views, call);
        }
    }

    /// A config has changed.
    pub(crate) fn notify(&mut self, now: Now, views: &dyn Views, call: CallId) {
        if let Some(Stream { watch: Watch::Config { changed, .. }, .. }) =
            self.streams.get_mut(&call)
        {
            *changed = true;
            self.flush(now, views, call);
        }
    }

    /// The access tables may have changed.
    pub(crate) fn access_changed(&mut self, now: Now, views: &dyn Views) {
        let mut told = Vec::new();
        for (call, stream) in &mut self.streams {
            if let Watch::Namespaces { changed, .. } = &mut stream.watch {
                *changed = true;
                told.push(*call);
            }
        }
        for call in told {
            self.flush(now, views, call);
        }
    }

    /// The node is about to stop.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
        for (call, stream) in std::mem::take(&mut self.streams) {
            self.outputs.push_back(Output::StreamEnd(call));
            self.give_up(call, &stream.watch);
        }
    }

    /// Signs of life are due.
    pub(crate) fn wake(&mut self, now: Now, views: &dyn Views) {
        let due: Vec<CallId> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.beat_at <= now.instant)
            .map(|(call, _)| *call)
            .collect();
        for call in due {
            if !self.may_go_on(now, views, call) {
                continue;
            }
            let stream = self.streams.get_mut(&call).expect("it may go on, so it is there");
            stream.put_off(now);
            if !stream.sending {
                stream.sending = true;
                self.outputs.push_back(Output::StreamChunk { call, chunk: stream::beat() });
            }
        }
    }

    /// Sends what the stream has to say, unless a chunk is on its way.
    fn flush(&mut self, now: Now, views: &dyn Views, call: CallId) {
        if self.streams.get(&call).is_none_or(|stream| stream.sending)
            || !self.may_go_on(now, views, call)
        {
            return;
        }
        let stream = self.streams.get_mut(&call).expect("it may go on, so it is there");
        if let Some(chunk) = stream.next_chunk(views) {
            stream.sending = true;
            stream.put_off(now);
            self.outputs.push_back(Output::StreamChunk { call, chunk });
        }
    }

    /// Whether the watcher may still see it; else the stream ends with the reason.
    fn may_go_on(&mut self, now: Now, views: &dyn Views, call: CallId) -> bool {
        let Some(stream) = self.streams.get(&call) else { return false };
        let checked = gate::authenticate(now, &self.facts, views, stream.token.as_deref())
            .and_then(|principal| gate::authorize(views, &principal, &stream.right));
        let Err(problem) = checked else { return true };
        let chunk = stream::event("end", None, &problem.shown(&stream.place));
        let stream = self.streams.remove(&call).expect("it was found above");
        self.outputs.push_back(Output::StreamChunk { call, chunk });
        self.outputs.push_back(Output::StreamEnd(call));
        self.give_up(call, &stream.watch);
        false
    }

    /// Ends what a stream, or a call that was to become one, lived on.
    pub(crate) fn give_up(&mut self, call: CallId, watch: &Watch) {
        match watch {
            Watch::Service { key, .. } => self.unsubscribe(key.clone()),
            Watch::Config { .. } => {
                let (listener, keys) = (call.0, Vec::new());
                let ask = Ask::Config(config::Request::Unlisten { listener, keys });
                self.ask(ask, Waiting::Nobody);
            }
            Watch::Namespaces { .. } => {
                let watches = |stream: &Stream| matches!(stream.watch, Watch::Namespaces { .. });
                if !self.streams.values().any(watches) {
                    self.outputs.push_back(Output::WatchAccess(false));
                }
            }
        }
    }

    /// One call or stream less lives on this subscription; the last one ends it.
    pub(crate) fn unsubscribe(&mut self, service: ServiceKey) {
        let count = self.subscriptions.get_mut(&service).expect("whoever leaves was counted");
        *count -= 1;
        if *count == 0 {
            self.subscriptions.remove(&service);
            let ask = Ask::Naming(naming::Request::Unsubscribe { service });
            self.ask(ask, Waiting::Nobody);
        }
    }
}
