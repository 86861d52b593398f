// Brings services into the long form, whichever of its short ones they were written in. The places go with the values.
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "compose/compose_model.h"

namespace pandora {
namespace {

using Places = std::map<std::string, Place>;

void move_place(Places& places, const std::string& from, const std::string& to) {
  if (const auto found = places.find(from); found != places.end()) places[to] = found->second;
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "" : value.dump();
}

// ["A=b", "C"] or {A: 1}: a map of text; null for what the host's environment gives.
void to_map_of_text(Json& value, const std::string& pointer, Places& places) {
  Json map = Json::object();
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string line = text_of(value[i]);
      const auto equals = line.find('=');
      const std::string name = line.substr(0, equals);
      map[name] = equals == std::string::npos ? Json() : Json(line.substr(equals + 1));
      move_place(places, pointer_to(pointer, i), pointer_to(pointer, name));
    }
  } else if (value.is_object()) {
    for (const auto& [name, item] : value.items()) map[name] = item.is_null() ? Json() : Json(text_of(item));
  }
  value = std::move(map);
}

// ["a", "b"] or {a: {…}}: a map.
void to_map(Json& value, const std::string& pointer, Places& places) {
  if (value.is_object()) return;
  Json map = Json::object();
  if (value.is_array())
    for (std::size_t i = 0; i < value.size(); ++i) {
      map[text_of(value[i])] = nullptr;
      move_place(places, pointer_to(pointer, i), pointer_to(pointer, text_of(value[i])));
    }
  value = std::move(map);
}

// "[ip:][published:]target[/protocol]", the address possibly in brackets.
Json long_port(const Json& value) {
  if (value.is_object()) {
    Json port = value;
    if (port.contains("published")) port["published"] = text_of(port["published"]);
    if (port.contains("target")) port["target"] = text_of(port["target"]);
    return port;
  }
  std::string text = text_of(value);
  Json port = {{"protocol", "tcp"}};
  if (const auto slash = text.rfind('/'); slash != std::string::npos) {
    port["protocol"] = text.substr(slash + 1);
    text.resize(slash);
  }
  const auto last = text.rfind(':');
  port["target"] = last == std::string::npos ? text : text.substr(last + 1);
  if (last == std::string::npos) return port;
  text.resize(last);
  const auto before = text.ends_with(']') ? std::string::npos : text.rfind(':');
  std::string address = before == std::string::npos ? "" : text.substr(0, before);
  port["published"] = before == std::string::npos ? text : text.substr(before + 1);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (!address.empty()) port["host_ip"] = address;
  return port;
}

// "[source:]target[:options]"
Json long_volume(const Json& value) {
  if (value.is_object()) return value;
  const std::string text = text_of(value);
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ':')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  if (parts.size() == 1) return {{"type", "volume"}, {"target", text}};
  const bool path = parts[0].starts_with('/') || parts[0].starts_with('.') || parts[0].starts_with('~');
  const bool read_only = parts.size() > 2 && (parts[2] == "ro" || parts[2].starts_with("ro,"));
  return {{"type", path ? "bind" : "volume"}, {"source", parts[0]}, {"target", parts[1]}, {"read_only", read_only}};
}

Json long_secret(const Json& value) {
  Json secret = value.is_object() ? value : Json{{"source", text_of(value)}};
  const std::string source = text_in(secret, "source");
  std::string target =
      secret.contains("target") && secret["target"].is_string() ? secret["target"].get<std::string>() : source;
  if (!target.starts_with('/')) target = "/run/secrets/" + target;
  secret["target"] = target;
  return secret;
}

void normalise_service(Json& service, const std::string& pointer, Places& places) {
  for (const auto* name : {"environment", "labels"})
    if (service.contains(name)) to_map_of_text(service[name], pointer_to(pointer, name), places);
  for (const auto* name : {"depends_on", "networks"})
    if (service.contains(name)) to_map(service[name], pointer_to(pointer, name), places);
  const std::pair<const char*, Json (*)(const Json&)> kLists[] = {
      {"ports", long_port}, {"volumes", long_volume}, {"secrets", long_secret}};
  for (const auto& [name, long_form] : kLists)
    if (service.contains(name) && service[name].is_array())
      for (auto& item : service[name]) item = long_form(item);
  if (service.contains("tmpfs") && service["tmpfs"].is_string()) service["tmpfs"] = Json::array({service["tmpfs"]});
  if (service.contains("healthcheck") && service["healthcheck"].is_object()) {
    Json& test = service["healthcheck"]["test"];
    if (test.is_string()) test = Json::array({"CMD-SHELL", test});
    if (test.is_null()) service["healthcheck"].erase("test");
  }
}

}  // namespace

void normalise_services(Json& value, Places& places) {
  if (!value.is_object() || !value.contains("services") || !value["services"].is_object()) return;
  for (auto& [name, service] : value["services"].items())
    if (service.is_object()) normalise_service(service, pointer_to("/services", name), places);
}

}  // namespace pandora
