"""Qdrant's own Python client against the Qdrant routes, as anybody uses it.

clients.py every URL PLAIN NAMED   every way to write; PLAIN has one 4-d vector, NAMED has
                                   "title" (4-d), "tokens" (4-d, multi) and "words" (sparse)
clients.py upload URL PLAIN COUNT  one upload_points of COUNT points
"""

import sys
import uuid
import warnings

import numpy
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

POINTS = models.PointStruct


def every(url: str, plain: str, named: str) -> None:
    # A version that the client finds too far from its own is a warning, and so an error here.
    warnings.simplefilter("error")
    client = QdrantClient(url=url, prefer_grpc=False)
    written = 0

    for wait in (True, False):
        done = client.upsert(
            plain,
            points=[
                POINTS(id=1, vector=[0.1, 0.2, 0.3, 0.4], payload={"title": "Metropolis"}),
                POINTS(id=str(uuid.uuid4()), vector=[0.4, 0.3, 0.2, 0.1]),
            ],
            wait=wait,
            ordering=models.WriteOrdering.STRONG,
            timeout=3,
        )
        assert done.status == models.UpdateStatus.ACKNOWLEDGED, done
        written += 2

    batch = models.Batch(ids=[3, 4], vectors=[[1, 2, 3, 4]] * 2, payloads=[{"a": 1}, {}])
    client.upsert(plain, points=batch)
    client.upsert(
        named,
        points=[
            POINTS(
                id=5,
                vector={
                    "title": [1, 2, 3, 4],
                    "tokens": [[1, 2, 3, 4], [5, 6, 7, 8]],
                    "words": models.SparseVector(indices=[7, 9], values=[0.5, 1.5]),
                },
            )
        ],
    )
    client.upsert(
        plain,
        points=[POINTS(id=6, vector=[1, 2, 3, 4], payload={"version": 3})],
        update_filter=models.Filter(
            must=[models.FieldCondition(key="version", range=models.Range(lt=3))]
        ),
        update_mode=models.UpdateMode.UPSERT,
    )
    written += 4

    client.upload_points(
        plain, [POINTS(id=i, vector=[i, 1, 1, 1], payload={"i": i}) for i in range(200)]
    )
    client.upload_collection(
        plain,
        vectors=numpy.ones((150, 4), dtype=numpy.float32),
        payload=[{"i": i} for i in range(150)],
        ids=range(150),
        parallel=2,
    )
    client.upload_collection(
        named, vectors={"title": numpy.ones((50, 4))}, ids=range(50), wait=True
    )
    written += 400

    refused(422, "point 0", lambda: client.upsert(plain, [POINTS(id=1, vector=[1, 2])]))
    refused(422, "unheard", lambda: client.upsert(plain, [POINTS(id=1, vector={"unheard": [1]})]))
    refused(404, "doesn't exist", lambda: client.upsert("no such", [POINTS(id=1, vector=[1])]))
    refused(404, "/docs", lambda: client.get_collections())
    print(written)


def refused(status: int, part: str, call) -> None:
    try:
        call()
    except UnexpectedResponse as error:
        assert error.status_code == status, error
        assert part in error.content.decode(), error
    else:
        raise AssertionError(f"not refused with {status}")


def upload(url: str, plain: str, count: str) -> None:
    client = QdrantClient(url=url, prefer_grpc=False)
    points = (POINTS(id=i, vector=[i, 1, 1, 1]) for i in range(int(count)))
    client.upload_points(plain, points, batch_size=10, max_retries=1)


if __name__ == "__main__":
    {"every": every, "upload": upload}[sys.argv[1]](*sys.argv[2:])
