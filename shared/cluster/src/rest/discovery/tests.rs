use super::*;

fn seen(socket: &str, name: Option<&str>, cluster: Option<(u64, &[(u64, &str)])>) -> Seen<()> {
    Seen {
        address: (),
        name: name.map(str::to_owned),
        socket: socket.parse().unwrap(),
        version: Version::new(1, 18, 3),
        cluster: cluster.map(|(peer, peers)| View {
            peer,
            peers: peers
                .iter()
                .map(|(id, uri)| (*id, (*uri).to_owned()))
                .collect(),
        }),
    }
}

const THREE: &[(u64, &str)] = &[
    (11, "http://qdrant-0.qdrant-headless:6335/"),
    (12, "http://qdrant-1.qdrant-headless:6335/"),
    (13, "http://qdrant-2.qdrant-headless:6335/"),
];

fn hosts(found: &Found<()>) -> Vec<(&str, u64)> {
    let nodes = found.nodes.iter();
    nodes
        .map(|(node, ())| (node.host.as_str(), node.peer))
        .collect()
}

#[test]
fn pods_behind_a_headless_service_are_named_by_what_outlives_their_address() {
    let found = assemble(vec![
        seen("10.0.0.9:6333", None, Some((12, THREE))),
        seen("10.0.0.7:6333", None, Some((11, THREE))),
    ])
    .unwrap();
    assert_eq!(
        hosts(&found),
        [
            ("qdrant-0.qdrant-headless", 11),
            ("qdrant-1.qdrant-headless", 12)
        ]
    );
    assert_eq!(found.absent, [13]);
}

#[test]
fn a_node_configured_twice_is_one_node() {
    let found = assemble(vec![
        seen("10.0.0.7:6333", Some("qdrant-0"), Some((11, THREE))),
        seen("10.0.0.7:6333", Some("10.0.0.7"), Some((11, THREE))),
    ])
    .unwrap();
    assert_eq!(hosts(&found), [("qdrant-0", 11)]);
    assert_eq!(found.absent, [12, 13]);
}

#[test]
fn a_single_node_is_peer_0_under_however_many_addresses() {
    let found = assemble(vec![
        seen("[::1]:6333", None, None),
        seen("127.0.0.1:6333", None, None),
    ])
    .unwrap();
    assert_eq!(hosts(&found), [("::1", 0)]);
    assert_eq!(found.absent, Vec::<u64>::new());
}

#[test]
fn what_is_no_one_cluster_is_refused() {
    let other: &[(u64, &str)] = &[(21, "http://other:6335/")];
    let ours = || seen("10.0.0.7:6333", Some("a"), Some((11, THREE)));
    let pairs = [
        (
            ours(),
            seen("10.1.0.1:6333", Some("b"), Some((21, other))),
            "10.1.0.1:6333 is in another cluster",
        ),
        (ours(), seen("10.1.0.1:6333", Some("b"), None), "one is not"),
        (
            seen("10.1.0.1:6333", Some("a"), None),
            seen("10.1.0.2:6333", Some("b"), None),
            "10.1.0.2:6333 belongs to no cluster",
        ),
    ];
    for (first, second, reason) in pairs {
        let refused = assemble(vec![first, second]).unwrap_err();
        assert!(refused.contains(reason), "{refused}");
    }
}
