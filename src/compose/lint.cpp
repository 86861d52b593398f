#include "compose/lint.h"

#include <algorithm>
#include <cctype>
#include <tuple>

#include <fmt/format.h>

#include "base/text.h"
#include "compose/lint_rules.h"

namespace pandora {
namespace {

bool ends_with_any(std::string_view text, std::initializer_list<std::string_view> ends) {
  return std::ranges::any_of(ends, [&](std::string_view end) { return text.ends_with(end); });
}

// A comment of a shell begins at a '#' that begins a word; not within quotes.
std::string without_comment(std::string_view line, FileKind kind) {
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quote != '\0') {
      if (line[i] == quote) quote = '\0';
    } else if (line[i] == '\'' || line[i] == '"') {
      quote = line[i];
    } else if (kind == FileKind::kSql ? line.substr(i).starts_with("--")
                                      : line[i] == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) {
      return std::string(trim(line.substr(0, i)));
    }
  }
  return std::string(trim(line));
}

bool ends_statement(std::string_view line, FileKind kind) {
  if (kind == FileKind::kShell) return !line.ends_with('\\');
  return kind != FileKind::kSql || line.ends_with(';');
}

void lines_of(const LintText& text, const std::function<void(const TextLine& line)>& visit) {
  TextLine whole;
  std::string_view rest = text.file.text;
  for (int number = 1; !rest.empty(); ++number) {
    const auto end = rest.find('\n');
    const std::string line = without_comment(rest.substr(0, end), text.kind);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.empty()) continue;
    if (whole.text.empty()) whole.place = {text.file.path, number, 1};
    whole.text += (whole.text.empty() ? "" : " ") + line;
    if (!ends_statement(line, text.kind)) {
      if (whole.text.ends_with('\\')) whole.text.pop_back();
      continue;
    }
    visit(whole);
    whole.text.clear();
  }
  if (!whole.text.empty()) visit(whole);
}

}  // namespace

std::string_view to_string(Severity severity) { return severity == Severity::kError ? "error" : "warning"; }

std::optional<FileKind> file_kind(const SourceFile& file) {
  const std::string_view whole = file.path;
  const auto slash = whole.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? whole : whole.substr(slash + 1);
  if (name == ".env" || name.starts_with(".env.") || name.ends_with(".env")) return FileKind::kEnvironment;
  if (ends_with_any(name, {".sh", ".bash"}) || file.text.starts_with("#!/bin/") ||
      file.text.starts_with("#!/usr/bin/env bash"))
    return FileKind::kShell;
  if (name.ends_with(".sql")) return FileKind::kSql;
  if (name.ends_with(".py")) return FileKind::kPython;
  if (name.ends_with(".json")) return FileKind::kJson;
  if (!ends_with_any(name, {".yaml", ".yml"})) return std::nullopt;
  return mentions(file.text, "scrape_configs:") ? FileKind::kPrometheus : FileKind::kCompose;
}

void Findings::add(const Place& place, std::string path, std::string message) {
  if (all_.size() >= kMaxLintFindings) return;
  all_.push_back({std::string(rule_->id), rule_->severity, place, std::move(path), std::move(message),
                  std::string(rule_->why), std::string(rule_->fix)});
}

void Findings::add(const ComposeModel& model, const std::string& pointer, std::string message) {
  add(model.place(pointer), pointer, std::move(message));
}

std::vector<LintFinding> Findings::sorted() {
  std::ranges::stable_sort(all_, {}, [](const LintFinding& finding) {
    return std::tuple(finding.place.file, finding.place.line, finding.place.column, finding.rule, finding.path);
  });
  return std::move(all_);
}

std::vector<LintRule> lint_rules() {
  std::vector<LintRule> rules;
  for (const auto table : {exposure_rules(), health_rules(), container_rules(), script_rules(), client_rules()})
    rules.insert(rules.end(), table.begin(), table.end());
  return rules;
}

std::vector<LintFinding> lint(const LintInput& input) {
  const auto rules = lint_rules();
  Findings findings;
  for (const auto& rule : rules) {
    findings.of(rule);
    rule.find(input, findings);
  }
  return findings.sorted();
}

void each_service(const LintInput& input, const ServiceVisitor& visit) {
  if (!input.compose) return;
  for (const auto& [name, service] : member(input.compose->value, "services").items())
    if (service.is_object()) visit(name, service, pointer_to("/services", name));
}

void each_line(const LintInput& input, FileKind kind, const std::function<void(const TextLine& line)>& visit) {
  for (const auto& text : input.texts)
    if (text.kind == kind) lines_of(text, visit);
}

bool is_whole(const Json& service) {
  return !member(service, "image").is_null() || !member(service, "build").is_null();
}

std::string all_words(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string words;
  if (value.is_array())
    for (const auto& word : value)
      if (word.is_string()) words += (words.empty() ? "" : " ") + word.get<std::string>();
  return words;
}

bool has_word(std::string_view text, std::string_view word) {
  const auto part_of_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; };
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const auto end = at + word.size();
    if ((at == 0 || !part_of_word(text[at - 1])) && (end == text.size() || !part_of_word(text[end]))) return true;
  }
  return false;
}

bool mentions(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string lower(std::string_view text) {
  std::string small(text);
  for (char& c : small) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return small;
}

std::string image_repository(std::string_view image) {
  image = image.substr(0, image.find('@'));
  const auto slash = image.rfind('/');
  if (const auto colon = image.rfind(':');
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash))
    image = image.substr(0, colon);
  for (const std::string_view registry : {"docker.io/", "registry-1.docker.io/", "ghcr.io/", "quay.io/", "library/"})
    if (image.starts_with(registry)) image.remove_prefix(registry.size());
  return std::string(image);
}

std::string image_tag(std::string_view image) {
  image = image.substr(0, image.find('@'));
  const auto slash = image.rfind('/'), colon = image.rfind(':');
  const bool tagged = colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  return tagged ? std::string(image.substr(colon + 1)) : "";
}

const KnownImage* known_image(const Json& service) {
  static const std::vector<KnownImage> kKnown = {
      {"qdrant/qdrant", true, 0, {"curl", "wget", "nc", "python", "python3"}},
      {"postgres", true, 999, {"curl", "wget", "nc", "python", "python3"}},
      {"redis", true, 999, {"curl", "wget", "nc", "python", "python3"}},
      {"minio/minio", true, 0, {"wget", "nc", "python", "python3"}},
      {"versity/versitygw", true, 0, {"curl", "bash", "python", "python3"}},
      {"prom/prometheus", true, 65534, {"curl", "bash", "python", "python3"}},
      {"grafana/grafana", true, 472, {"python", "python3"}},
  };
  const std::string repository = image_repository(text_in(service, "image"));
  const auto found = std::ranges::find(kKnown, repository, &KnownImage::repository);
  return found == kKnown.end() ? nullptr : &*found;
}

}  // namespace pandora
