// Qdrant's own client for JavaScript, unmodified: qdrant_node.mjs <folder with node_modules> <URL of the server>
import assert from "node:assert/strict";
import {createRequire} from "node:module";

const [clients, url] = process.argv.slice(2);
const {QdrantClient} = createRequire(clients + "/")("@qdrant/js-client-rest");
console.warn = (...words) => { throw new Error("a warning: " + words.join(" ")); };
const client = new QdrantClient({url});

await client.createCollection("turns", {vectors: {size: 4, distance: "Cosine"}, sparse_vectors: {bm25: {modifier: "idf"}}});
assert.equal((await client.collectionExists("turns")).exists, true);
await client.createPayloadIndex("turns", {field_name: "number", field_schema: "integer", wait: true});
const points = Array.from({length: 20}, (_, i) => ({
  id: i + 1, vector: {"": [i + 1, 1, 2, 3], bm25: {indices: [i + 1, 100], values: [1, 2]}}, payload: {number: i + 1},
}));
assert.equal((await client.upsert("turns", {points})).status, "completed");
const near = await client.query("turns", {query: [1, 1, 2, 3], limit: 2, with_payload: true});
assert.deepEqual([near.points[0].id, near.points[0].payload], [1, {number: 1}]);
const fused = await client.query("turns", {
  prefetch: [{query: [1, 1, 2, 3], limit: 5}, {query: {indices: [1], values: [1]}, using: "bm25", limit: 5}], query: {fusion: "rrf"}, limit: 1,
});
assert.deepEqual([fused.points[0].id, fused.points[0].score], [1, 1]);
const page = await client.scroll("turns", {limit: 3, filter: {must: [{key: "number", range: {gt: 5}}]}});
assert.deepEqual([page.points.map((p) => p.id), page.next_page_offset], [[6, 7, 8], 9]);
await client.setPayload("turns", {payload: {k: 1}, points: [1]});
await client.delete("turns", {points: [2], wait: true});  // which this client does not ask for by itself
assert.equal((await client.count("turns")).count, 19);
await assert.rejects(client.retrieve("nowhere", {ids: [1]}), /Not Found/);
assert.equal(await client.deleteCollection("turns"), true);
console.log("ok");
process.exit(0);
