#include "stack/one_off.h"

#include <fmt/format.h>

#include "base/text.h"
#include "compose/compose_model.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxAnswer = 1u << 20;
constexpr std::size_t kMaxComplaint = 300;
// Apart from the caller's: it is removed also when the caller has no time left.
constexpr Duration kRemoval = std::chrono::seconds(30);

Json mounts_of(const std::vector<VolumeMount>& mounts) {
  Json list = Json::array();
  for (const auto& mount : mounts)
    list.push_back({{"Type", "volume"},
                    {"Source", mount.volume},
                    {"Target", "/volumes/" + mount.key},
                    {"ReadOnly", !mount.writable},
                    {"VolumeOptions", {{"NoCopy", true}}}});
  return list;
}

Json container_for(const OneOff& one_off) {
  Json command = {"-c", one_off.script, "pandora"};
  for (const auto& argument : one_off.arguments) command.push_back(argument);
  return {{"Image", one_off.image},
          {"Entrypoint", {"sh"}},
          {"Cmd", command},
          {"User", "0:0"},
          {"WorkingDir", "/"},
          {"NetworkDisabled", true},
          {"Healthcheck", {{"Test", {"NONE"}}}},
          {"Labels", {{"pandora.one_off", "true"}}},
          {"HostConfig",
           {{"NetworkMode", "none"},
            {"ReadonlyRootfs", true},
            {"CapDrop", {"ALL"}},
            {"CapAdd", {"CHOWN", "DAC_OVERRIDE", "FOWNER"}},
            {"LogConfig", {{"Type", "json-file"}}},
            {"Mounts", mounts_of(one_off.mounts)}}}};
}

// Removes it, whatever has happened. Volumes that the image itself asks for go with it; named ones never do.
class Removal {
 public:
  Removal(DockerEngine& engine, std::string id) : engine_(engine), id_(std::move(id)) {}
  ~Removal() {
    (void)engine_.call("DELETE", fmt::format("/containers/{}?force=1&v=1", id_), nullptr,
                       Deadline::after(clock_, kRemoval));
  }
  Removal(const Removal&) = delete;
  Removal& operator=(const Removal&) = delete;

 private:
  const SystemClock clock_;
  DockerEngine& engine_;
  const std::string id_;
};

Error complaint(int code, std::string_view said) {
  const auto text = one_line(ellipsize(sanitize_utf8(trim(said)), kMaxComplaint));
  return {ErrorCode::kUnavailable, fmt::format("it ended with code {}{}{}", code, text.empty() ? "" : ": ", text), ""};
}

Result<int> number_of(const std::string& body, const char* name) {
  PANDORA_TRY(answer, parse_json(body, kMaxAnswer, "the Docker Engine's answer"));
  const Json& number = member(answer, name);
  if (!number.is_number_integer())
    return fail(ErrorCode::kUnavailable, fmt::format("the Docker Engine's answer has no {}", name));
  return number.get<int>();
}

Result<std::string> made_id(const std::string& body) {
  PANDORA_TRY(answer, parse_json(body, kMaxAnswer, "the Docker Engine's answer"));
  return text_in(answer, "Id");
}

}  // namespace

Result<std::string> run_one_off(DockerEngine& engine, const OneOff& one_off, const Deadline& deadline) {
  for (const auto& mount : one_off.mounts)  // a name that is mistyped would make a volume
    PANDORA_CHECK(engine.call("GET", "/volumes/" + mount.volume, nullptr, deadline));
  PANDORA_TRY(made, engine.call("POST", "/containers/create", container_for(one_off), deadline));
  PANDORA_TRY(id, made_id(made));
  const Removal removal(engine, id);
  PANDORA_CHECK(engine.call("POST", fmt::format("/containers/{}/start", id), nullptr, deadline));
  PANDORA_TRY(ended, engine.call("POST", fmt::format("/containers/{}/wait", id), nullptr, deadline));
  PANDORA_TRY(code, number_of(ended, "StatusCode"));
  PANDORA_TRY(log, engine.call("GET", fmt::format("/containers/{}/logs?stdout=1&stderr=1", id), nullptr, deadline));
  if (code != 0) return fail(complaint(code, stream_of_log(log, 2)));
  return stream_of_log(log, 1);
}

Result<std::string> run_inside(DockerEngine& engine, const std::string& container,
                               const std::vector<std::string>& command, const Deadline& deadline) {
  const Json wanted = {{"AttachStdout", true}, {"AttachStderr", true}, {"Cmd", command}};
  PANDORA_TRY(made, engine.call("POST", fmt::format("/containers/{}/exec", container), wanted, deadline));
  PANDORA_TRY(id, made_id(made));
  const Json attached = {{"Detach", false}, {"Tty", false}};
  PANDORA_TRY(log, engine.call("POST", fmt::format("/exec/{}/start", id), attached, deadline));
  PANDORA_TRY(state, engine.call("GET", fmt::format("/exec/{}/json", id), nullptr, deadline));
  PANDORA_TRY(code, number_of(state, "ExitCode"));
  if (code != 0) return fail(complaint(code, stream_of_log(log, 2)));
  return stream_of_log(log, 1);
}

std::vector<std::string> split_at_zeros(std::string_view text) {
  std::vector<std::string> parts;
  for (auto end = text.find('\0'); end != std::string_view::npos; end = text.find('\0')) {
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return parts;
}

}  // namespace pandora
