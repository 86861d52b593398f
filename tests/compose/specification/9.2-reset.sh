# Nuclear option - removes ALL data
docker compose down -v
docker compose up -d

# Recreate specific service
docker compose up -d --force-recreate postgres
