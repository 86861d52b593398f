# Check container health status (uses built-in healthchecks)
docker compose ps

# Manual Qdrant health
curl http://localhost:6333/health

# Manual PostgreSQL health
docker compose exec postgres pg_isready -U pandora -d pandora

# Quick validation script
./scripts/docker_health.sh
