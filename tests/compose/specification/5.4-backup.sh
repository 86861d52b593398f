# Backup Qdrant data
docker run --rm -v pandaaiv2_qdrant_data:/data -v $(pwd)/backups:/backup \
    alpine tar czf /backup/qdrant_$(date +%Y%m%d).tar.gz /data

# Backup PostgreSQL
docker compose exec postgres pg_dump -U pandora pandora > backups/postgres_$(date +%Y%m%d).sql
