// Every command that calls one operation: its words, arguments and questions. The others (chat, import, export, doctor,
// config, completion) are in program.cpp.
#pragma once
#include <functional>
#include <string>

#include "service/service.h"
#include "wire/json_reader.h"

namespace CLI {
class App;
}

namespace pandora {

// What a parsed command line asks for.
struct Invocation {
  std::string operation;
  Json arguments = Json::object();
  std::string question;                              // asked before it is done; empty: nothing is destroyed
  bool yes = false;                                  // --yes: not asked
  bool catch_up = false;                             // wait first for what was just said to be findable
  std::function<Status(Json& arguments)> read_more;  // from a file that is named: read once everything is parsed
  bool takes_session = false;                        // "session" of the arguments may also be given as --session
};

// Adds the commands; parsing one fills `invocation`, which outlives `app`.
void add_commands(CLI::App& app, Invocation& invocation);

}  // namespace pandora
