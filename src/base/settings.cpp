// The closed table of settings. docs/configuration.md is its page; a test compares the two.
#include <array>

#include "base/config.h"

namespace pandora {
namespace {

using enum SettingKind;
constexpr double kMega = 1024.0 * 1024;

// key, environment, kind, default, min, max, secret, help
constexpr std::array kSettings = {
    Setting{"data.path", "PANDORA_DATA", kPath, "", 0, 0, false,
            "data directory; empty: $XDG_DATA_HOME/pandora or ~/.local/share/pandora"},
    Setting{"models.path", "PANDORA_MODELS", kPath, "", 0, 0, false,
            "where encoder weights are; empty: $PANDORA_CACHE/models, $XDG_CACHE_HOME/pandora/models or ~/.cache/pandora/models"},
    Setting{"log.level", "PANDORA_LOG_LEVEL", kString, "warn", 0, 0, false, "debug, info, warn or error"},
    Setting{"log.format", "PANDORA_LOG_FORMAT", kString, "text", 0, 0, false, "text or json"},
    Setting{"user.name", "PANDORA_USER", kString, "me", 0, 0, false, "whose memory a command works on"},
    Setting{"session.name", "PANDORA_SESSION", kString, "default", 0, 0, false, "which conversation a command continues"},
    Setting{"encoder.model", "PANDORA_ENCODER", kString, "bge-small-en-v1.5", 0, 0, false,
            "sentence encoder: bge-small-en-v1.5, all-MiniLM-L6-v2 (lighter), or \"hashing\", which needs no weights and finds words only"},
    Setting{"recall.token_budget", "PANDORA_RECALL_TOKEN_BUDGET", kInteger, "1600", 0, 10'500, false,
            "tokens of what is recalled into a turn"},
    Setting{"recall.deadline_ms", "PANDORA_RECALL_DEADLINE_MS", kInteger, "2000", 1, 60'000, false,
            "milliseconds before recall answers with less"},
    Setting{"recall.candidates", "PANDORA_RECALL_CANDIDATES", kInteger, "200", 1, 10'000, false,
            "candidates each leg of the search brings"},
    Setting{"recall.limit", "PANDORA_RECALL_LIMIT", kInteger, "40", 0, 100, false, "turns recalled at most"},
    Setting{"recall.receipts", "PANDORA_RECALL_RECEIPTS", kInteger, "10000", 1, 1'000'000, false,
            "receipts of recalls that are kept, the latest; about 16 KB each"},
    Setting{"turns.archive_after_days", "PANDORA_ARCHIVE_AFTER_DAYS", kInteger, "30", 1, 36'500, false,
            "age at which `pandora turns archive` moves a turn"},
    Setting{"limits.message_bytes", "PANDORA_LIMITS_MESSAGE_BYTES", kInteger, "4194304", 1, 8 * kMega, false,
            "longest message that is taken"},
    Setting{"journal.segment_bytes", "PANDORA_JOURNAL_SEGMENT_BYTES", kInteger, "67108864", 65'536, 1024 * kMega, false,
            "size at which a journal segment is closed"},
    Setting{"turns.findable_wait_ms", "PANDORA_FINDABLE_WAIT_MS", kInteger, "2000", 0, 60'000, false,
            "milliseconds a message waits for the turn before it to be findable"},
    Setting{"model.url", "PANDORA_MODEL_URL", kUrl, "", 0, 0, false,
            "OpenAI-compatible server of the language model; empty: none, Pandora answers with what it finds"},
    Setting{"model.api_key", "PANDORA_MODEL_API_KEY", kString, "", 0, 0, true, "its key"},
    Setting{"postgres.url", "DATABASE_URL", kUrl, "", 0, 0, true, "PostgreSQL of the server profile; beats POSTGRES_*"},
    Setting{"postgres.host", "POSTGRES_HOST", kString, "localhost", 0, 0, false, "its host"},
    Setting{"postgres.port", "POSTGRES_PORT", kInteger, "5432", 1, 65'535, false, "its port"},
    Setting{"postgres.database", "POSTGRES_DB", kString, "pandora", 0, 0, false, "its database"},
    Setting{"postgres.user", "POSTGRES_USER", kString, "pandora", 0, 0, false, "its user"},
    Setting{"postgres.password", "POSTGRES_PASSWORD", kString, "", 0, 0, true, "its password"},
    Setting{"qdrant.url", "QDRANT_URL", kUrl, "", 0, 0, false, "Qdrant of the server profile"},
    Setting{"qdrant.api_key", "QDRANT_API_KEY", kString, "", 0, 0, true, "its key"},
    Setting{"redis.url", "REDIS_URL", kUrl, "", 0, 0, true, "Redis of the server profile"},
};

}  // namespace

std::span<const Setting> settings() { return kSettings; }

}  // namespace pandora
