use super::*;
use alioth_cluster::rest::Alias;
use alioth_jobs::{JobId, RestoreFrom};
use semver::Version;

fn request(host: Option<Host>, overwrite: bool) -> RestoreRequest {
    RestoreRequest {
        job_id: JobId::new(),
        what: RestoreWhat::Collections(vec!["movies".to_owned()]),
        from: RestoreFrom::Url("https://s3/movies.snapshot".to_owned()),
        rename_to: None,
        overwrite,
        host,
    }
}

fn standing(collections: &[&str]) -> Standing {
    Standing {
        version: Version::new(1, 18, 3),
        collections: collections.iter().map(|name| (*name).to_owned()).collect(),
        aliases: vec![Alias {
            alias: "films".to_owned(),
            collection: "movies".to_owned(),
        }],
    }
}

fn nodes(named: &[(&str, u16)]) -> Vec<RestNode> {
    let node = |(peer, (host, port)): (usize, &(&str, u16))| RestNode {
        peer: peer as u64,
        host: (*host).to_owned(),
        port: *port,
        version: Version::new(1, 18, 3),
    };
    named.iter().enumerate().map(node).collect()
}

#[test]
fn a_file_goes_to_the_node_that_is_named() {
    let two = nodes(&[("q-0.q.default.svc", 6333), ("q-1.q.default.svc", 6333)]);
    let of = |host: &str| node(Some(&Host::named(host)), &two);
    assert_eq!(of("q-1.q.default.svc"), Ok(1));
    assert_eq!(of("q-1"), Ok(1));
    assert!(matches!(of("q"), Err(Refusal::NoSuchHost { .. })));
    assert!(matches!(of("elsewhere"), Err(Refusal::NoSuchHost { .. })));
    assert!(matches!(node(None, &two), Err(Refusal::WhichHost { .. })));
    assert_eq!(node(None, &two[..1]), Ok(0));
}

#[test]
fn a_port_tells_nodes_of_one_name_apart() {
    let two = nodes(&[("127.0.0.1", 6333), ("127.0.0.1", 7333)]);
    let mut host = Host::named("127.0.0.1");
    assert!(matches!(
        node(Some(&host), &two),
        Err(Refusal::WhichHost { .. })
    ));
    host.port = Some(7333);
    assert_eq!(node(Some(&host), &two), Ok(1));
    assert!(matches!(
        node(Some(&Host::named("127.0")), &two),
        Err(Refusal::NoSuchHost { .. })
    ));
}

#[test]
fn what_is_there_is_replaced_only_when_told_to() {
    let one = nodes(&[("q-0", 6333)]);
    let noted = Noted::default();
    let (kept, replaced) = (request(None, false), request(None, true));
    let there = standing(&["movies"]);
    let refused = plan(&kept, &one, &there, &noted);
    assert!(
        matches!(refused, Err(Refusal::Exists { .. })),
        "{refused:?}"
    );
    assert!(plan(&replaced, &one, &there, &noted).is_ok());
    assert!(plan(&kept, &one, &standing(&[]), &noted).is_ok());
    let begun = Noted {
        begun: ["movies".to_owned()].into(),
        ..Noted::default()
    };
    assert!(plan(&kept, &one, &there, &begun).is_ok(), "its own work");
    let mut renamed = request(None, true);
    renamed.rename_to = Some("films".to_owned());
    let refused = plan(&renamed, &one, &there, &noted);
    assert!(matches!(refused, Err(Refusal::NameIsAlias { .. })));
}

#[test]
fn what_signs_a_url_is_not_told() {
    let url = "https://user:password@s3.example/b/movies.snapshot?X-Amz-Signature=secret#x";
    assert_eq!(without_query(url), "https://s3.example/b/movies.snapshot");
    assert_eq!(without_query("https://s3/b"), "https://s3/b");
}
