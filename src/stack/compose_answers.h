// What Compose says of an instance's files: the merged model, and the hash that each container is made from.
//
// Each question is a program of its own, of half a second and more on a busy machine. So the answers are kept, beside
// what they depend on: Compose itself, the files, `.env`, and the variables that they name. Where they may depend on
// more than that (`env_file`, `extends`, `include`), nothing is kept.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "compose/compose_model.h"
#include "compose/compose_program.h"
#include "stack/stack_folder.h"

namespace pandora {

inline constexpr std::size_t kMaxComposeAnswers = std::size_t{16} << 20;

struct ComposeAnswers {
  ComposeProgram program;
  Json model;
  std::map<std::string, std::string> hashes;  // by service
};
struct ComposeQuestion {
  ComposeFiles files;               // with the profiles that are meant
  std::vector<SourceFile> sources;  // what is in them
  std::string env;                  // what is in `.env`
  std::string programs;             // Compose's, each with its size and time: another text is another Compose
  Environment environment;
};
// All that the answers depend on, as one hash; none: they may depend on more. Pure, but for the environment.
std::optional<std::string> fingerprint_of(const ComposeQuestion& question);

// From `kept`, a file, when it was made of the same; else Compose is asked, all at once, and `kept` is written again.
// One that cannot be written, or is damaged, costs its time alone.
Result<ComposeAnswers> ask_compose(const ComposeQuestion& question, const std::string& kept, FileSystem& files,
                                   ProcessRunner& runner, const Deadline& deadline);

}  // namespace pandora
