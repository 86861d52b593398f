#!/bin/bash
# scripts/start.sh

# 1. Start Docker services first
docker compose up -d

# 2. Wait for services to be ready
./scripts/wait_for_services.sh

# 3. Start application services
python -m vllm.entrypoints.openai.api_server &  # vLLM
python apps/orchestrator/app.py &                # Orchestrator
python apps/gateway/app.py &                     # Gateway
