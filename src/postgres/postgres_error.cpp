#include "postgres/postgres_error.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

struct Condition {
  std::string_view state;  // the whole of it, or its class of two letters
  ErrorCode code;
  std::string_view remedy;
};

constexpr std::string_view kMigrate = "run `pandora db migrate`, then `pandora db verify`";
constexpr std::string_view kAgain = "nothing acknowledged is lost; it goes on by itself once the server answers";
constexpr std::string_view kPooler =
    "let the pooler keep a session for each client (pgbouncer: pool_mode=session), or name the server itself";

// The first that fits: whole states stand before their classes.
constexpr std::array kConditions = {
    Condition{"28P01", ErrorCode::kUnauthenticated, "set POSTGRES_PASSWORD, POSTGRES_PASSWORD_FILE or DATABASE_URL"},
    Condition{"28000", ErrorCode::kUnauthenticated,
              "let the server's pg_hba.conf allow this user from this machine, or set another POSTGRES_USER"},
    Condition{"3D000", ErrorCode::kNotFound, "create it (`createdb`), or set another POSTGRES_DB"},
    Condition{"53300", ErrorCode::kResourceExhausted,
              "raise the server's max_connections, or lower POSTGRES_CONNECTIONS of its clients"},
    Condition{"53100", ErrorCode::kStorageFull, "make room on the server's disk; nothing acknowledged is lost"},
    Condition{"53", ErrorCode::kUnavailable, "the server has too little memory or other resources: see its log"},
    Condition{"57014", ErrorCode::kDeadlineExceeded, ""},
    Condition{"57P03", ErrorCode::kUnavailable, kAgain},
    Condition{"57", ErrorCode::kUnavailable, kAgain},
    Condition{"08", ErrorCode::kUnavailable, kAgain},
    Condition{"58030", ErrorCode::kUnavailable, "the server's disk fails: see its log"},
    Condition{"25006", ErrorCode::kPermissionDenied,
              "it is a standby, or set to read only: name the primary, or unset default_transaction_read_only"},
    Condition{"42501", ErrorCode::kPermissionDenied, "make this user the owner of the database, or grant it the right"},
    Condition{"42P05", ErrorCode::kUnavailable, kPooler},
    Condition{"26000", ErrorCode::kUnavailable, kPooler},
    Condition{"42P01", ErrorCode::kIncompatible, kMigrate},
    Condition{"42703", ErrorCode::kIncompatible, kMigrate},
    Condition{"42883", ErrorCode::kIncompatible, kMigrate},
    Condition{"3F000", ErrorCode::kIncompatible, kMigrate},
    Condition{"42", ErrorCode::kInternal, ""},
    Condition{"23505", ErrorCode::kConflict, ""},
    Condition{"23", ErrorCode::kInvalidArgument, ""},
    Condition{"2200H", ErrorCode::kResourceExhausted, ""},
    Condition{"22", ErrorCode::kInvalidArgument, ""},
    Condition{"54", ErrorCode::kTooLarge, ""},
    Condition{"40", ErrorCode::kUnavailable, "try again"},
    Condition{"55", ErrorCode::kUnavailable, "try again in a moment"},
    Condition{"XX001", ErrorCode::kDataCorrupt, "restore the server's data from a backup"},
    Condition{"XX002", ErrorCode::kDataCorrupt, "rebuild the index that it names (REINDEX)"},
};

}  // namespace

Error postgres_error(std::string_view state, std::string_view message, std::string_view place) {
  const std::string said = collapse_space(one_line(message));
  const auto found = std::ranges::find_if(
      kConditions, [&](const Condition& condition) { return !state.empty() && state.starts_with(condition.state); });
  // Without a state it is the connection that failed.
  const bool known = found != kConditions.end();
  const ErrorCode code = known ? found->code : ErrorCode::kUnavailable;
  const std::string_view remedy = known ? found->remedy : kAgain;
  return {code, fmt::format("PostgreSQL at {}: {}{}", place, said, state.empty() ? "" : fmt::format(" ({})", state)),
          std::string(remedy)};
}

Error connect_error(std::string_view text, std::string_view place) {
  // "… FATAL:  28P01: password authentication failed …\nLOCATION: …"; the word before is in the server's language.
  constexpr std::string_view kSeverityEnds = ":  ";
  constexpr std::size_t kState = 5;
  for (std::size_t at = 0; (at = text.find(kSeverityEnds, at)) != std::string_view::npos;) {
    at += kSeverityEnds.size();
    const std::string_view state = text.substr(at, kState);
    const auto of_state = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
    if (state.size() < kState || !std::ranges::all_of(state, of_state) || text.substr(at + kState, 2) != ": ") continue;
    const std::string_view said = text.substr(at + kState + 2);
    return postgres_error(state, said.substr(0, said.find('\n')), place);
  }
  const bool tls = text.find("SSL") != std::string_view::npos || text.find("certificate") != std::string_view::npos;
  Error error = postgres_error("", text, place);
  error.remedy = tls ? "see POSTGRES_SSLMODE and POSTGRES_SSLROOTCERT, and whether the server's certificate is valid"
                     : "is it running there? `pandora doctor` looks; nothing acknowledged is lost meanwhile";
  return error;
}

bool worth_repeating(std::string_view state) { return state == "40P01" || state == "40001"; }

}  // namespace pandora
