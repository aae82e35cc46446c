//! What OpenTelemetry's standard variables say about spans. No I/O.
//! Source: <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>

use alioth_config::{Secret, Section};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry::KeyValue;
use opentelemetry_sdk::trace::Sampler;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// The standard variables that are heeded. Texts all of them, and read only when there is a collector:
/// what a cluster sets for all its programs stops no process that exports nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TracesConfig {
    /// The collector's OTLP/gRPC address, `http://…` or `https://…`; without one there are no spans.
    pub exporter_otlp_endpoint: String,
    /// Sent with every export: `name=value`, comma-separated, values percent-encoded.
    pub exporter_otlp_headers: Secret,
    /// `grpc`, the one protocol spoken.
    pub exporter_otlp_protocol: String,
    /// Said of the process with every export, written as the headers are.
    pub resource_attributes: String,
    /// `true` turns spans off, collector or not.
    pub sdk_disabled: String,
    /// The resource attribute `service.name`.
    pub service_name: String,
    /// Which traces are sampled, by its standard name.
    pub traces_sampler: String,
    /// The share of traces, for the samplers that take one.
    pub traces_sampler_arg: String,
}

/// A collector, and what it is told of which traces.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) endpoint: Uri,
    pub(super) headers: HeaderMap,
    pub(super) sampler: Sampler,
    pub(super) attributes: Vec<KeyValue>,
}

type Problems = Vec<(&'static str, String)>;

impl Section for TracesConfig {
    const PREFIX: &'static str = "OTEL_";

    fn problems(&self) -> Problems {
        self.parse().err().unwrap_or_default()
    }
}

impl TracesConfig {
    /// `None` when no spans are asked for.
    pub(super) fn parse(&self) -> Result<Option<Collector>, Problems> {
        let is_disabled = self.sdk_disabled.eq_ignore_ascii_case("true");
        if self.exporter_otlp_endpoint.is_empty() || is_disabled {
            return Ok(None);
        }
        let mut problems = Problems::new();
        let mut blame = |field, message| problems.push((field, message));
        let endpoint = endpoint(&self.exporter_otlp_endpoint)
            .map_err(|message| blame("EXPORTER_OTLP_ENDPOINT", message));
        let headers = headers(self.exporter_otlp_headers.expose())
            .map_err(|message| blame("EXPORTER_OTLP_HEADERS", message));
        let protocol = protocol(&self.exporter_otlp_protocol)
            .map_err(|message| blame("EXPORTER_OTLP_PROTOCOL", message));
        let attributes = self
            .attributes()
            .map_err(|message| blame("RESOURCE_ATTRIBUTES", message));
        let sampler = self
            .sampler()
            .map_err(|(field, message)| blame(field, message));
        match (endpoint, headers, protocol, attributes, sampler) {
            (Ok(endpoint), Ok(headers), Ok(()), Ok(attributes), Ok(sampler)) => {
                Ok(Some(Collector {
                    endpoint,
                    headers,
                    sampler,
                    attributes,
                }))
            }
            _ => Err(problems),
        }
    }

    fn attributes(&self) -> Result<Vec<KeyValue>, String> {
        let mut attributes = Vec::new();
        for (name, value) in pairs(&self.resource_attributes)? {
            attributes.push(KeyValue::new(name.to_owned(), value));
        }
        if !self.service_name.is_empty() {
            attributes.push(KeyValue::new("service.name", self.service_name.clone()));
        }
        Ok(attributes)
    }

    fn sampler(&self) -> Result<Sampler, (&'static str, String)> {
        let below_parent = |root| Sampler::ParentBased(Box::new(root));
        match self.traces_sampler.as_str() {
            "" | "parentbased_always_on" => Ok(below_parent(Sampler::AlwaysOn)),
            "parentbased_always_off" => Ok(below_parent(Sampler::AlwaysOff)),
            "parentbased_traceidratio" => {
                Ok(below_parent(Sampler::TraceIdRatioBased(self.ratio()?)))
            }
            "always_on" => Ok(Sampler::AlwaysOn),
            "always_off" => Ok(Sampler::AlwaysOff),
            "traceidratio" => Ok(Sampler::TraceIdRatioBased(self.ratio()?)),
            _ => {
                let message = "expected always_on, always_off, traceidratio, or one of them after parentbased_";
                Err(("TRACES_SAMPLER", message.to_owned()))
            }
        }
    }

    fn ratio(&self) -> Result<f64, (&'static str, String)> {
        if self.traces_sampler_arg.is_empty() {
            return Ok(1.0);
        }
        match self.traces_sampler_arg.parse() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
            Ok(_) | Err(_) => {
                let message = "expected a share between 0 and 1";
                Err(("TRACES_SAMPLER_ARG", message.to_owned()))
            }
        }
    }
}

fn endpoint(text: &str) -> Result<Uri, String> {
    let expected = "expected http:// or https:// and a host";
    let Ok(uri) = text.parse::<Uri>() else {
        return Err(expected.to_owned());
    };
    let is_known = matches!(uri.scheme_str(), Some("http" | "https"));
    if !is_known || uri.host().is_none_or(str::is_empty) {
        return Err(expected.to_owned());
    }
    // Addresses are logged.
    if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err("takes no credentials; OTEL_EXPORTER_OTLP_HEADERS does".to_owned());
    }
    Ok(uri)
}

fn protocol(name: &str) -> Result<(), String> {
    if name.is_empty() || name == "grpc" {
        return Ok(());
    }
    Err("expected grpc, the one protocol spoken (collectors take it on port 4317)".to_owned())
}

fn headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(text)? {
        let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes());
        let (Ok(name), Ok(mut value)) = (name, HeaderValue::try_from(value)) else {
            return Err("has a pair that is no header".to_owned());
        };
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// Reads `name=value` pairs; no message shows one, for some are secret.
fn pairs(text: &str) -> Result<Vec<(&str, String)>, String> {
    let mut pairs = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err("expected name=value pairs, comma-separated".to_owned());
        };
        let Ok(value) = percent_decode_str(value.trim()).decode_utf8() else {
            return Err("has a value that is no UTF-8 once decoded".to_owned());
        };
        pairs.push((name.trim(), value.into_owned()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests;
