// Each rule at its border: what it must find, and the nearest thing that is right.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "compose/lint_case.h"

namespace pandora {
namespace {

using testing::findings;
using testing::input_of;
using testing::rules;

struct Case {
  std::string rule, file, bad, good;
};

std::string service(const std::string& body) { return "services:\n  s: {" + body + "}\n"; }

std::vector<Case> cases() {
  const std::string c = "compose.yaml";
  const std::string health = ", healthcheck: {test: [CMD, ";
  return {
      {"secret-external", c, "services: {}\nsecrets: {p: {external: true}}\n",
       "services: {}\nsecrets: {p: {external: false, file: f}}\n"},
      {"password-twice", c, service("environment: {GF_A__FILE: f, GF_A: x}"),
       service("environment: {GF_A__FILE: f, GF_AB: x}")},
      {"password-in-file", c, service("environment: {API_KEY: x}"),
       service("environment: {API_KEY: '', API_KEY_FILE: x, TOKENS: x}")},
      {"password-default", ".env", "REDIS_PASSWORD=ChangeMe\n", "REDIS_PASSWORD=qz81\nREDIS_USER=pandora\n"},
      {"password-in-url", ".env", "DATABASE_URL=postgresql://u:p@h/d\n",
       "DATABASE_URL=postgresql://u@h/d\nMAIL=a:b@c\n"},
      {"port-exposed", c, service("ports: ['0.0.0.0:1:1']"), service("ports: ['127.0.0.1:1:1', '[::1]:2:2']")},
      {"network-internal", c, "services: {s: {networks: [n]}}\nnetworks: {n: {internal: true}}\n",
       "services: {s: {networks: [n, m]}}\nnetworks: {n: {internal: true}, m: {}}\n"},
      {"store-without-key", c, service("image: 'redis:7.4.1', command: redis-server"),
       service("image: 'redis:7.4.1', command: redis-server --requirepass x")},
      {"store-without-key", c, service("image: 'docker.io/qdrant/qdrant:v1.2.3'"),
       service("image: 'qdrant/qdrant:v1.2.3', environment: [QDRANT__SERVICE__API_KEY=x]")},
      {"telemetry-on", c, service("image: 'qdrant/qdrant:v1.2.3'"),
       service("image: 'qdrant/qdrant:v1.2.3', environment: {QDRANT__TELEMETRY_DISABLED: true}")},
      {"check-missing", c, service("image: a, healthcheck: {disable: true}"),
       service("image: a, healthcheck: {test: 'true'}")},
      {"check-missing", c, service("image: a, healthcheck: {test: [NONE]}"), service("environment: [A=b]")},
      {"check-program", c, service("image: 'redis:7.4.1'" + health + "wget, x]}"),
       service("image: 'redis:7.4.1'" + health + "redis-cli, my-wget]}")},
      {"check-route", c, service("image: 'qdrant/qdrant:v1.2.3'" + health + "x, 'h:6333/health']}"),
       service("image: 'qdrant/qdrant:v1.2.3'" + health + "x, 'h:6333/healthz']}")},
      {"check-socket", c, service("image: 'postgres:16.1'" + health + "pg_isready]}"),
       service("image: 'postgres:16.1'" + health + "pg_isready, -h, x]}")},
      {"check-budget", c,
       service("image: 'postgres:16.1', healthcheck: {test: x, interval: 10s, retries: 5, start_period: 9s}"),
       service("image: 'postgres:16.1', healthcheck: {test: x, interval: 10s, retries: 5, start_period: 10s}")},
      {"restart-missing", c, service("image: 'postgres:16.1', restart: on-failure"),
       service("image: 'postgres:16.1', restart: always")},
      {"grace-short", c, service("image: 'postgres:16.1', stop_grace_period: 29s"),
       service("image: 'postgres:16.1', stop_grace_period: 30s")},
      {"one-shot-wait", c, service("depends_on: {t: {condition: service_completed_successfully}}"),
       service("depends_on: {t: {condition: service_healthy}}")},
      {"image-floating", c, service("image: 'h:5000/a:latest'"), service("image: 'h:5000/a:1.2'")},
      {"image-floating", c, service("image: a"), service("image: 'a@sha256:00'")},
      {"image-gone", c, service("image: 'minio/minio:RELEASE.2025'"), service("image: 'versity/versitygw:v1.0'")},
      {"limits-twice", c, service("mem_limit: 1G, deploy: {resources: {limits: {memory: 1G}}}"),
       service("mem_limit: 1G")},
      {"log-unbounded", c, service("image: a, logging: {driver: json-file}"),
       service("image: a, logging: {driver: journald}")},
      {"shm-small", c, service("image: 'postgres:16.1', shm_size: 127m"),
       service("image: 'postgres:16.1', shm_size: 128m")},
      {"volume-name", c, "services: {}\nvolumes: {v: {}}\n",
       "services: {}\nvolumes: {v: {name: x}, w: {external: true}}\n"},
      {"volume-name", c, "services: {}\nvolumes: {v: {}}\n", "name: x\nservices: {}\nvolumes: {v: {}}\n"},
      {"port-taken", c, service("ports: ['127.0.0.1:9000:9000']"), service("ports: ['127.0.0.1:9001:9000']")},
      {"port-taken", c, "services: {a: {ports: ['127.0.0.1:1:1']}, b: {ports: ['127.0.0.1:1:2']}}\n",
       "services: {a: {ports: ['127.0.0.1:1:1']}, b: {ports: ['127.0.0.1:1:2/udp']}}\n"},
      {"newer-syntax", c, "services: {}\nsecrets: {s: {environment: S}}\n", "services: {}\nsecrets: {s: {file: S}}\n"},
      {"newer-syntax", c, service("healthcheck: {start_interval: 1s}"), service("healthcheck: {start_period: 1s}")},
      {"newer-syntax", c, service("ports: !reset []"), service("ports: []")},
      {"duration-invalid", c, service("healthcheck: {test: x, interval: 10 sec}"),
       service("healthcheck: {test: x, interval: 10s}")},
      {"unknown-key", c, service("helthcheck: {test: x}"), service("x-mine: 1")},
      {"archive-of-live-volume", "b.sh", "docker run -v data:/d alpine tar c /d\n",
       "docker run -v ./d:/d alpine tar c /d\n"},
      {"volume-by-hand", "b.sh", "docker run -v data:/d alpine ls\n",
       "docker run -v \"$volume:/d\" alpine ls # -v data:/d\n"},
      {"exec-terminal", "b.sh", "docker-compose exec db \\\n  pg_dump -Fc > x\n",
       "docker-compose exec -T db \\\n  pg_dump -Fc > x\n"},
      {"dump-plain", "b.sh", "pg_dump a > b\n", "pg_dump -Fc a > b\n"},
      {"backup-in-tree", "b.sh", "cp x ./backups/\n", "cp x /srv/backups/\n"},
      {"deletes-volumes", "b.sh", "docker compose -p x down --volumes\n",
       "docker compose -v down\n#docker compose down -v\ndocker compose up\n"},
      {"psql-goes-on", "b.sh", "psql -f a.sql\n", "psql -v ON_ERROR_STOP=1 -f a.sql\n"},
      {"script-not-mounted", "b.sh", "docker compose exec db psql -f /a.sql\n", "psql -f /a.sql\n"},
      {"owner-guessed", "b.sh", "chown -R 1000:1000 volumes\n", "chown -R 999:999 volumes\n"},
      {"compose-wait", "b.sh", "docker compose up -d --wait\n", "docker compose up -d\n"},
      {"sqlite-copied", "b.sh", "cp a.db b\n", "sqlite3 a.db '.backup b'\n"},
      {"restore-alone", "b.sh", "pg_restore -d a dump\n", "pg_restore -f /dev/null dump\n"},
      {"restore-priority", "b.sh", "curl -X PUT h/snapshots/recover\n",
       "curl -X PUT 'h/snapshots/recover?priority=snapshot'\n"},
      {"model-health", "b.sh", "curl http://localhost:8000/health\n", "curl http://localhost:8000/v1/models\n"},
      {"started-in-background", "b.sh", "serve &\n", "a &&\n  b\n"},
      {"sql-schema", "a.sql", "CREATE TABLE a (b int);\n", "CREATE TABLE p.a (b int);\n"},
      {"sql-once", "a.sql", "create index i on p.a(b);\n", "create index if not exists i on p.a(b);\n"},
      {"sql-reference", "a.sql", "create table p.a (b int references c(d));\n",
       "create table p.a (b int references c(d) on delete set null);\n"},
      {"sql-fulltext", "a.sql", "create index i on a using gin(to_tsvector('english', b));\n",
       "create index i on a using gin(b);\n"},
      {"sql-null-time", "a.sql", "create table p.a (b timestamptz default now());\n",
       "create table p.a (b timestamptz not null default now());\n"},
      {"sql-range", "a.sql", "create table p.a (b float);\n",
       "create table p.a (b float check (b between 0 and 1));\n"},
      {"sql-index", "a.sql", "create table p.a (expires_at timestamptz);\n",
       "create table p.a (expires_at timestamptz);\ncreate index i on p.a(expires_at);\n"},
      {"client-removed", "a.py", "client.search(x)\n", "client.query_points(x)\n"},
      {"client-filter", "a.py", "f(query_filter={\"a\": b})\n", "f(query_filter={\"must\": []})\n"},
      {"payload-schema", "a.json", R"({"vectors": {}, "payload_schema": {}})", R"({"payload_schema": {}})"},
      {"model-not-recorded", "a.json", R"({"collection_name": "c", "vectors": {"size": 3}})",
       R"({"collection_name": "c", "vectors": {"size": 3}, "metadata": {"model": "m"}})"},
  };
}

TEST(LintRules, FindWhatIsWrongAndLeaveTheNearestThingThatIsRight) {
  for (const auto& tried : cases()) {
    EXPECT_TRUE(rules(findings({{tried.file, tried.bad}})).contains(tried.rule)) << tried.rule << "\n" << tried.bad;
    EXPECT_FALSE(rules(findings({{tried.file, tried.good}})).contains(tried.rule)) << tried.rule << "\n" << tried.good;
  }
}

// The others need several files, or the disk.
TEST(LintRules, EachHasACase) {
  std::set<std::string> tried = {"port-in-base",      "limits-uneven",          "sql-number-early", "env-readable",
                                 "secret-unreadable", "prometheus-unreachable", "compose-refuses"};
  for (const auto& one : cases()) tried.insert(one.rule);
  for (const auto& rule : lint_rules()) EXPECT_TRUE(tried.contains(std::string(rule.id))) << rule.id;
}

TEST(LintRules, WhatComposeRefusesIsAFinding) {
  LintInput input = input_of({{"compose.yaml", "services: {}\n"}});
  EXPECT_FALSE(rules(lint(input)).contains("compose-refuses"));
  input.refusal = "it says no";
  EXPECT_EQ(lint(input).front().message, "it says no");
}

TEST(LintRules, AnEnvFileWithAPasswordIsForItsOwnerAlone) {
  const auto readable = [](const std::string& text, unsigned mode) {
    LintInput input = input_of({{".env", text}});
    input.facts = [mode](const std::string&) { return FileFacts{.mode = mode, .user = 1000}; };
    return rules(lint(input)).contains("env-readable");
  };
  EXPECT_TRUE(readable("A_PASSWORD=x1\n", 0640));
  EXPECT_FALSE(readable("A_PASSWORD=x1\n", 0600));
  EXPECT_FALSE(readable("A=x1\n", 0644));
}

TEST(LintRules, ASecretIsReadableByWhomTheContainerRunsAs) {
  const auto wrong = [](const std::string& user, std::optional<FileFacts> facts) {
    LintInput input = input_of({{"compose.yaml", "services: {s: {image: 'postgres:16.1', secrets: [p]" + user +
                                                     "}}\nsecrets: {p: {file: /p}}\n"}});
    input.facts = [facts](const std::string&) { return facts; };
    return rules(lint(input)).contains("secret-unreadable");
  };
  EXPECT_TRUE(wrong("", FileFacts{.mode = 0600, .user = 0}));  // the image's own user, 999
  EXPECT_TRUE(wrong(", user: '70:70'", FileFacts{.mode = 0600, .user = 999}));
  EXPECT_TRUE(wrong("", std::nullopt));
  EXPECT_FALSE(wrong("", FileFacts{.mode = 0444, .user = 0}));
  EXPECT_FALSE(wrong("", FileFacts{.mode = 0400, .user = 999}));
  EXPECT_FALSE(wrong(", user: root", FileFacts{.mode = 0600, .user = 0}));
}

TEST(LintRules, PrometheusCannotReachTheHostsLoopbackFromABridge) {
  const auto found = [](const std::string& network) {
    return rules(findings({{"compose.yaml", "services: {p: {image: 'prom/prometheus:v3.5.0'" + network + "}}\n"},
                           {"prometheus.yml",
                            "scrape_configs:\n  - static_configs:\n      - targets: ['127.0.0.1:9000']\n"}}))
        .contains("prometheus-unreachable");
  };
  EXPECT_TRUE(found(""));
  EXPECT_FALSE(found(", network_mode: host"));
}

TEST(LintRules, AMountedScriptIsFound) {
  const auto found = [](const std::string& target) {
    return rules(findings({{"compose.yaml", "services: {db: {image: x, volumes: ['./s:" + target + "']}}\n"},
                           {"a.sh", "docker compose exec db psql -f /schema/init.sql\n"}}))
        .contains("script-not-mounted");
  };
  EXPECT_FALSE(found("/schema"));
  EXPECT_TRUE(found("/other"));
}

// Whatever stands where, a rule finds something or nothing; it never throws.
TEST(LintRules, OddValuesThrowNothing) {
  int linted = 0;
  for (const std::string odd :
       {"null", "1", "text", "[1, [2], {a: b}]", "{a: {b: [c]}, source: 1, target: [2], host_ip: 3}", "true", "[null]"})
    for (const std::string key :
         {"image", "environment", "ports", "volumes", "secrets", "depends_on", "networks", "healthcheck", "deploy",
          "logging", "command", "entrypoint", "user", "restart", "shm_size", "stop_grace_period", "network_mode"})
      for (const std::string image : {"qdrant/qdrant", "postgres", "redis", "prom/prometheus"}) {
        const std::string body = key == "image" ? "" : "image: " + image + ", ";
        EXPECT_NO_THROW((void)findings(
            {{"compose.yaml", service(body + key + ": " + odd)}, {"a.sh", "docker compose exec x psql -f /a\n"}}))
            << key << ": " << odd;
        ++linted;
      }
  for (const std::string section : {"volumes", "networks", "secrets", "configs"})
    EXPECT_NO_THROW((void)findings({{"compose.yaml", "services: {s: {networks: [a], secrets: [a]}}\n" + section +
                                                         ": {a: [1], b: 2, c: null}\n"}}));
  EXPECT_EQ(linted, 7 * 17 * 4);
}

TEST(LintRules, FindingsAreBounded) {
  std::string script;
  for (std::size_t i = 0; i <= kMaxLintFindings; ++i) script += "serve &\n";
  EXPECT_EQ(findings({{"a.sh", script.substr(8)}}).size(), kMaxLintFindings);
  EXPECT_EQ(findings({{"a.sh", script}}).size(), kMaxLintFindings);
}

}  // namespace
}  // namespace pandora
