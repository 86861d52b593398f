#include "models/model_settings.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "net/url.h"

namespace pandora {
namespace {

constexpr std::array<std::string_view, 5> kRoleNames = {"reflex", "nerves", "mind", "voice", "eyes"};
static_assert(static_cast<std::size_t>(ModelRole::kEyes) == kRoleNames.size() - 1);

}  // namespace

Result<std::vector<ModelRole>> roles_of_server(const Config& config, const std::string& server) {
  const std::string key = fmt::format("model_servers.{}.roles", server);
  const std::string_view list = config.string(key);
  std::vector<ModelRole> roles;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    const std::string_view name = trim(list.substr(at, end - at));
    at = end + 1;
    const auto found = std::ranges::find(kRoleNames, name);
    if (found == kRoleNames.end())
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: there is no role \"{}\"", key, one_line(ellipsize(name, 40))),
                  "roles are reflex, nerves, mind, voice and eyes");
    roles.push_back(static_cast<ModelRole>(found - kRoleNames.begin()));
  }
  return roles;
}

std::string url_of_server(const Config& config, const std::string& server) {
  return fmt::format("http://127.0.0.1:{}/v1", config.integer(fmt::format("model_servers.{}.port", server)));
}

Result<std::string> api_base(const std::string& url) {
  PANDORA_TRY(parsed, parse_url(url));
  std::string path = parsed.target.substr(0, parsed.target.find('?'));
  constexpr std::string_view kCall = "/chat/completions";
  while (path.ends_with('/')) path.pop_back();
  if (path.ends_with(kCall)) path.resize(path.size() - kCall.size());
  if (path.empty()) path = "/v1";
  return fmt::format("{}://{}{}", parsed.scheme, parsed.authority(), path);
}

bool has_model(const Config& config) {
  const auto serves = [&](const std::string& server) {
    return !config.string(fmt::format("model_servers.{}.roles", server)).empty();
  };
  return !config.string("model.url").empty() || std::ranges::any_of(config.tables("model_servers"), serves) ||
         std::ranges::any_of(kRoleNames, [&](std::string_view role) {
           return !config.string(fmt::format("roles.{}.url", role)).empty();
         });
}

Result<ModelSettings> model_settings(const Config& config) {
  const auto server = [](const std::string& key, const std::string& url, std::string model,
                         std::string api_key) -> Result<ModelServerSettings> {
    auto base = api_base(url);
    if (!base) return fail(std::move(base).error().with_context(key));
    return ModelServerSettings{*base, std::move(model), std::move(api_key), false};
  };
  ModelSettings settings;
  settings.timeouts.connect = std::chrono::milliseconds(config.integer("model.connect_ms"));
  settings.timeouts.first_byte = std::chrono::milliseconds(config.integer("model.first_token_ms"));
  settings.timeouts.idle = std::chrono::milliseconds(config.integer("model.idle_ms"));
  settings.attempts = static_cast<int>(config.integer("model.attempts"));
  const std::string &main = config.string("model.url"), &fallback = config.string("model.fallback_url");
  for (std::size_t i = 0; i < kRoleNames.size(); ++i) {
    RoleSettings& role = settings.roles[i];
    const auto own = [&](std::string_view name) -> const std::string& {
      return config.string(fmt::format("roles.{}.{}", kRoleNames[i], name));
    };
    role.temperature = config.number(fmt::format("roles.{}.temperature", kRoleNames[i]));
    role.max_tokens = static_cast<int>(config.integer(fmt::format("roles.{}.max_tokens", kRoleNames[i])));
    const auto add = [&](const std::string& key, const std::string& url, const std::string& model,
                         const std::string& api_key, bool sleeps = false) -> Status {
      if (url.empty()) return {};
      PANDORA_TRY(one, server(key, url, model, api_key));
      one.sleeps = sleeps;
      if (std::ranges::find(role.servers, one) == role.servers.end()) role.servers.push_back(std::move(one));
      return {};
    };
    // A key goes to the server it was given for and to no other.
    if (const std::string& url = own("url"); !url.empty())
      PANDORA_CHECK(add(fmt::format("roles.{}.url", kRoleNames[i]), url, own("model"), own("api_key")));
    else
      for (const auto& name : config.tables("model_servers")) {
        PANDORA_TRY(served, roles_of_server(config, name));
        if (std::ranges::find(served, static_cast<ModelRole>(i)) == served.end()) continue;
        const std::string& listed = config.string(fmt::format("model_servers.{}.model", name));
        PANDORA_CHECK(add(fmt::format("model_servers.{}", name), url_of_server(config, name),
                          own("model").empty() ? listed : own("model"), own("api_key"),
                          config.boolean(fmt::format("model_servers.{}.cold", name))));
      }
    const bool has_server = !role.servers.empty();
    PANDORA_CHECK(add("model.url", main,
                      !has_server && !own("model").empty() ? own("model") : config.string("model.name"),
                      !has_server && !own("api_key").empty() ? own("api_key") : config.string("model.api_key")));
    PANDORA_CHECK(add("model.fallback_url", fallback, config.string("model.fallback_name"),
                      config.string("model.fallback_api_key")));
  }
  return settings;
}

}  // namespace pandora
