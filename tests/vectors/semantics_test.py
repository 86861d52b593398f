"""What a Qdrant 1.18 answers where the record says nothing, asked of `pandora vectors`: statuses, and what is changed or found.

The rules are those of its source and of docs/vectors.md; each case names one.
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from served_vectors import Vectors

PLAIN = {"vectors": {"size": 2, "distance": "Dot"}}
POINTS = [{"id": i, "vector": [i, 10 - i], "payload": {"n": i, "kind": "ab"[i % 2], "word": f"Quick Fox {i}"}} for i in range(1, 9)]
NEAR = [1, 0]


class Semantics(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.vectors = Vectors()
        cls.addClassCleanup(cls.vectors.remove)
        cls.made = 0

    def ask(self, method, path, body=None, status=200):
        got, _, answer = self.vectors.ask(method, path, body)
        self.assertEqual(got, status, f"{method} {path} {body}: {answer}")
        if got >= 400 and answer:
            self.assertTrue(answer["status"]["error"])
        return answer["result"] if got == 200 else answer

    def collection(self, body=PLAIN, points=POINTS):
        Semantics.made += 1
        path = f"/collections/c{self.made}"
        self.ask("PUT", path, body)
        if points:
            self.ask("PUT", path + "/points?wait=true", {"points": points})
        return path

    def statuses(self, method, path, cases):
        for body, status in cases:
            with self.subTest(path=path, body=body):
                self.ask(method, path, body, status)

    def ids(self, path, body):
        return [p["id"] for p in self.ask("POST", path + "/points/query", body)["points"]]

    def payload(self, path, point):
        return self.ask("GET", f"{path}/points/{point}")["payload"]

    # ── settings of a collection ──
    BAD_SETTINGS = [
        ({"hnsw_config": {"m": -1}}, 400), ({"hnsw_config": {"m": "x"}}, 400), ({"hnsw_config": 1}, 400), ({"hnsw_config": {"on_disk": 1}}, 400),
        ({"hnsw_config": {"ef_construct": 3}}, 422), ({"hnsw_config": {"full_scan_threshold": 9}}, 422), ({"hnsw_config": {"m": 1.5}}, 400),
        ({"optimizers_config": {"deleted_threshold": 2}}, 422), ({"optimizers_config": {"flush_interval_sec": "x"}}, 400),
        ({"optimizers_config": {"vacuum_min_vector_number": 99}}, 422), ({"optimizers_config": {"max_segment_size": 0}}, 422),
        ({"optimizers_config": {"max_optimization_threads": "many"}}, 400), ({"quantization_config": {}}, 400), ({"quantization_config": "x"}, 400),
        ({"quantization_config": {"scalar": {"type": "int4"}}}, 400), ({"quantization_config": {"scalar": {"type": "int8", "quantile": 0.2}}}, 422),
        ({"quantization_config": {"product": {"compression": "x3"}}}, 400), ({"quantization_config": {"binary": {"encoding": "three_bits"}}}, 400),
        ({"metadata": "x"}, 400), ({"strict_mode_config": {"max_query_limit": 0}}, 422), ({"strict_mode_config": {"enabled": "yes"}}, 400),
        ({"strict_mode_config": {"sparse_config": {"s": {"max_length": 0}}}}, 422), ({"strict_mode_config": {"enabled": True}}, 501),
        # What is of the wrong type counts before what is out of bounds.
        ({"hnsw_config": {"ef_construct": 1}, "optimizers_config": {"flush_interval_sec": -1}}, 400),
    ]
    BAD_WHEN_MADE = [
        ({"wal_config": {"wal_capacity_mb": 0}}, 422), ({"wal_config": {"wal_capacity_mb": "x"}}, 400), ({"on_disk_payload": "x"}, 400),
        ({"shard_number": 0}, 422), ({"shard_number": -1}, 400), ({"replication_factor": "1"}, 400), ({"sharding_method": "random"}, 400),
        ({"sharding_method": "custom"}, 501), ({"quantization_config": "Disabled"}, 400), ({"vectors": None}, 400),
        ({"vectors": {"size": 2, "distance": "Dot", "on_disk": "x"}}, 400), ({"vectors": {"size": 2, "distance": "Dot", "hnsw_config": {"m": "x"}}}, 400),
        ({"vectors": {"size": 2, "distance": "Dot", "hnsw_config": {"ef_construct": 1}}}, 422), ({"vectors": {"size": 2, "distance": "Dot", "datatype": "float8"}}, 400),
        ({"vectors": {"size": 2, "distance": "Dot", "datatype": "uint8"}}, 501), ({"sparse_vectors": {"s": {"index": {"on_disk": "x"}}}}, 400),
        ({"sparse_vectors": {"s": {"index": {"datatype": "float16"}}}}, 501), ({"vectors": {"size": 2, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}}}, 501),
        ({"vectors": {"size": 70000, "distance": "Dot"}, "hnsw_config": {"m": "x"}}, 400),
    ]

    def test_bad_settings_are_refused_and_nothing_is_made(self):
        for settings, status in self.BAD_SETTINGS + self.BAD_WHEN_MADE:
            with self.subTest(settings=settings):
                self.ask("PUT", "/collections/refused", {**PLAIN, **settings}, status)
                self.ask("GET", "/collections/refused", status=404)

    def test_bad_settings_are_refused_and_nothing_is_changed(self):
        path = self.collection()
        before = self.ask("GET", path)["config"]
        bad = [({"vectors": {"nope": {"on_disk": True}}}, 400), ({"vectors": {"on_disk": True}}, 400), ({"sparse_vectors": {"nope": {}}}, 400),
               ({"params": {"replication_factor": 0}}, 400), ({"params": {"on_disk_payload": 1}}, 400), ({"vectors": {"": {"hnsw_config": {"ef_construct": 1}}}}, 422)]
        self.statuses("PATCH", path, self.BAD_SETTINGS + bad)
        self.assertEqual(self.ask("GET", path)["config"], before)

    def test_settings_are_given_back_as_they_were_understood(self):
        path = self.collection({
            "vectors": {"size": 2, "distance": "Dot", "on_disk": True, "nonsense": 1, "hnsw_config": {"m": 8}}, "sparse_vectors": {"s": {"index": {"on_disk": True}}},
            "hnsw_config": {"m": 32, "nonsense": 1, "payload_m": None}, "optimizer_config": {"indexing_threshold_kb": 5, "max_optimization_threads": "auto"},
            "quantization_config": {"scalar": {"type": "int8", "quantile": 0.9}}, "wal_config": {"wal_capacity_mb": 1}, "on_disk_payload": False,
            "metadata": {"a": 1, "b": {"c": 2}}, "strict_mode_config": {"enabled": False, "max_query_limit": 5}, "shard_number": 2}, [])
        config = self.ask("GET", path)["config"]
        self.assertEqual(config["params"]["vectors"], {"size": 2, "distance": "Dot", "on_disk": True, "hnsw_config": {"m": 8}})
        self.assertEqual(config["params"]["sparse_vectors"], {"s": {"index": {"on_disk": True}}})
        self.assertEqual((config["params"]["shard_number"], config["params"]["on_disk_payload"]), (2, False))
        self.assertEqual(config["hnsw_config"], {"m": 32, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0, "on_disk": False})
        self.assertEqual((config["optimizer_config"]["indexing_threshold"], config["optimizer_config"]["max_optimization_threads"]), (5, None))
        self.assertEqual(config["quantization_config"], {"scalar": {"type": "int8", "quantile": 0.9}})
        self.assertEqual(config["wal_config"]["wal_capacity_mb"], 1)
        self.assertEqual(config["strict_mode_config"], {"enabled": False, "max_query_limit": 5})

        self.ask("PATCH", path, {"metadata": {"a": None, "b": {"d": 3}}, "quantization_config": {"binary": {"always_ram": True}}, "shard_number": 7, "wal_config": {"wal_capacity_mb": 9},
                                 "hnsw_config": {"ef_construct": 50}, "params": {"on_disk_payload": True, "read_fan_out_factor": 2}, "strict_mode_config": {"max_timeout": 9},
                                 "vectors": {"": {"hnsw_config": {"ef_construct": 60}, "quantization_config": {"product": {"compression": "x4"}}}}, "sparse_vectors": {"s": {"modifier": "idf"}}})
        changed = self.ask("GET", path)["config"]
        self.assertEqual(changed["metadata"], {"b": {"d": 3}})
        self.assertEqual(changed["quantization_config"], {"binary": {"always_ram": True}})
        self.assertEqual((changed["hnsw_config"]["m"], changed["hnsw_config"]["ef_construct"]), (32, 50))
        self.assertEqual((changed["params"]["shard_number"], changed["params"]["on_disk_payload"], changed["params"]["read_fan_out_factor"]), (2, True, 2))
        self.assertEqual(changed["wal_config"]["wal_capacity_mb"], 1)
        self.assertEqual(changed["strict_mode_config"], {"enabled": False, "max_query_limit": 5, "max_timeout": 9})
        self.assertEqual(changed["params"]["vectors"], {"size": 2, "distance": "Dot", "on_disk": True, "hnsw_config": {"m": 8, "ef_construct": 60},
                                                        "quantization_config": {"product": {"compression": "x4"}}})
        self.assertEqual(changed["params"]["sparse_vectors"], {"s": {"index": {"on_disk": True}, "modifier": "idf"}})
        self.ask("PATCH", path, {"quantization_config": "Disabled", "vectors": {"": {"quantization_config": "Disabled"}}})
        self.assertIsNone(self.ask("GET", path)["config"]["quantization_config"])
        self.assertNotIn("quantization_config", self.ask("GET", path)["config"]["params"]["vectors"])

    def test_a_modifier_that_is_changed_changes_scores(self):
        sparse = lambda *indices: {"indices": list(indices), "values": [1.0] * len(indices)}
        points = [{"id": i, "vector": {"s": sparse(*indices)}} for i, indices in enumerate([(1,), (1, 2), (1,), (3,)])]
        path = self.collection({"sparse_vectors": {"s": {}}}, points)
        ask = {"query": sparse(2), "using": "s"}
        self.assertEqual([p["score"] for p in self.ask("POST", path + "/points/query", ask)["points"]], [1.0])
        self.ask("PATCH", path, {"sparse_vectors": {"s": {"modifier": "idf"}}})
        self.assertGreater(self.ask("POST", path + "/points/query", ask)["points"][0]["score"], 1.1)

    def test_indexes_of_a_wrong_form_are_refused(self):
        path = self.collection()
        schema = lambda given: {"field_name": "n", "field_schema": given}
        self.statuses("PUT", path + "/index?wait=true", [
            (schema({"type": "integer", "lookup": False, "range": False}), 422), (schema({"type": "integer", "lookup": False}), 200),
            (schema({"type": "keyword", "is_tenant": "a"}), 400), (schema({"type": "float", "on_disk": 1}), 400), (schema({"type": "text", "min_token_len": -1}), 400)])

    # ── queries ──
    def test_what_makes_no_sense_together_is_refused(self):
        path = self.collection()
        fetch = {"query": NEAR, "limit": 3}
        self.ask("PUT", path + "/index?wait=true", {"field_name": "n", "field_schema": "integer"})
        self.statuses("POST", path + "/points/query", [
            ({"limit": 2, "score_threshold": 0.5}, 400), ({"query": {"order_by": "n"}, "score_threshold": 0.5}, 400), ({"query": {"order_by": "n"}}, 200),
            ({"prefetch": {"limit": 3, "score_threshold": 0.1}, "query": NEAR}, 400), ({"prefetch": [fetch], "query": {"fusion": "rrf"}, "score_threshold": 0.1}, 200),
            ({"prefetch": [fetch], "query": {"fusion": "rrf"}, "using": "s"}, 400), ({"prefetch": [fetch], "query": {"fusion": "dbsf"}, "using": "s"}, 400),
            ({"prefetch": [fetch], "query": {"rrf": {"k": 3}}, "using": "s"}, 400), ({"prefetch": [fetch], "query": {"fusion": "rrf"}, "using": ""}, 200),
            ({"prefetch": [{"prefetch": [fetch]}], "query": NEAR}, 400), ({"prefetch": [{"query": {"fusion": "rrf"}}], "query": NEAR}, 400),
            ({"prefetch": [fetch], "query": {"rrf": {"weights": [1, 2]}}}, 400), ({"prefetch": [fetch], "query": {"rrf": {"weights": []}}}, 400),
            ({"prefetch": [fetch], "query": {"rrf": {"weights": [-1]}}}, 200), ({"prefetch": [fetch], "query": {"rrf": {"weights": ["a"]}}}, 400),
            ({"prefetch": [fetch], "query": {"rrf": {"k": 1, "weights": [1e39]}}}, 400), ({"prefetch": [fetch], "query": {"rrf": {"k": 2, "weights": [1e39]}}}, 200),
            ({"prefetch": [fetch], "query": {"rrf": {"k": 0}}}, 422), ({"prefetch": [fetch], "query": {"rrf": {"k": "a"}}}, 400),
            ({"query": NEAR, "params": {"hnsw_ef": -1}}, 400), ({"query": NEAR, "params": {"exact": "x"}}, 400), ({"query": NEAR, "params": {"exact": None}}, 400), ({"query": NEAR, "params": {"hnsw_ef": None, "quantization": {"rescore": None}}}, 200),
            ({"query": NEAR, "params": {"quantization": {"ignore": None}}}, 400), ({"query": NEAR, "params": 1}, 400),
            ({"query": NEAR, "params": {"quantization": {"oversampling": 0.1}}}, 422), ({"query": NEAR, "params": {"quantization": {"oversampling": 1.5, "ignore": True}}}, 200),
            ({"query": NEAR, "params": {"acorn": {"enable": True, "max_selectivity": 2}}}, 422), ({"query": NEAR, "with_payload": {"include": ["n"], "exclude": ["kind"]}}, 400),
            ({"query": NEAR, "with_payload": {}}, 400), ({"query": NEAR, "with_payload": {"exclude": ["kind"]}}, 200)])
        # A collection that is not there is said first; a body of a wrong form before that.
        self.ask("POST", "/collections/none/points/query", {"limit": 2, "score_threshold": 0.5}, 404)
        self.ask("POST", "/collections/none/points/query", {"query": NEAR, "params": 1}, 400)
        self.ask("POST", "/collections/none/points/delete", {"points": []}, 404)

    def test_prefetches_are_nested_so_deep_and_no_deeper(self):
        path = self.collection()
        def nested(depth):
            step = {"query": NEAR, "limit": 2}
            for _ in range(depth):
                step = {"prefetch": step, "query": NEAR, "limit": 2}
            return step
        self.assertEqual(self.ids(path, nested(60)), [8, 7])  # as deep as JSON lets it be
        self.ask("POST", path + "/points/query", nested(65), 400)

    def test_points_that_are_asked_by_are_no_answer_anywhere(self):
        path = self.collection()
        self.assertEqual(self.ids(path, {"prefetch": [{"query": 8, "limit": 3}, {"query": NEAR, "limit": 3}], "query": {"fusion": "rrf"}}).count(8), 0)
        self.assertEqual(self.ids(path, {"prefetch": {"query": NEAR, "limit": 3}, "query": 7}), [8, 6, 5])
        self.assertEqual(self.ids(path, {"query": 8, "limit": 2, "filter": {"must": [{"has_id": [8, 1]}]}}), [1])

    def test_alternatives_of_a_query_and_of_its_prefetch_are_one_list(self):
        path = self.collection()
        one = lambda *ids: {"should": [{"has_id": list(ids)}]}
        ask = lambda outer, inner: sorted(self.ids(path, {"prefetch": {"query": NEAR, "limit": 10, "filter": inner}, "query": NEAR, "filter": outer}))
        self.assertEqual(ask(one(1, 2), one(2, 3)), [1, 2, 3])
        self.assertEqual(ask({"must": [{"has_id": [1, 2]}]}, one(2, 3)), [2])
        self.assertEqual(ask({"must_not": [{"has_id": [2]}], **one(1)}, {"must_not": [{"has_id": [3]}], **one(2, 3, 4)}), [1, 4])
        few = lambda count, *ids: {"min_should": {"conditions": [{"has_id": [i]} for i in ids], "min_count": count}}
        self.assertEqual(ask(few(1, 1, 2), few(1, 2, 3)), [1, 2, 3])

    def test_of_no_conditions_none_need_be_met(self):
        path = self.collection()
        for filter in [{"min_should": {"conditions": [], "min_count": 2}}, {"should": []}, {"must": [], "must_not": None}]:
            with self.subTest(filter=filter):
                self.assertEqual(self.ask("POST", path + "/points/count", {"filter": filter})["count"], 8)
        self.assertEqual(self.ask("POST", path + "/points/count", {"filter": {"min_should": {"conditions": [{"has_id": [1]}], "min_count": 2}}})["count"], 0)

    def test_times_are_understood_in_many_forms(self):
        times = ["2026-03-01T10:00:00Z", "2026-03-01T12:00:00+02:00", "2026-03-01T12:00:00+0200", "2026-03-01T12:00:00+02", "2026-03-01 10:00:00.000", "2026-03-01 10:00"]
        path = self.collection(points=[{"id": i, "vector": [1, 1], "payload": {"t": time}} for i, time in enumerate(times)])
        for index in (False, True):
            if index:
                self.ask("PUT", path + "/index?wait=true", {"field_name": "t", "field_schema": "datetime"})
            for time in times:
                with self.subTest(index=index, time=time):
                    self.assertEqual(self.ask("POST", path + "/points/count", {"filter": {"must": [{"key": "t", "range": {"gte": time, "lte": time}}]}})["count"], len(times))
        self.statuses("POST", path + "/points/count", [({"filter": {"must": [{"key": "t", "range": {"gte": bad}}]}}, 400) for bad in ("2026-03-01T10:00:00+", "2026-03-01T10:00:00+2", "2026-13-01", "now")])

    def test_a_list_without_weight_adds_nothing(self):
        path = self.collection()
        fused = self.ask("POST", path + "/points/query", {"prefetch": [{"query": NEAR, "limit": 2}, {"query": [0, 1], "limit": 2}], "query": {"rrf": {"weights": [1, -1]}}})["points"]
        self.assertEqual([(p["id"], round(p["score"], 4)) for p in fused], [(8, 0.5), (7, 0.3333), (1, 0.0), (2, 0.0)])

    def test_what_is_fused_may_be_as_good_as_the_threshold(self):
        path = self.collection()
        fused = lambda threshold: self.ids(path, {"prefetch": {"query": NEAR, "limit": 3}, "query": {"fusion": "rrf"}, "score_threshold": threshold})
        self.assertEqual([fused(0.25), fused(0.26), fused(0.5), fused(0.51)], [[8, 7, 6], [8, 7], [8], []])
        best = self.ask("POST", path + "/points/query", {"query": NEAR, "limit": 1})["points"][0]["score"]
        self.assertEqual(self.ids(path, {"query": NEAR, "score_threshold": best}), [])

    def test_what_is_fused_keeps_the_value_that_it_was_ordered_by(self):
        path = self.collection()
        self.ask("PUT", path + "/index?wait=true", {"field_name": "n", "field_schema": "integer"})
        fused = self.ask("POST", path + "/points/query", {"prefetch": [{"query": {"order_by": "n"}, "limit": 1}, {"query": NEAR, "limit": 1}], "query": {"fusion": "rrf"}})["points"]
        self.assertEqual([(p["id"], p.get("order_value")) for p in fused], [(1, 1), (8, None)])

    def test_the_old_search_takes_top(self):
        path = self.collection()
        self.assertEqual([p["id"] for p in self.ask("POST", path + "/points/search", {"vector": NEAR, "top": 2})], [8, 7])
        self.assertEqual(len(self.ask("POST", path + "/points/search/batch", {"searches": [{"vector": NEAR, "top": 1}]})[0]), 1)
        self.statuses("POST", path + "/points/search", [({"vector": NEAR}, 400), ({"vector": NEAR, "limit": None}, 400), ({"vector": NEAR, "limit": 1, "params": {"hnsw_ef": "a"}}, 400)])

    def test_words_are_found_inside_of_nested_filters(self):
        path = self.collection(points=[{"id": 1, "vector": [1, 0], "payload": {"d": [{"t": "Quick Fox"}, {"t": "slow"}]}}])
        count = lambda text: self.ask("POST", path + "/points/count", {"filter": {"must": [{"nested": {"key": "d", "filter": {"must": [{"key": "t", "match": {"text": text}}]}}}]}})["count"]
        self.assertEqual((count("Quick"), count("fox quick")), (1, 0))
        self.ask("PUT", path + "/index?wait=true", {"field_name": "d[].t", "field_schema": "text"})
        self.assertEqual((count("fox quick"), count("quick slow"), count("fox dog")), (1, 0, 0))

    def test_a_nested_filter_judges_objects_and_nothing_but_their_payload(self):
        path = self.collection(points=[{"id": 1, "vector": [1, 0], "payload": {"l": [{"a": 1}], "s": [1, "x"]}}])
        count = lambda key, **filter: self.ask("POST", path + "/points/count", {"filter": {"must": [{"nested": {"key": key, "filter": filter}}]}})["count"]
        other = {"key": "a", "match": {"value": 2}}
        self.assertEqual((count("l", must_not=[other]), count("s", must_not=[other])), (1, 0))
        self.assertEqual((count("l", must=[{"has_id": [1]}]), count("l", must=[{"has_vector": ""}]), count("l", must_not=[{"has_id": [1]}])), (0, 0, 1))

    def test_a_null_in_an_array_is_one_for_an_index_alone(self):
        path = self.collection(points=[{"id": i, "vector": [1, 0], "payload": payload} for i, payload in enumerate([{"a": None}, {"a": [None]}, {"a": ["x", None]}, {"a": "x"}, {}, {"a": []}])])
        ids = lambda *conditions: [p["id"] for p in self.ask("POST", path + "/points/scroll", {"filter": {"must": list(conditions)}})["points"]]
        null, empty = {"is_null": {"key": "a"}}, {"is_empty": {"key": "a"}}
        self.assertEqual((ids(null), ids({"key": "a", "is_null": False}), ids(empty)), ([0], [1, 2, 3, 4, 5], [0, 4, 5]))
        self.ask("PUT", path + "/index?wait=true", {"field_name": "a", "field_schema": "keyword"})
        self.assertEqual((ids(null), ids({"key": "a", "is_null": False}), ids(empty)), ([0, 1, 2], [3, 4, 5], [0, 4, 5]))
        self.ask("POST", path + "/points/payload?wait=true", {"payload": {"b": 1}, "filter": {"must": [null]}})
        self.assertEqual(ids({"key": "b", "match": {"value": 1}}), [0, 1, 2])

    def test_what_stands_behind_the_question_mark_is_read(self):
        path = self.collection()
        for query, status in [("consistency=bogus", 400), ("consistency=0", 400), ("consistency=2", 200), ("consistency=majority", 200), ("consistency=", 200),
                              ("timeout=0", 400), ("timeout=-1", 400), ("timeout=", 400), ("timeout=18446744073709551615", 200), ("wait=maybe", 200)]:
            with self.subTest(query=query):
                self.ask("POST", f"{path}/points/count?{query}", {}, status)
        for query, status in [("wait=maybe", 400), ("ordering=any", 400), ("timeout=0", 422), ("consistency=bogus", 200)]:
            with self.subTest(query=query):
                self.ask("POST", f"{path}/points/delete?{query}", {"points": [999]}, status)
        self.ask("GET", path + "?timeout=abc")
        self.ask("DELETE", "/collections/none?timeout=0", status=422)

    def test_a_name_has_so_many_characters_and_no_more(self):
        self.ask("PUT", "/collections/" + "%C3%A9" * 255, PLAIN)
        for method, route in [("GET", ""), ("DELETE", ""), ("GET", "/exists"), ("GET", "/points/1"), ("GET", "/aliases")]:
            with self.subTest(method=method, route=route):
                self.ask(method, "/collections/" + "x" * 256 + route, status=422)
        self.ask("GET", "/collections/" + "x" * 255, status=404)

    def test_shards_by_key_are_not_served(self):
        path = self.collection()
        key = {"shard_key": "a"}
        for method, route, body in [("PUT", "/points", {"points": POINTS}), ("POST", "/points", {"ids": [1]}), ("POST", "/points/delete", {"points": [1]}),
                                    ("POST", "/points/payload", {"payload": {"a": 1}, "points": [1]}), ("PUT", "/points/vectors", {"points": [{"id": 1, "vector": [1, 1]}]}),
                                    ("POST", "/points/query", {"query": NEAR}), ("POST", "/points/scroll", {}), ("POST", "/points/count", {}), ("POST", "/points/search", {"vector": NEAR, "limit": 1})]:
            with self.subTest(route=route):
                self.ask(method, path + route, {**body, **key}, 501)
                self.ask(method, path + route, {**body, "shard_key": None})

    def test_vectors_are_not_made_of_texts(self):
        path, named = self.collection(), self.collection({"vectors": {name: {"size": 2, "distance": "Dot"} for name in ("text", "model")}}, [])
        made = {"text": "hello", "model": "m"}
        for body in [{"points": [{"id": 1, "vector": made}]}, {"points": [{"id": 1, "vector": {"": made}}]}, {"batch": {"ids": [1], "vectors": [made]}}]:
            self.ask("PUT", path + "/points", body, 501)
        self.ask("POST", path + "/points/query", {"query": made}, 501)
        self.ask("PUT", named + "/points", {"points": [{"id": 1, "vector": {"text": [1, 2], "model": [1, 2]}}]})
        self.ask("PUT", named + "/points", {"points": [{"id": 1, "vector": {"text": "hello"}}]}, 400)

    def test_an_index_without_ranges_gives_no_order(self):
        path = self.collection()
        for schema, status in [("keyword", 400), ({"type": "integer", "range": False}, 400), ({"type": "integer", "range": True, "lookup": False}, 200), ("float", 200)]:
            with self.subTest(schema=schema):
                self.ask("PUT", path + "/index?wait=true", {"field_name": "n", "field_schema": schema})
                self.ask("POST", path + "/points/scroll", {"order_by": "n", "limit": 3}, status)
                self.assertEqual(self.ask("POST", path + "/points/count", {"filter": {"must": [{"key": "n", "match": {"value": 3}}]}})["count"], 1)
                self.assertEqual(self.ask("POST", path + "/points/count", {"filter": {"must": [{"key": "n", "range": {"gt": 6}}]}})["count"], 2)

    def test_points_of_one_value_stand_by_id_in_the_direction_of_the_order(self):
        path = self.collection(points=[{"id": id, "vector": [1, 0], "payload": {"n": n}} for id, n in [(4, 1), (2, 2), (3, 1), (1, [1, 2])]])
        self.ask("PUT", path + "/index?wait=true", {"field_name": "n", "field_schema": "integer"})
        for order, ids in [({"key": "n"}, [1, 3, 4, 1, 2]), ({"key": "n", "direction": "desc"}, [2, 1, 4, 3, 1])]:
            for limit in (5, 3):
                with self.subTest(order=order, limit=limit):
                    self.assertEqual([p["id"] for p in self.ask("POST", path + "/points/scroll", {"order_by": order, "limit": limit})["points"]], ids[:limit])
                    self.assertEqual([p["id"] for p in self.ask("POST", path + "/points/query", {"query": {"order_by": order}, "limit": limit})["points"]], ids[:limit])
                    self.assertEqual([p["id"] for p in self.ask("POST", path + "/points/query", {"query": {"order_by": order}, "limit": 2**62, "offset": 2})["points"]], ids[2:])

    def test_aliases_of_what_is_not_there_are_none(self):
        self.assertEqual(self.ask("GET", "/collections/none/aliases"), {"aliases": []})

    # ── changes ──
    def test_a_null_takes_a_key_away_when_a_payload_is_set_and_stays_when_it_is_replaced(self):
        path = self.collection()
        self.ask("POST", path + "/points/payload?wait=true", {"payload": {"n": None, "new": 1}, "points": [1]})
        self.assertEqual(self.payload(path, 1), {"kind": "b", "word": "Quick Fox 1", "new": 1})
        self.ask("PUT", path + "/points/payload?wait=true", {"payload": {"n": None}, "points": [1]})
        self.assertEqual(self.payload(path, 1), {"n": None})
        self.ask("PUT", path + "/points/payload?wait=true", {"payload": {"l": [1, {"w": 2}], "x": 10}, "points": [1]})
        for key in ["l[1]", "l[7]", "m.n[0]", "x[].q"]:
            self.ask("POST", path + "/points/payload?wait=true", {"payload": {"v": 1}, "points": [1], "key": key})
        self.assertEqual(self.payload(path, 1), {"l": [1, {"w": 2, "v": 1}], "m": {"n": []}, "x": []})
        self.ask("POST", path + "/points/payload/delete?wait=true", {"keys": ["l[0]", "l[1].w", "m.n[]"], "points": [1]})
        self.assertEqual(self.payload(path, 1), {"l": [1, {"v": 1}], "m": {"n": []}, "x": []})

    def test_of_a_payload_is_shown_what_a_path_leads_to(self):
        path = self.collection(points=[{"id": 1, "vector": [1, 0], "payload": {"a": [{"x": 1, "y": 2}, 3], "b": 5, "c": {"d": 1}}}])
        for selector, shown in [(["b.q", "a[].x"], {"a": [{"x": 1}, 3], "b": 5}), (["a[0].x", "c.q"], {"a": [], "c": {}}), ([], {}), ({"exclude": ["a[0]", "c"]}, {"a": [{"x": 1, "y": 2}, 3], "b": 5})]:
            with self.subTest(selector=selector):
                self.assertEqual(self.ask("POST", path + "/points/scroll", {"with_payload": selector})["points"][0]["payload"], shown)

    def test_what_names_no_point_is_refused(self):
        path = self.collection()
        for method, route, body in [("POST", "/points/payload", {"payload": {"a": 1}}), ("PUT", "/points/payload", {"payload": {"a": 1}}),
                                    ("POST", "/points/payload/delete", {"keys": ["n"]}), ("POST", "/points/payload/clear", {}),
                                    ("POST", "/points/vectors/delete", {"vector": [""]})]:
            with self.subTest(route=route):
                self.ask(method, f"{path}{route}?wait=true", {**body, "points": []}, 400)
                self.ask(method, f"{path}{route}?wait=true", {**body, "points": [1, 999]}, 404)
                self.ask(method, f"{path}{route}?wait=true", {**body, "filter": {"must": [{"has_id": [999]}]}})
        self.statuses("POST", path + "/points/batch?wait=true", [({"operations": [{"delete": {"points": []}}]}, 400)])
        self.assertEqual(self.payload(path, 1)["n"], 1)

    def test_vectors_are_changed_where_a_filter_lets_them(self):
        path = self.collection()
        only = {"must": [{"key": "kind", "match": {"value": "a"}}]}
        change = lambda *ids: {"points": [{"id": i, "vector": [0, 50]} for i in ids], "update_filter": only}
        self.ask("PUT", path + "/points/vectors?wait=true", change(1, 2))
        self.assertEqual([self.ask("GET", f"{path}/points/{i}")["vector"] for i in (1, 2)], [[1.0, 9.0], [0.0, 50.0]])
        self.ask("PUT", path + "/points/vectors?wait=true", change(4, 999), 404)
        self.assertEqual(self.ask("GET", path + "/points/4")["vector"], [4.0, 6.0])
        self.statuses("PUT", path + "/points/vectors?wait=true", [
            ({"points": [{"id": 1, "vector": {}}]}, 422), ({"points": [{"id": 1, "vector": []}]}, 422), ({"points": []}, 400), ({"points": [{"id": 1, "vector": [1]}]}, 400)])

    def test_a_condition_of_an_upsert_is_judged_before_any_of_its_points(self):
        path = self.collection()
        twice = lambda i, **how: {"points": [{"id": i, "vector": [1, 1], "payload": {"v": 1}}, {"id": i, "vector": [2, 2], "payload": {"v": 2}}], **how}
        self.ask("PUT", path + "/points?wait=true", twice(20, update_mode="insert_only"))
        self.assertEqual(self.payload(path, 20), {"v": 2})
        self.ask("PUT", path + "/points?wait=true", twice(20, update_mode="insert_only"))
        self.ask("PUT", path + "/points?wait=true", twice(21, update_mode="update_only"))
        self.ask("GET", path + "/points/21", status=404)
        only = {"must": [{"key": "v", "match": {"value": 2}}]}
        self.ask("PUT", path + "/points?wait=true", {**twice(20, update_filter=only), "points": [{"id": 20, "vector": [1, 1], "payload": {"v": 7}}, {"id": 20, "vector": [1, 1], "payload": {"v": 8}}]})
        self.assertEqual(self.payload(path, 20), {"v": 8})
        self.ask("PUT", path + "/points?wait=true", twice(22, update_filter=only))
        self.assertEqual(self.payload(path, 22), {"v": 2})

    def test_the_service_says_how_it_is(self):
        path = self.collection()
        name = path.rsplit("/", 1)[1]
        self.assertIn(f'collection_points{{id="{name}"}} 8', self.vectors.ask("GET", "/metrics")[2])
        self.assertGreaterEqual(self.ask("GET", "/telemetry?details_level=3")["collections"]["points"], 8)


if __name__ == "__main__":
    unittest.main()
