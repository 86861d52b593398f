// The rows of `pandora doctor` about an instance of the stack: of the present folder, when `pandora init` made it.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands/doctor.h"
#include "cli/stack/stack_session.h"

namespace pandora {

// Adds nothing where there is no instance: without containers nobody needs Docker.
void examine_stack(const std::string& folder, std::vector<CheckResult>& results);

// Of the rows about what the Engine has: containers, images, volumes, networks, passwords.
void examine_containers(StackSession& session, const StackSight& sight, std::vector<CheckResult>& results);
void examine_volumes(StackSession& session, const StackSight& sight, std::vector<CheckResult>& results);
void examine_passwords(StackSession& session, const StackSight& sight, std::vector<CheckResult>& results);

// A failure that a command makes good.
CheckResult broken(std::string check, std::string detail, std::string remedy, std::string command,
                   ErrorCode code = ErrorCode::kConflict);
// With sudo, when this user is not root.
std::string as_root(std::string_view command);
// A word for a shell, quoted when it must be.
std::string shell_word(std::string_view word);
// "docker compose up -d --force-recreate postgres", after the files are as `pandora init` writes them.
std::string made_anew(const StackSight& sight, const std::string& service);
std::string size_of(double bytes);  // "1.5 GB"

}  // namespace pandora
