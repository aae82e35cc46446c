//! Names that change their address, as a Service's pods do: in a mount namespace with a hosts file of the test's own.

use std::{net::SocketAddr, path::Path};

use alioth_broker::Queue;
use alioth_testkit::{Fault, FaultProxy, Qdrant, RabbitMq, wait_until};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    DEADLINE,
    binary::Process,
    world::{Queues, collection, count, writes},
};

const WRITES: u64 = 200;
const BEFORE: [u8; 4] = [127, 0, 0, 1];
const AFTER: [u8; 4] = [127, 0, 0, 2];

/// A service behind a name: at one address that can be cut, and at another that is there for good.
struct Named {
    before: FaultProxy,
    after: JoinHandle<()>,
}

impl Named {
    async fn of(service: SocketAddr) -> Self {
        let before = FaultProxy::start(service).await;
        let address = SocketAddr::from((AFTER, before.address().port()));
        let listener = TcpListener::bind(address)
            .await
            .expect("its port is free there too");
        let after = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(service).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Self { before, after }
    }

    fn port(&self) -> u16 {
        self.before.address().port()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.after.abort();
    }
}

/// In place, as the file is mounted.
fn point_names_at(hosts: &Path, address: [u8; 4]) {
    let address = std::net::IpAddr::from(address);
    let lines = format!("{address} rabbitmq.test\n{address} qdrant.test\n");
    std::fs::write(hosts, lines).expect("a file of ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_change_their_address_are_followed_and_nothing_is_lost() {
    let rabbitmq = RabbitMq::shared().await;
    let mut queues = Queues::on(&rabbitmq.amqp_url()).await;
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    let grpc = qdrant.grpc_url().trim_start_matches("http://").parse();
    let broker = Named::of(rabbitmq.amqp_address()).await;
    let database = Named::of(grpc.expect("an address")).await;
    let directory = tempfile::tempdir().expect("a directory");
    let hosts = directory.path().join("hosts");
    point_names_at(&hosts, BEFORE);

    let direct = queues.amqp.url.clone();
    let named = format!("amqp://guest:guest@rabbitmq.test:{}/%2f", broker.port());
    queues.amqp.url = named.as_str().into();
    let qdrant_url = format!("http://qdrant.test:{}", database.port());
    let mut process = Process::start_with_hosts(&hosts, &queues, &qdrant_url);
    queues.amqp.url = direct;
    queues.publish(writes(&films, 0..WRITES)).await;
    let applied = async |wanted| {
        let all = || async { count(&qdrant, &films).await == wanted };
        wait_until(DEADLINE, all).await;
    };
    applied(WRITES).await;

    point_names_at(&hosts, AFTER);
    broker.before.set(Fault::Cut).await;
    database.before.set(Fault::Cut).await;
    queues.publish(writes(&films, WRITES..2 * WRITES)).await;
    applied(2 * WRITES).await;
    process.wait_ready().await;
    // What the cut took the acks of comes again, before what was published since.
    process.wait_settled().await;
    process.signal("TERM").await;
    assert_eq!(process.wait().await.code(), Some(0), "{}", process.log());
    assert_eq!(queues.ready(Queue::Ingest).await, 0);
    assert_eq!(queues.ready(Queue::IngestDead).await, 0);
}
