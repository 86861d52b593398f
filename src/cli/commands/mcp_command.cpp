#include "cli/commands/mcp_command.h"

#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/random.h"
#include "cli/program.h"
#include "cli/terminal/line_reader.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/toolbox.h"
#include "mcp/stdio_session.h"

namespace pandora {
namespace {

// A client starts one process for a conversation, so it is a session of its own, unless somebody named one.
Result<SessionId> session_of(const Config& config, const Clock& clock) {
  for (const EffectiveValue& value : config.values())
    if (value.key == "session.name" && value.source != SettingSource::kDefault) return SessionId::parse(value.value);
  SystemRandom random;
  return SessionId::parse("mcp-" + UuidV7Generator(clock, random).next().to_string());
}

}  // namespace

int serve_mcp(const Config& config, Service& service, const UserId& user) {
  catch_interrupts();
  const SystemClock clock;
  // The tools run in this process, also when another one owns the data directory.
  std::unique_ptr<Toolbox> toolbox;
  if (config.boolean("tools.enabled")) {
    auto opened = Toolbox::open(config, ToolPlace::kHere, nullptr, clock);
    if (!opened) return report(opened.error());
    toolbox = *std::move(opened);
    toolbox->connect(service);
  }
  McpServer server({std::string(kProgramVersion)}, toolbox ? &toolbox->runner() : nullptr, service, clock);
  const auto conversation = session_of(config, clock);
  if (!conversation) return report(conversation.error());
  McpStdioSession session(server, {.who = Principal::of(user), .session = *conversation}, [](std::string_view line) {
    print_out(fmt::format("{}\n", line));
    flush_output();
  });
  if (is_terminal(STDIN_FILENO))
    print_error("pandora mcp speaks MCP, a message of JSON a line; a client starts it. Ctrl-D ends.\n");
  Line line;
  LineReader lines(STDIN_FILENO, kMaxRpcMessageBytes);
  while (lines.next(line) && !output_failed()) {
    if (line.whole())
      session.take(line.text);
    else
      session.refuse_too_long(line.bytes);
  }
  if (lines.error() != 0)
    return report(
        {ErrorCode::kUnavailable, fmt::format("cannot read standard input: {}", std::strerror(lines.error())), ""});
  if (interrupted()) return error_info(ErrorCode::kCancelled).exit_code;
  session.finish();
  return 0;
}

}  // namespace pandora
