// Rules about shell scripts: backups, restores, and what destroys.
#include <fmt/format.h>

#include "base/text.h"
#include "compose/lint_rules.h"

namespace pandora {
namespace {

bool runs_docker(const std::string& line) {
  return mentions(line, "docker run") || mentions(line, "docker container run");
}
bool runs_compose(const std::string& line) {
  return mentions(line, "docker compose") || mentions(line, "docker-compose");
}
bool redirects(const std::string& line) {
  return mentions(line, " > ") || mentions(line, " | ") || mentions(line, " >");
}

// The named volumes of `docker run -v name:/path`.
std::vector<std::string> named_volumes(const std::string& line) {
  std::vector<std::string> names;
  for (const std::string_view flag : {" -v ", " --volume ", " --volume="})
    for (auto at = line.find(flag); at != std::string::npos; at = line.find(flag, at + 1)) {
      const auto begin = at + flag.size();
      const std::string mount = line.substr(begin, line.find_first_of(" \t", begin) - begin);
      const std::string source = mount.substr(0, mount.find(':'));
      if (source != mount && !source.empty() && source.find_first_of("/.$~\"'") == std::string::npos)
        names.push_back(source);
    }
  return names;
}

using LineRule = std::function<std::string(const std::string& line)>;  // what is wrong; empty: nothing

void each_shell_line(const LintInput& input, Findings& findings, const LineRule& rule) {
  each_line(input, FileKind::kShell, [&](const TextLine& line) {
    if (std::string wrong = rule(line.text); !wrong.empty())
      findings.add(line.place, std::string(ellipsize(line.text, 200)), std::move(wrong));
  });
}

void find_live_archives(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) {
    const bool archives =
        has_word(line, "tar") || has_word(line, "rsync") || has_word(line, "cp -r") || has_word(line, "cp -a");
    return runs_docker(line) && archives && !named_volumes(line).empty()
               ? "it copies the files of a store that may be running"
               : "";
  });
}

void find_fixed_volume_names(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) -> std::string {
    const auto names = named_volumes(line);
    return runs_docker(line) && !names.empty() ? fmt::format("the volume {} is named by hand", names.front()) : "";
  });
}

void find_exec_with_terminal(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) {
    const bool exec = runs_compose(line) && has_word(line, "exec") && !mentions(line, " -T");
    return exec && (redirects(line) || mentions(line, " < "))
               ? "its output goes to a file, and exec asks for a terminal"
               : "";
  });
}

void find_plain_dumps(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) {
    const bool custom =
        mentions(line, "-Fc") || mentions(line, "-Fd") || mentions(line, "--format=c") || mentions(line, "--format=d");
    return has_word(line, "pg_dump") && !custom ? "it dumps as plain SQL, and nothing checks that the dump is whole"
                                                : "";
  });
}

void find_backups_in_tree(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) {
    const bool inside = mentions(line, "$(pwd)/backup") || mentions(line, "$PWD/backup") ||
                        mentions(line, "> backup") || mentions(line, "./backup") || mentions(line, ">backup");
    return inside ? "it writes the backup into the project's folder" : "";
  });
}

void find_destruction(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) {
    const auto down = line.find(" down");
    const std::string options = down == std::string::npos ? "" : line.substr(down);
    const bool volumes = has_word(options, "-v") || has_word(options, "--volumes");
    const bool removes = mentions(line, "docker volume rm") || mentions(line, "docker volume prune");
    return (runs_compose(line) && volumes) || removes ? "it deletes volumes without a question" : "";
  });
}

void find_unmounted_scripts(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [&](const std::string& line) -> std::string {
    const auto at = line.find(" -f /");
    if (!has_word(line, "exec") || !has_word(line, "psql") || at == std::string::npos) return "";
    const std::string file = line.substr(at + 4, line.find_first_of(" \t", at + 4) - at - 4);
    const std::string folder = file.substr(0, file.rfind('/'));
    bool mounted = false;
    each_service(input, [&](const std::string&, const Json& service, const std::string&) {
      for (const auto& volume : member(service, "volumes"))
        mounted = mounted || text_in(volume, "target") == folder || text_in(volume, "target") == file;
    });
    return mounted ? "" : fmt::format("{} is not in the container", file);
  });
}

void find_errors_passed_over(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) {
    const bool runs_file = has_word(line, "psql") && (mentions(line, " -f ") || mentions(line, " < "));
    return runs_file && !mentions(line, "ON_ERROR_STOP") ? "a statement that fails does not stop it, and it ends with 0"
                                                         : "";
  });
}

void find_guessed_owners(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) {
    return has_word(line, "chown") && mentions(line, "1000:1000")
               ? "it gives the data to a user whom the images do not know"
               : "";
  });
}

void find_compose_waits(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) {
    return runs_compose(line) && has_word(line, "up") && has_word(line, "--wait") ? "it lets Compose wait" : "";
  });
}

void find_copied_databases(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) {
    const bool copies = has_word(line, "cp") || has_word(line, "rsync") || has_word(line, "scp");
    return copies && (mentions(line, ".db") || mentions(line, ".sqlite")) ? "it copies a SQLite file that may be in use"
                                                                          : "";
  });
}

void find_partial_restores(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) {
    const bool restores = has_word(line, "pg_restore") && !mentions(line, "-f /dev/null") && !has_word(line, "-l") &&
                          !has_word(line, "--list");
    return restores ? "it restores PostgreSQL alone" : "";
  });
}

void find_restores_without_priority(const LintInput& input, Findings& findings) {
  each_shell_line(input, findings, [](const std::string& line) {
    const bool restores = mentions(line, "/snapshots/recover") || mentions(line, "/snapshots/upload");
    return restores && !mentions(line, "priority") ? "it restores a snapshot of Qdrant without saying what has priority"
                                                   : "";
  });
}

constexpr LintRule kRules[] = {
    {"archive-of-live-volume", Severity::kError, "files change while they are copied; what is restored does not start",
     "Qdrant: its snapshots; PostgreSQL: pg_dump -Fc", find_live_archives},
    {"volume-by-hand", Severity::kError,
     "a name that is mistyped makes a new volume: an empty archive, and exit code 0",
     "find the volume by its label (docker volume ls --filter label=pandora.instance=…) and refuse what is not there",
     find_fixed_volume_names},
    {"exec-terminal", Severity::kError, "Compose 1.29 writes an empty file from cron, and CRLF from a terminal",
     "exec -T, into a temporary file that is checked, synced and renamed", find_exec_with_terminal},
    {"dump-plain", Severity::kError,
     "cut after its last COPY it restores with exit code 0, without constraints and indexes",
     "pg_dump -Fc, then read it all: pg_restore -f /dev/null", find_plain_dumps},
    {"backup-in-tree", Severity::kWarning, "it is shared, committed and readable like the project",
     "a folder of its own outside, mode 0700, umask 077", find_backups_in_tree},
    {"deletes-volumes", Severity::kError, "all data is gone, and nobody was asked",
     "make and verify a backup first, ask for the instance's name, move the old volumes aside", find_destruction},
    {"script-not-mounted", Severity::kError, "psql does not find the file",
     "apply the schema by migrations, or mount the folder", find_unmounted_scripts},
    {"psql-goes-on", Severity::kError, "half a schema is applied, and the script believes that all is well",
     "psql -v ON_ERROR_STOP=1 --single-transaction", find_errors_passed_over},
    {"owner-guessed", Severity::kError,
     "PostgreSQL runs as 999 (Debian) or 70 (Alpine), and the volumes are named ones, not folders",
     "ask the image: docker run --rm --entrypoint id IMAGE", find_guessed_owners},
    {"compose-wait", Severity::kWarning,
     "it fails when a service has run once and ended well, and 1.29 does not know it",
     "wait for each service by its own check, with a bound", find_compose_waits},
    {"sqlite-copied", Severity::kError, "what is in its write-ahead log is missing, and the integrity check says ok",
     "sqlite3 FILE \".backup COPY\", or VACUUM INTO", find_copied_databases},
    {"restore-alone", Severity::kError, "Qdrant points at rows that are gone, and rows believe that they are indexed",
     "restore one set of one generation, then reconcile both ways", find_partial_restores},
    {"restore-priority", Severity::kError, "the collection stays empty: the default priority is the replica's",
     "priority=snapshot, on the same minor version", find_restores_without_priority},
};

}  // namespace

std::span<const LintRule> script_rules() { return kRules; }

}  // namespace pandora
