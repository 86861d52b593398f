// The closed table of settings. docs/configuration.md is its page; a test compares the two.
#include <array>

#include "base/config.h"

namespace pandora {
namespace {

using enum SettingKind;
constexpr double kMega = 1024.0 * 1024;

// What each role of the language model may have of its own.
#define PANDORA_ROLE(name, variable, temperature, what)                                                    \
  Setting{"roles." name ".url",                                                                            \
          "PANDORA_ROLES_" variable "_URL",                                                                \
          kUrl,                                                                                            \
          "",                                                                                              \
          0,                                                                                               \
          0,                                                                                               \
          false,                                                                                           \
          "server of the role that " what "; empty: model.url"},                                           \
      Setting{"roles." name ".model",        "PANDORA_ROLES_" variable "_MODEL", kString, "", 0, 0, false, \
              "its model; empty: model.name"},                                                             \
      Setting{"roles." name ".api_key",                                                                    \
              "PANDORA_ROLES_" variable "_API_KEY",                                                        \
              kString,                                                                                     \
              "",                                                                                          \
              0,                                                                                           \
              0,                                                                                           \
              true,                                                                                        \
              "its key; empty: model.api_key, for that server only"},                                      \
      Setting{"roles." name ".temperature",                                                                \
              "PANDORA_ROLES_" variable "_TEMPERATURE",                                                    \
              kNumber,                                                                                     \
              temperature,                                                                                 \
              0,                                                                                           \
              2,                                                                                           \
              false,                                                                                       \
              "its temperature"},                                                                          \
      Setting{"roles." name ".max_tokens",                                                                 \
              "PANDORA_ROLES_" variable "_MAX_TOKENS",                                                     \
              kInteger,                                                                                    \
              "0",                                                                                         \
              0,                                                                                           \
              1'000'000,                                                                                   \
              false,                                                                                       \
              "tokens it may write; 0: the server's own limit"}

// key, environment, kind, default, min, max, secret, help
constexpr std::array kSettings = {
    Setting{"data.path", "PANDORA_DATA", kPath, "", 0, 0, false,
            "data directory; empty: $XDG_DATA_HOME/pandora or ~/.local/share/pandora"},
    Setting{"models.path", "PANDORA_MODELS", kPath, "", 0, 0, false,
            "where encoder weights are; empty: $PANDORA_CACHE/models, $XDG_CACHE_HOME/pandora/models or "
            "~/.cache/pandora/models"},
    Setting{"log.level", "PANDORA_LOG_LEVEL", kString, "warn", 0, 0, false, "debug, info, warn or error"},
    Setting{"log.format", "PANDORA_LOG_FORMAT", kString, "text", 0, 0, false, "text or json"},
    Setting{"user.name", "PANDORA_USER", kString, "me", 0, 0, false, "whose memory a command works on"},
    Setting{"session.name", "PANDORA_SESSION", kString, "default", 0, 0, false,
            "which conversation a command continues"},
    Setting{"encoder.model", "PANDORA_ENCODER", kString, "bge-small-en-v1.5", 0, 0, false,
            "sentence encoder: bge-small-en-v1.5, all-MiniLM-L6-v2 (lighter), or \"hashing\", which needs no weights "
            "and finds words only"},
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
    Setting{"model.name", "PANDORA_MODEL_NAME", kString, "", 0, 0, false,
            "the model that server is asked for; empty: the first that it lists"},
    Setting{"model.api_key", "PANDORA_MODEL_API_KEY", kString, "", 0, 0, true, "its key"},
    Setting{"model.fallback_url", "PANDORA_MODEL_FALLBACK_URL", kUrl, "", 0, 0, false,
            "second server, asked when the first does not answer"},
    Setting{"model.fallback_name", "PANDORA_MODEL_FALLBACK_NAME", kString, "", 0, 0, false,
            "the model that one is asked for; empty: the first that it lists"},
    Setting{"model.fallback_api_key", "PANDORA_MODEL_FALLBACK_API_KEY", kString, "", 0, 0, true, "its key"},
    Setting{"model.connect_ms", "PANDORA_MODEL_CONNECT_MS", kInteger, "5000", 1, 600'000, false,
            "milliseconds to connect to a model server"},
    Setting{"model.first_token_ms", "PANDORA_MODEL_FIRST_TOKEN_MS", kInteger, "120000", 1, 3'600'000, false,
            "milliseconds until its answer begins"},
    Setting{"model.idle_ms", "PANDORA_MODEL_IDLE_MS", kInteger, "60000", 1, 3'600'000, false,
            "milliseconds between two pieces of its answer"},
    Setting{"model.attempts", "PANDORA_MODEL_ATTEMPTS", kInteger, "3", 1, 10, false,
            "times a call is tried, over all servers, while no answer has begun"},
    PANDORA_ROLE("reflex", "REFLEX", "0.3", "classifies the message"),
    PANDORA_ROLE("nerves", "NERVES", "0.1", "shortens what is too long"),
    PANDORA_ROLE("mind", "MIND", "0.5", "plans and checks"),
    PANDORA_ROLE("voice", "VOICE", "0.7", "writes the reply"),
    PANDORA_ROLE("eyes", "EYES", "0.3", "looks at images"),
    Setting{"gateway.address", "PANDORA_GATEWAY_ADDRESS", kString, "127.0.0.1", 0, 0, false,
            "address that `pandora serve` listens on; beyond this machine only with keys"},
    Setting{"gateway.port", "PANDORA_GATEWAY_PORT", kInteger, "9000", 0, 65'535, false, "its port; 0: any free one"},
    Setting{"gateway.tls_certificate", "PANDORA_GATEWAY_TLS_CERTIFICATE", kPath, "", 0, 0, false,
            "PEM file of its certificate; with gateway.tls_key it speaks HTTPS only"},
    Setting{"gateway.tls_key", "PANDORA_GATEWAY_TLS_KEY", kPath, "", 0, 0, false, "PEM file of the private key"},
    Setting{"gateway.body_bytes", "PANDORA_GATEWAY_BODY_BYTES", kInteger, "33554432", 1024, 64 * kMega, false,
            "longest chat request that is taken, images included"},
    Setting{"gateway.turn_ms", "PANDORA_GATEWAY_TURN_MS", kInteger, "1800000", 1, 86'400'000, false,
            "milliseconds that a turn may take"},
    Setting{"gateway.drain_ms", "PANDORA_GATEWAY_DRAIN_MS", kInteger, "10000", 0, 600'000, false,
            "milliseconds that turns under way have to finish when it is told to end"},
    Setting{"vectors.address", "PANDORA_VECTORS_ADDRESS", kString, "127.0.0.1", 0, 0, false,
            "address that `pandora vectors` listens on; beyond this machine only with a key"},
    Setting{"vectors.port", "PANDORA_VECTORS_PORT", kInteger, "6333", 0, 65'535, false, "its port; 0: any free one"},
    Setting{"vectors.path", "PANDORA_VECTORS_PATH", kPath, "", 0, 0, false,
            "where its collections are; empty: vectors/ in the data directory"},
    Setting{"vectors.api_key", "PANDORA_VECTORS_API_KEY", kString, "", 0, 0, true, "its key; empty: none is asked for"},
    Setting{"vectors.read_only_api_key", "PANDORA_VECTORS_READ_ONLY_API_KEY", kString, "", 0, 0, true,
            "a key that may only read"},
    Setting{"tools.enabled", "PANDORA_TOOLS", kBool, "true", 0, 0, false,
            "whether the language model gets tools (docs/tools.md)"},
    Setting{"tools.approvals", "PANDORA_TOOLS_APPROVALS", kString, "", 0, 0, false,
            "which run at once, when somebody says yes, or never: \"memory_save=allow, phone:file_read=deny\"; empty: "
            "each tool's default"},
    Setting{"tools.approval_ms", "PANDORA_TOOLS_APPROVAL_MS", kInteger, "120000", 1, 3'600'000, false,
            "milliseconds a call waits for a yes or no"},
    Setting{"tools.folders", "PANDORA_TOOLS_FOLDERS", kString, "", 0, 0, false,
            "folders whose text files tools may read, by name: \"notes=~/notes, papers=/srv/papers\"; empty: none"},
    Setting{"tools.url", "PANDORA_TOOLS_URL", kUrl, "", 0, 0, false,
            "the Orchestrator that `pandora gateway` asks; empty: http://127.0.0.1 at orchestrator.port"},
    Setting{"orchestrator.address", "PANDORA_ORCHESTRATOR_ADDRESS", kString, "127.0.0.1", 0, 0, false,
            "address that `pandora orchestrator` listens on; beyond this machine only with keys"},
    Setting{"orchestrator.port", "PANDORA_ORCHESTRATOR_PORT", kInteger, "8090", 0, 65'535, false,
            "its port; 0: any free one"},
    Setting{"model_servers.*.command", "", kString, "", 0, 0, false,
            "command line of a model server that `pandora up` starts, without a shell; its port and its share of the "
            "card are added"},
    Setting{"model_servers.*.port", "", kInteger, "8000", 1, 65'535, false, "its port on 127.0.0.1"},
    Setting{"model_servers.*.roles", "", kString, "", 0, 0, false,
            "roles that it serves: \"voice, mind\"; a role's own url beats it"},
    Setting{"model_servers.*.model", "", kString, "", 0, 0, false,
            "the model that it must list before it is ready; empty: as its command line says, or any"},
    Setting{"model_servers.*.memory_share", "", kNumber, "0", 0, 1, false,
            "share of the graphics card's memory that it takes; 0: it wants no card"},
    Setting{"model_servers.*.cold", "", kBool, "false", 0, 0, false,
            "whether it starts when it is used, and stops when it is not"},
    Setting{"model_servers.*.idle_s", "", kInteger, "600", 1, 86'400, false,
            "seconds without use after which a cold one stops"},
    Setting{"model_servers.*.ready_s", "", kInteger, "900", 1, 86'400, false,
            "seconds until it must be ready, the wait for the card included"},
    Setting{"model_servers.*.weights_mib", "", kInteger, "0", 0, 10'000'000, false,
            "size of its weights, for `pandora models plan`; 0: that of its files"},
    Setting{"model_servers.*.kv_bytes_per_token", "", kInteger, "0", 0, 1'000'000'000, false,
            "bytes of its KV cache for each token, likewise; 0: as its configuration says"},
    Setting{"documents.path", "PANDORA_DOCUMENTS", kPath, "", 0, 0, false,
            "directory of documents, which gateways on one database share; empty: panda_system_docs in data.path"},
    Setting{"objects.path", "PANDORA_OBJECTS", kPath, "", 0, 0, false,
            "directory of images and fetched pages, likewise; empty: objects in data.path"},
    Setting{"rows.store", "PANDORA_ROWS_STORE", kString, "embedded", 0, 0, false,
            "where rows are kept: embedded (SQLite in the data directory), or postgres"},
    Setting{"postgres.url", "DATABASE_URL", kUrl, "", 0, 0, true, "the PostgreSQL of rows.store; beats POSTGRES_*"},
    Setting{"postgres.host", "POSTGRES_HOST", kString, "localhost", 0, 0, false, "its host"},
    Setting{"postgres.port", "POSTGRES_PORT", kInteger, "5432", 1, 65'535, false, "its port"},
    Setting{"postgres.database", "POSTGRES_DB", kString, "pandora", 0, 0, false, "its database"},
    Setting{"postgres.user", "POSTGRES_USER", kString, "pandora", 0, 0, false, "its user"},
    Setting{"postgres.password", "POSTGRES_PASSWORD", kString, "", 0, 0, true, "its password"},
    Setting{"postgres.sslmode", "POSTGRES_SSLMODE", kString, "", 0, 0, false,
            "disable, prefer, require, verify-ca or verify-full; empty: prefer, or what the URL says"},
    Setting{"postgres.sslrootcert", "POSTGRES_SSLROOTCERT", kPath, "", 0, 0, false,
            "PEM file of the authorities that verify-ca and verify-full trust"},
    Setting{"postgres.connections", "POSTGRES_CONNECTIONS", kInteger, "8", 1, 256, false,
            "connections that a process opens at most"},
    Setting{"points.store", "PANDORA_POINTS_STORE", kString, "embedded", 0, 0, false,
            "where points are kept and searched: embedded (in this process), or qdrant"},
    Setting{"qdrant.url", "QDRANT_URL", kUrl, "", 0, 0, false,
            "the Qdrant, or `pandora vectors`, of points.store; beats QDRANT_HOST and QDRANT_PORT"},
    Setting{"qdrant.host", "QDRANT_HOST", kString, "localhost", 0, 0, false, "its host"},
    Setting{"qdrant.port", "QDRANT_PORT", kInteger, "6333", 1, 65'535, false, "its port"},
    Setting{"qdrant.api_key", "QDRANT_API_KEY", kString, "", 0, 0, true, "its key"},
    Setting{"qdrant.prefix", "QDRANT_PREFIX", kString, "", 0, 0, false,
            "before the names of our collections there, so that installations can share it: small letters, digits, _"},
    Setting{"qdrant.ca", "QDRANT_CA", kPath, "", 0, 0, false,
            "PEM file of the authorities that may have signed its certificate; empty: the system's"},
    Setting{"qdrant.timeout_ms", "QDRANT_TIMEOUT_MS", kInteger, "10000", 1, 600'000, false,
            "milliseconds that it may take to answer"},
    Setting{"qdrant.exact", "QDRANT_EXACT", kBool, "true", 0, 0, false,
            "whether it compares with every vector; false: by its graph, for millions of points, which may miss some"},
    Setting{"qdrant.shard_number", "QDRANT_SHARD_NUMBER", kInteger, "0", 0, 1'000, false,
            "shards of a collection that is made; 0: as it is set there"},
    Setting{"qdrant.replication_factor", "QDRANT_REPLICATION_FACTOR", kInteger, "0", 0, 100, false,
            "copies of each of its shards; 0: as it is set there"},
    Setting{"qdrant.write_consistency_factor", "QDRANT_WRITE_CONSISTENCY_FACTOR", kInteger, "0", 0, 100, false,
            "copies that must have a write before it counts; 0: as it is set there"},
    Setting{"documents.store", "PANDORA_DOCUMENTS_STORE", kString, "embedded", 0, 0, false,
            "where documents (panda_system_docs) are kept: embedded (in the data directory), or s3"},
    Setting{"objects.store", "PANDORA_OBJECTS_STORE", kString, "embedded", 0, 0, false,
            "where images and fetched pages are kept: embedded (in the data directory), or s3"},
    Setting{"s3.endpoint", "S3_ENDPOINT", kUrl, "", 0, 0, false,
            "the S3 server of these; empty: AWS's own of the region"},
    Setting{"s3.bucket", "S3_BUCKET", kString, "pandora", 0, 0, false, "its bucket, which must be there"},
    Setting{"s3.region", "AWS_REGION", kString, "us-east-1", 0, 0, false, "its region"},
    Setting{"s3.access_key", "AWS_ACCESS_KEY_ID", kString, "", 0, 0, true, "whose requests they are"},
    Setting{"s3.secret_key", "AWS_SECRET_ACCESS_KEY", kString, "", 0, 0, true, "what they are signed with"},
    Setting{"s3.session_token", "AWS_SESSION_TOKEN", kString, "", 0, 0, true,
            "of credentials that expire; empty: these do not"},
    Setting{"s3.style", "S3_STYLE", kString, "path", 0, 0, false,
            "where a bucket's name stands: path (http://server/bucket), or virtual (http://bucket.server)"},
    Setting{"s3.prefix", "S3_PREFIX", kString, "", 0, 0, false,
            "before our keys there, so that installations can share a bucket: \"home/\""},
    Setting{"s3.ca", "S3_CA", kPath, "", 0, 0, false,
            "PEM file of the authorities that may have signed its certificate; empty: the system's"},
    Setting{"s3.timeout_ms", "S3_TIMEOUT_MS", kInteger, "30000", 1, 600'000, false,
            "milliseconds that it may take to answer"},
    Setting{"cache.store", "PANDORA_CACHE_STORE", kString, "embedded", 0, 0, false,
            "where limits, locks and messages between processes are: embedded (in this process), or redis"},
    Setting{"redis.url", "REDIS_URL", kUrl, "", 0, 0, true,
            "the Redis of cache.store, rediss:// for TLS; beats REDIS_HOST, _PORT, _DB, _USER and _PASSWORD"},
    Setting{"redis.host", "REDIS_HOST", kString, "localhost", 0, 0, false, "its host"},
    Setting{"redis.port", "REDIS_PORT", kInteger, "6379", 1, 65'535, false, "its port"},
    Setting{"redis.database", "REDIS_DB", kInteger, "0", 0, 65'535, false, "the number of its database"},
    Setting{"redis.user", "REDIS_USER", kString, "", 0, 0, false, "user of its ACL; empty: default"},
    Setting{"redis.password", "REDIS_PASSWORD", kString, "", 0, 0, true, "the user's password"},
    Setting{"redis.tls", "REDIS_TLS", kBool, "false", 0, 0, false, "whether it is spoken to over TLS"},
    Setting{"redis.tls_ca", "REDIS_TLS_CA", kPath, "", 0, 0, false,
            "PEM file of the authorities that may have signed its certificate; empty: the system's"},
    Setting{"redis.prefix", "REDIS_PREFIX", kString, "pandora:", 0, 0, false,
            "before our keys and channels there, so that installations can share it"},
    Setting{"redis.timeout_ms", "REDIS_TIMEOUT_MS", kInteger, "1000", 1, 60'000, false,
            "milliseconds that it may take to answer"},
    Setting{"redis.connections", "REDIS_CONNECTIONS", kInteger, "8", 1, 256, false,
            "connections that a process opens at most, besides the one that listens"},
};

#undef PANDORA_ROLE

}  // namespace

std::span<const Setting> settings() { return kSettings; }

}  // namespace pandora
