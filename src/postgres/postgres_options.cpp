#include "postgres/postgres_options.h"

#include <memory>

#include <fmt/format.h>
#include <libpq-fe.h>

namespace pandora {
namespace {

Status read_url(const std::string& url, std::map<std::string, std::string>& parameters) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(url.c_str(), &message),
                                                                            &PQconninfoFree);
  if (message) PQfreemem(message);  // it quotes the URL, and so perhaps the password
  if (!parsed)
    return fail(ErrorCode::kInvalidArgument, "DATABASE_URL is no URL of a PostgreSQL",
                "write it as postgresql://user:password@host:5432/database; a password's @, :, / and % as %40, %3A, "
                "%2F and %25");
  for (const PQconninfoOption* option = parsed.get(); option->keyword; ++option)
    if (option->val) parameters[option->keyword] = option->val;
  return {};
}

}  // namespace

Result<std::map<std::string, std::string>> connection_parameters(const PostgresOptions& options) {
  std::map<std::string, std::string> parameters;
  if (!options.url.empty()) {
    PANDORA_CHECK(read_url(options.url, parameters));
    // What a URL leaves out libpq would take from PG* variables that nobody of ours names.
    parameters.try_emplace("host", "localhost");
    parameters.try_emplace("port", "5432");
    parameters.try_emplace("user", "pandora");
    parameters.try_emplace("dbname", parameters["user"]);
  } else {
    parameters = {{"host", options.host},
                  {"port", std::to_string(options.port)},
                  {"dbname", options.database},
                  {"user", options.user}};
    if (!options.password.empty()) parameters["password"] = options.password;
  }
  if (!options.tls_mode.empty()) parameters["sslmode"] = options.tls_mode;
  if (!options.tls_root.empty()) parameters["sslrootcert"] = options.tls_root;
  parameters["application_name"] = "pandora";
  parameters["client_encoding"] = "UTF8";
  // A server that is gone without a word is noticed within a minute, by both sides.
  parameters.try_emplace("keepalives_idle", "20");
  parameters.try_emplace("keepalives_interval", "10");
  parameters.try_emplace("keepalives_count", "3");
  parameters.try_emplace("tcp_user_timeout", "50000");
  return parameters;
}

std::string place_of(const std::map<std::string, std::string>& parameters) {
  const auto at = [&](const char* name) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string() : found->second;
  };
  return fmt::format("{}:{}/{} as {}", at("host"), at("port"), at("dbname"), at("user"));
}

}  // namespace pandora
