"""Qdrant's own client for Python, unmodified: only its URL is ours."""
import os
import sys
import unittest
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors"))

from qdrant_client import QdrantClient, models as m
from qdrant_client.http.exceptions import UnexpectedResponse
from served_vectors import Vectors


class QdrantPython(unittest.TestCase):
    def setUp(self):
        self.vectors = Vectors()
        self.addCleanup(self.vectors.remove)
        self.client = QdrantClient(url=self.vectors.url, timeout=30)
        self.addCleanup(self.client.close)

    def fill(self):
        self.client.create_collection("turns", vectors_config=m.VectorParams(size=4, distance=m.Distance.COSINE),
                                      sparse_vectors_config={"bm25": m.SparseVectorParams(modifier=m.Modifier.IDF)})
        self.client.create_payload_index("turns", "number", m.PayloadSchemaType.INTEGER)
        self.client.upsert("turns", [m.PointStruct(id=i, vector={"": [i, 1, 2, 3], "bm25": m.SparseVector(indices=[i, 100], values=[1.0, 2.0])},
                                                   payload={"number": i, "session": "ab"[i % 2]}) for i in range(1, 21)])

    def test_it_is_the_version_that_the_client_wants(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            QdrantClient(url=self.vectors.url).get_collections()

    def test_a_collection_from_its_making_to_its_end(self):
        self.fill()
        self.assertTrue(self.client.collection_exists("turns"))
        info = self.client.get_collection("turns")
        self.assertEqual((info.status, info.points_count, info.config.params.vectors.size), (m.CollectionStatus.GREEN, 20, 4))
        self.assertEqual(info.payload_schema["number"].points, 20)
        self.client.update_collection_aliases([m.CreateAliasOperation(create_alias=m.CreateAlias(collection_name="turns", alias_name="now"))])
        self.assertEqual(self.client.count("now").count, 20)
        self.assertEqual([a.alias_name for a in self.client.get_collection_aliases("turns").aliases], ["now"])
        self.assertTrue(self.client.delete_collection("turns"))
        self.assertFalse(self.client.collection_exists("now"))

    def test_the_example_of_the_specification_in_todays_form(self):
        # As it stands there, but for `search`, which the client has no longer, and the filter, which is a model now.
        query_embedding, session_id = [1.0] + [0.0] * 383, "s2"
        client = QdrantClient(host="localhost", port=self.vectors.port)
        self.addCleanup(client.close)
        client.create_collection(collection_name="turns", vectors_config=m.VectorParams(size=384, distance=m.Distance.COSINE))
        client.upsert("turns", [m.PointStruct(id=i, vector=[1.0, i / 10] + [0.0] * 382, payload={"session_id": f"s{i % 3}"}) for i in range(30)])
        results = client.query_points(
            collection_name="turns",
            query=query_embedding,
            limit=5,
            query_filter=m.Filter(must=[m.FieldCondition(key="session_id", match=m.MatchValue(value=session_id))])
        ).points
        self.assertEqual([p.id for p in results], [2, 5, 8, 11, 14])
        self.assertTrue(all(p.payload == {"session_id": session_id} for p in results))

    def test_what_is_nearest_by_vector_by_id_and_fused(self):
        self.fill()
        near = self.client.query_points("turns", query=[1, 1, 2, 3], limit=3, with_payload=True).points
        self.assertEqual(near[0].id, 1)
        self.assertEqual(near[0].payload, {"number": 1, "session": "b"})
        by_id = self.client.query_points("turns", query=1, limit=3).points
        self.assertNotIn(1, [p.id for p in by_id])
        fused = self.client.query_points("turns", query=m.FusionQuery(fusion=m.Fusion.RRF), limit=2, prefetch=[
            m.Prefetch(query=[1, 1, 2, 3], limit=5), m.Prefetch(query=m.SparseVector(indices=[1], values=[1.0]), using="bm25", limit=5)]).points
        self.assertEqual((fused[0].id, fused[0].score), (1, 1.0))
        filtered = self.client.query_points("turns", query=[1, 1, 2, 3], limit=50, query_filter=m.Filter(
            must=[m.FieldCondition(key="session", match=m.MatchValue(value="a"))], must_not=[m.HasIdCondition(has_id=[2])])).points
        self.assertEqual(sorted(p.id for p in filtered), list(range(4, 21, 2)))

    def test_scrolling_in_pages_and_by_a_value(self):
        self.fill()
        seen, offset = [], None
        while True:
            page, offset = self.client.scroll("turns", limit=7, offset=offset)
            seen += [p.id for p in page]
            if offset is None:
                break
        self.assertEqual(seen, list(range(1, 21)))
        last = self.client.scroll("turns", limit=2, order_by=m.OrderBy(key="number", direction=m.Direction.DESC))[0]
        self.assertEqual([p.id for p in last], [20, 19])

    def test_several_changes_in_one_batch_are_done_in_order_or_not_at_all(self):
        self.fill()
        self.client.batch_update_points("turns", [
            m.SetPayloadOperation(set_payload=m.SetPayload(payload={"k": 1}, points=[1])),
            m.DeleteOperation(delete=m.PointIdsList(points=[2]))])
        self.assertEqual(self.client.retrieve("turns", [1])[0].payload["k"], 1)
        with self.assertRaises(UnexpectedResponse) as raised:
            self.client.batch_update_points("turns", [
                m.DeleteOperation(delete=m.PointIdsList(points=[3])),
                m.SetPayloadOperation(set_payload=m.SetPayload(payload={"k": 2}, points=[999]))])
        self.assertEqual(raised.exception.status_code, 404)
        self.assertEqual(self.client.count("turns").count, 19)

    def test_what_is_not_served_says_so(self):
        self.fill()
        with self.assertRaises(UnexpectedResponse) as raised:
            self.client.query_points_groups("turns", query=[1, 1, 2, 3], group_by="session")
        self.assertEqual(raised.exception.status_code, 501)
        self.assertIn(b"docs/vectors.md", raised.exception.content)


class QdrantPythonWithKeys(unittest.TestCase):
    def test_keys_are_asked_for_and_one_may_only_read(self):
        vectors = Vectors(environment={"PANDORA_VECTORS_API_KEY": "all", "PANDORA_VECTORS_READ_ONLY_API_KEY": "look"})
        self.addCleanup(vectors.remove)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a key over plain HTTP
            writer, reader, nobody = [QdrantClient(url=vectors.url, api_key=key) for key in ("all", "look", "wrong")]
        writer.create_collection("c", vectors_config=m.VectorParams(size=2, distance=m.Distance.DOT))
        self.assertEqual(reader.count("c").count, 0)
        for client, status in ((reader, 403), (nobody, 401)):
            with self.assertRaises(UnexpectedResponse) as raised:
                client.delete_collection("c")
            self.assertEqual(raised.exception.status_code, status)


if __name__ == "__main__":
    unittest.main()
