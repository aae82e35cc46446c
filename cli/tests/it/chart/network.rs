//! What the chart's NetworkPolicies let through, held against what its pods need.

use yaml_rust2::Yaml;

use super::{Rendering, environment::containers, renderings};

/// Of the Pod Identity agent and of the instance metadata service: by them the SDK finds keys where none are given.
const GIVERS_OF_KEYS: [&str; 2] = ["169.254.170.23/32", "169.254.169.254/32"];

/// Rules in one direction of the policy of a function, none if there is no policy.
fn rules<'a>(rendering: &'a Rendering, function: &str, direction: &str) -> Option<&'a Vec<Yaml>> {
    let policy = rendering.of_kind("NetworkPolicy").find(|policy| {
        policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"].as_str()
            == Some(function)
    })?;
    policy["spec"][direction].as_vec()
}

fn has_port(rule: &Yaml, port: i64) -> bool {
    let mut ports = rule["ports"].as_vec().unwrap().iter();
    ports.any(|entry| entry["port"].as_i64() == Some(port))
}

#[test]
fn a_job_without_keys_reaches_whoever_gives_them() {
    let mut seen = [0, 0];
    for rendering in renderings() {
        for container in rendering.documents.iter().flat_map(containers) {
            if container.value("ALIOTH_S3_BUCKET").is_none() {
                continue;
            }
            let Some(egress) = rules(&rendering, &container.function, "egress") else {
                continue;
            };
            let peers: Vec<&str> = egress
                .iter()
                .filter(|rule| has_port(rule, 80))
                .flat_map(|rule| rule["to"].as_vec().into_iter().flatten())
                .filter_map(|peer| peer["ipBlock"]["cidr"].as_str())
                .collect();
            let has_keys = container.value("AWS_ACCESS_KEY_ID").is_some();
            for giver in GIVERS_OF_KEYS {
                assert_eq!(
                    peers.contains(&giver),
                    !has_keys,
                    "{}, {}: {giver} among {peers:?}",
                    rendering.name,
                    container.function
                );
            }
            seen[usize::from(has_keys)] += 1;
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

/// `helm test` writes through ingest-accept, or through the interceptor where that scales it from zero.
#[test]
fn a_named_list_of_writers_does_not_shut_out_what_the_chart_brings() {
    let mut seen = [0, 0];
    for rendering in renderings() {
        let Some(ingress) = rules(&rendering, "ingest-accept", "ingress") else {
            continue;
        };
        let rule = ingress.iter().find(|rule| has_port(rule, 8080)).unwrap();
        let Some(peers) = rule["from"].as_vec() else {
            continue;
        };
        let labels = |kind: &str, label: &str, value: &str| {
            let mut peers = peers.iter();
            peers.any(|peer| peer[kind]["matchLabels"][label].as_str() == Some(value))
        };
        let from_zero = rendering.of_kind("InterceptorRoute").next().is_some();
        let through = match from_zero {
            true => labels("namespaceSelector", "kubernetes.io/metadata.name", "keda"),
            false => labels("podSelector", "app.kubernetes.io/component", "test"),
        };
        assert!(through, "{}: {peers:?}", rendering.name);
        seen[usize::from(from_zero)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}
