// What the rules of `lint` share. Not for use outside of stack.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compose/lint.h"

namespace pandora {

// Takes what a rule finds, and adds to it what the table says.
class Findings {
 public:
  void of(const LintRule& rule) { rule_ = &rule; }
  void add(const Place& place, std::string path, std::string message);
  void add(const ComposeModel& model, const std::string& pointer, std::string message);
  std::vector<LintFinding> sorted();

 private:
  const LintRule* rule_ = nullptr;
  std::vector<LintFinding> all_;
};

std::span<const LintRule> exposure_rules();   // ports, passwords, secrets, keys
std::span<const LintRule> health_rules();     // checks, restarts, order
std::span<const LintRule> container_rules();  // images, limits, volumes, what Compose itself refuses
std::span<const LintRule> script_rules();     // shell
std::span<const LintRule> client_rules();     // SQL, Python, JSON

// Calls it for each service of the merged model with its name and JSON pointer.
using ServiceVisitor = std::function<void(const std::string& name, const Json& service, const std::string& pointer)>;
void each_service(const LintInput& input, const ServiceVisitor& visit);

// One line of a text, comments and continuation lines resolved; where it begins.
struct TextLine {
  std::string text;
  Place place;
};
void each_line(const LintInput& input, FileKind kind, const std::function<void(const TextLine& line)>& visit);

// An overlay that is read alone lacks what its base has: rules about what is missing pass it over.
bool is_whole(const Json& service);

// The words of a command or health check, in one string.
std::string all_words(const Json& value);
// Does the word stand there by itself, not as a part of another?
bool has_word(std::string_view text, std::string_view word);
bool mentions(std::string_view text, std::string_view part);
std::string lower(std::string_view text);

// What is known of an image by its name.
struct KnownImage {
  std::string_view repository;          // "postgres", "qdrant/qdrant"
  bool is_store;                        // its data must survive
  unsigned user;                        // whom it runs as when nothing else is said
  std::vector<std::string_view> lacks;  // programs that health checks like to use
};
const KnownImage* known_image(const Json& service);
// "postgres" of "docker.io/library/postgres:16.14@sha256:…".
std::string image_repository(std::string_view image);
std::string image_tag(std::string_view image);

}  // namespace pandora
