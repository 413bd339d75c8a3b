//! One span, from its start to its end.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _,
};
use opentelemetry::{Context as OtelContext, KeyValue, Value};
use opentelemetry_sdk::trace::Span as SdkSpan;

use super::context::Context;
use super::ids::{promised, sampled_root};
use super::tracing;

/// What a span stands for, seen from the other spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work of ours.
    Internal,
    /// A call of somebody.
    Server,
    /// A call to somebody.
    Client,
    /// A message that is sent.
    Producer,
    /// A message that is worked on.
    Consumer,
}

/// What is known when a span starts.
#[derive(Debug)]
pub struct Facts {
    /// Its name. Of low cardinality.
    pub name: Cow<'static, str>,
    /// Its kind.
    pub kind: Kind,
    /// When it started, if not now.
    pub start: Option<SystemTime>,
    /// Spans of other traces that it has to do with.
    pub links: Vec<Context>,
    /// Everything else. No secrets, no addresses of mailboxes.
    pub attributes: Vec<KeyValue>,
}

impl Facts {
    /// A span that starts now.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        let attributes = Vec::new();
        Self { name: name.into(), kind, start: None, links: Vec::new(), attributes }
    }

    /// With an attribute.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push(KeyValue::new(key, value));
        self
    }
}

/// A span that is open until it is dropped. Without a collector, and in a trace that is not
/// recorded, it is only a context.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct Span {
    inner: Option<SdkSpan>,
    context: Context,
}

impl Span {
    /// Begins a trace, or goes on with the caller's. `facts` is asked for only if it is recorded.
    pub fn root_or(parent: Option<Context>, facts: impl FnOnce() -> Facts) -> Self {
        match parent {
            Some(parent) => Self::child(parent, facts),
            None => Self::promised(sampled_root(), facts),
        }
    }

    /// A part of what `parent` stands for. `facts` is asked for only if it is recorded.
    pub fn child(parent: Context, facts: impl FnOnce() -> Facts) -> Self {
        let Some(tracing) = tracing().filter(|_| parent.is_sampled()) else {
            return Self { inner: None, context: parent };
        };
        let around = OtelContext::new().with_remote_span_context(parent.to_remote());
        let span = tracing.tracer.build_with_context(builder(facts()), &around);
        let context = Context::of(span.span_context());
        Self { inner: Some(span), context }
    }

    /// The first span of a trace, whose ids were given away before.
    pub fn promised(context: Context, facts: impl FnOnce() -> Facts) -> Self {
        let Some(tracing) = tracing().filter(|_| context.is_sampled()) else {
            return Self { inner: None, context };
        };
        let build = || tracing.tracer.build_with_context(builder(facts()), &OtelContext::new());
        Self { inner: Some(promised(context, build)), context }
    }

    /// What is written into messages and rows for whoever goes on. The parent's own where
    /// nothing is recorded.
    #[must_use]
    pub fn context(&self) -> Context {
        self.context
    }

    /// Whether it is recorded: whether facts are worth being gathered.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.inner.is_some()
    }

    /// Adds a fact.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.inner {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    /// It failed; `kind` is one of few words (`error.type`).
    pub fn fail(&mut self, kind: impl Into<Cow<'static, str>>) {
        if let Some(span) = &mut self.inner {
            let kind = kind.into();
            span.set_attribute(KeyValue::new("error.type", kind.to_string()));
            span.set_status(Status::error(kind));
        }
    }

    /// Ends it at a time that has passed.
    pub fn end_at(mut self, end: SystemTime) {
        if let Some(span) = &mut self.inner {
            span.end_with_timestamp(end);
        }
    }
}

fn builder(facts: Facts) -> SpanBuilder {
    let Facts { name, kind, start, links, attributes } = facts;
    let kind = match kind {
        Kind::Internal => SpanKind::Internal,
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
    };
    let links = links.into_iter().map(|link| Link::with_context(link.to_remote())).collect();
    let builder =
        SpanBuilder::from_name(name).with_kind(kind).with_links(links).with_attributes(attributes);
    match start {
        Some(start) => builder.with_start_time(start),
        None => builder,
    }
}
