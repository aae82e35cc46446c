"""Drives a Qdrant through its official client: REST address, gRPC address, collection, gRPC or not."""

import sys
import uuid

from qdrant_client import QdrantClient, models

rest, grpc, collection, prefer_grpc = sys.argv[1:]
client = QdrantClient(
    url=rest,
    grpc_port=int(grpc.rsplit(":", 1)[1]),
    prefer_grpc=prefer_grpc == "true",
    timeout=60,
)
assert client.info().version == "1.18.3", client.info()
assert not client.collection_exists(collection)
client.create_collection(
    collection,
    vectors_config={
        "dense": models.VectorParams(size=4, distance=models.Distance.EUCLID),
        "multi": models.VectorParams(
            size=2,
            distance=models.Distance.DOT,
            multivector_config=models.MultiVectorConfig(comparator="max_sim"),
        ),
    },
    sparse_vectors_config={"words": models.SparseVectorParams()},
)
assert client.collection_exists(collection)
assert collection in [found.name for found in client.get_collections().collections]
assert client.get_collection(collection).config.params.vectors["dense"].size == 4
client.create_payload_index(collection, "even", models.PayloadSchemaType.BOOL, wait=True)

named = str(uuid.uuid4())
points = [
    models.PointStruct(
        id=number,
        vector={
            "dense": [number, 0, 0, 1],
            "multi": [[number, 1], [1, number]],
            "words": models.SparseVector(indices=[number, 500], values=[1.0, 0.5]),
        },
        payload={"even": number % 2 == 0, "nested": {"list": [1, 2.5, None, "ü"]}},
    )
    for number in range(10)
]
points.append(models.PointStruct(id=named, vector={"dense": [0, 0, 0, 9]}))
result = client.upsert(collection, points, wait=True)
assert result.status == models.UpdateStatus.COMPLETED, result
client.upsert(
    collection,
    models.Batch(
        ids=[10, 11],
        vectors={"dense": [[10, 0, 0, 1], [11, 0, 0, 1]]},
        payloads=[{"even": True}, {}],
    ),
    wait=True,
)
client.upload_collection(
    collection,
    vectors=[{"dense": [number, 0, 0, 1]} for number in range(100, 300)],
    ids=list(range(100, 300)),
    payload=({"even": number % 2 == 0} for number in range(100, 300)),
    batch_size=64,
    wait=True,
)
assert client.count(collection).count == 213, client.count(collection)

even = models.Filter(must=[models.FieldCondition(key="even", match=models.MatchValue(value=True))])
assert client.count(collection, count_filter=even, exact=True).count == 106

found = client.query_points(collection, [5, 0, 0, 1], using="dense", query_filter=even, limit=2)
assert sorted(point.id for point in found.points) == [4, 6], found
assert found.points[0].payload["nested"] == {"list": [1, 2.5, None, "ü"]}, found
found = client.query_points(collection, 5, using="dense", limit=1, with_vectors=["words"])
assert found.points[0].id in (4, 6) and list(found.points[0].vector) == ["words"], found
words = models.SparseVector(indices=[500, 3], values=[1.0, 1.0])
assert client.query_points(collection, words, using="words", limit=1).points[0].id == 3
assert client.query_points(collection, [[1, 0], [0, 1]], using="multi", limit=1).points[0].id == 9
answers = client.query_batch_points(
    collection, [models.QueryRequest(query=[n, 0, 0, 1], using="dense", limit=1) for n in (1, 2)]
)
assert [answer.points[0].id for answer in answers] == [1, 2], answers

seen, offset = [], None
while True:
    page, offset = client.scroll(collection, limit=50, offset=offset, with_vectors=False)
    seen += [point.id for point in page]
    if offset is None:
        break
assert len(seen) == len(set(seen)) == 213, len(seen)
retrieved = client.retrieve(collection, [named, 11, 4711], with_vectors=True)
assert sorted(str(point.id) for point in retrieved) == sorted(["11", named]), retrieved

client.delete(collection, models.PointIdsList(points=[named, 0]), wait=True)
client.delete(collection, models.FilterSelector(filter=even), wait=True)
assert client.count(collection).count == 106, client.count(collection)
client.delete_payload_index(collection, "even", wait=True)
try:
    client.upsert(collection, [models.PointStruct(id=1, vector={"dense": [1, 2]})])
    raise SystemExit("a wrong dimension was taken")
except Exception as error:
    assert "expected dim: 4, got 2" in str(error), error
client.delete_collection(collection)
assert not client.collection_exists(collection)
print("all well")
