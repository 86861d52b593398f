from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

client = QdrantClient(host="localhost", port=6333)

# Create collection
client.create_collection(
    collection_name="turns",
    vectors_config=VectorParams(size=384, distance=Distance.COSINE)
)

# Search similar turns
results = client.search(
    collection_name="turns",
    query_vector=query_embedding,
    limit=5,
    query_filter={"session_id": session_id}
)
