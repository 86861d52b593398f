# List volumes
docker volume ls | grep pandaaiv2

# Inspect volume
docker volume inspect pandaaiv2_qdrant_data

# Browse volume contents
docker run --rm -v pandaaiv2_qdrant_data:/data alpine ls -la /data
