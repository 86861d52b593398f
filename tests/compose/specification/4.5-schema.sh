# Apply schema
docker compose exec postgres psql -U pandora -d pandora -f /schema/init.sql

# Or use application migration tool (when implemented)
python -m pandora.db.migrate
