#include "cli/commands/chat.h"

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <memory>

#include <fmt/format.h>
#include <histedit.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/terminal/line_reader.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::string_view kHowTo =
    "Nothing was said. Type `pandora chat` in a terminal to talk, or send a message over a pipe:\n"
    "    echo 'I am allergic to peanuts.' | pandora chat\n"
    "    echo 'What am I allergic to?' | pandora chat --session tomorrow\n";
constexpr std::string_view kCommands =
    "What you type is said, and remembered. Besides:\n"
    "  /help         this\n"
    "  /quit         ends the conversation; so does Ctrl-D\n"
    "  Ctrl-C        ends the reply under way, or clears the line\n"
    "  Up, Ctrl-R    what you said before in this session\n"
    "In another terminal: `pandora turns list`, `pandora turns forget NUMBER`, `pandora --help`.\n";

constexpr const char* kNobodyToAsk =
    "over a pipe nobody can be asked; the setting tools.approvals allows it beforehand";

// Shows the reply as it comes, and asks what its tools may do.
class Speaker final : public CallObserver {
 public:
  Speaker(Service& service, const ChatOptions& options)
      : service_(service), user_(options.user), format_(options.format) {}
  void event(const std::string& text) override {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_object() && json.contains("approval") && json["approval"].is_object()) return approve(json["approval"]);
    if (format_ == ChatFormat::kJson) return;
    if (!json.is_object() || !json.contains("delta") || !json["delta"].is_string()) return;
    print_out(visible(json["delta"].get<std::string>()));
    flush_output();
    spoke_ = true;
  }
  bool cancelled() override { return interrupted() || output_failed(); }
  bool spoke() const { return spoke_; }

 private:
  void approve(const Json& pending) {
    const std::string tool = visible(pending.value("tool", ""));
    Json arguments = {{"id", pending.value("id", "")}, {"answer", "deny"}};
    if (is_terminal(STDIN_FILENO)) {
      if (spoke_) print_error("\n");
      arguments["answer"] = ask(fmt::format(
          "The model wants to call {} with {}\nAllow it? [y] once, [a] always in this session, [N] no: ", tool,
          visible(pending.value("arguments", ""))));
    } else {
      arguments["why"] = kNobodyToAsk;
      print_error(fmt::format("pandora: {} was not run: {}\n", tool, kNobodyToAsk));
    }
    NoObserver nobody;
    const auto told = service_.call({"approvals.answer", user_, dump_json(arguments)}, nobody, Deadline::never());
    if (!told) print_error(fmt::format("pandora: the answer came too late: {}\n", told.error().message));
  }
  // Anything but a clear yes is a no; Ctrl-C ends the turn as well.
  static std::string ask(const std::string& question) {
    constexpr std::size_t kAnswer = 64;
    print_error(question);
    Line line;
    LineReader lines(STDIN_FILENO, kAnswer);
    if (!lines.next(line)) print_error("\n");
    const std::string_view answer = trim(line.text);
    if (answer == "y" || answer == "Y" || answer == "yes") return "once";
    return answer == "a" || answer == "A" || answer == "always" ? "session" : "deny";
  }

  Service& service_;
  const UserId user_;
  const ChatFormat format_;
  bool spoke_ = false;
};

Error error_of(const Json& json) {
  return {error_code_named(json.value("code", "")), json.value("message", ""), json.value("remedy", "")};
}

Error too_long(std::size_t bytes, std::int64_t most) {
  return {ErrorCode::kTooLarge, fmt::format("a message of {} bytes, at most {} are taken", bytes, most),
          "send it in parts, or raise limits.message_bytes"};
}

// One turn; the exit code it would end with.
int say(Service& service, const ChatOptions& options, const std::string& message) {
  Speaker speaker(service, options);
  const Json arguments = {{"session", options.session.str()}, {"message", sanitize_utf8(message)}};
  const auto answer = service.call({"chat", options.user, dump_json(arguments)}, speaker, Deadline::never());
  if (speaker.spoke()) print_out("\n");
  if (!answer) return report(answer.error());
  if (options.format == ChatFormat::kJson) print_out(*answer + "\n");
  flush_output();
  const Json result = Json::parse(*answer, nullptr, false);
  const std::string ending = result.value("ending", "");
  const bool failed = result.contains("error") && result["error"].is_object();
  const bool lost = ending == "answered" && !result.value("acknowledged", false);
  if (lost && !failed) return report({ErrorCode::kUnavailable, "this turn is NOT saved", "say it again"});
  if (!failed) return 0;
  const Error error = error_of(result["error"]);
  const int code = report(lost ? Error(error).with_context("this turn is NOT saved") : error);
  return lost || ending == "failed" ? code : 0;
}

int over_a_pipe(Service& service, const ChatOptions& options) {
  int worst = 0;
  bool said = false;
  Line line;
  LineReader lines(STDIN_FILENO, static_cast<std::size_t>(options.message_bytes));
  while (lines.next(line)) {
    if (trim(line.text).empty()) continue;
    said = true;
    const int code =
        line.whole() ? say(service, options, line.text) : report(too_long(line.bytes, options.message_bytes));
    if (code != 0) worst = code;
    if (output_failed()) return worst;  // finish_output() says why
  }
  if (lines.error() != 0)
    return report(
        {ErrorCode::kUnavailable, fmt::format("cannot read standard input: {}", std::strerror(lines.error())), ""});
  if (interrupted()) return error_info(ErrorCode::kCancelled).exit_code;
  if (!said) print_error(kHowTo);
  return worst;
}

char prompt_text[] = "you> ";
char* prompt(EditLine*) { return prompt_text; }

// A character for the editor. Its own function would miss a Ctrl-C that comes just before it waits, or in another
// thread.
int next_letter(EditLine*, wchar_t* letter) {
  std::mbstate_t state{};
  for (char byte = 0;;) {
    if (!wait_for_input(STDIN_FILENO)) return -1;
    const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return static_cast<int>(count);
    if (byte == 0) byte = 'D' & 0x1F;  // what the kernel makes of a Ctrl-D typed before the editor has the terminal
    const std::size_t length = std::mbrtowc(letter, &byte, 1, &state);
    if (length == static_cast<std::size_t>(-2)) continue;  // there is more of it
    if (length != static_cast<std::size_t>(-1)) return 1;
    state = {};  // no character: left out
  }
}

// What was said before in this session, oldest first. It is read from the turns: a file of its own would outlive
// forgetting.
std::vector<std::string> said_before(Service& service, const ChatOptions& options) {
  constexpr int kTurns = 100;
  NoObserver nobody;
  const Json arguments = {{"session", options.session.str()}, {"limit", kTurns}};
  const auto answer = service.call({"turns.list", options.user, dump_json(arguments)}, nobody, Deadline::never());
  std::vector<std::string> lines;
  if (!answer) return lines;  // the first message will say what is wrong
  const Json result = Json::parse(*answer, nullptr, false);
  for (const auto& turn : result.value("turns", Json::array())) {
    const std::string text = turn.value(Json::json_pointer("/message/text"), "");
    if (text.find('\n') == std::string::npos) lines.push_back(text + "\n");
  }
  std::ranges::reverse(lines);
  return lines;
}

// A line that begins with "/" and is one word is a command; "/etc/hosts is missing" is something said.
bool is_command(std::string_view line) {
  return line.size() > 1 && line.front() == '/' &&
         std::ranges::all_of(line.substr(1), [](unsigned char c) { return std::isalpha(c) != 0; });
}

int in_a_terminal(Service& service, const ChatOptions& options) {
  constexpr int kHistory = 500;
  (void)std::setlocale(LC_CTYPE, "C.UTF-8");                   // what is typed is UTF-8, whatever the environment says
  FILE* shown = is_terminal(STDOUT_FILENO) ? stdout : stderr;  // `pandora chat | tee log`: only replies go into the log
  const std::unique_ptr<EditLine, decltype(&el_end)> editor(el_init("pandora", stdin, shown, stderr), el_end);
  if (!editor)
    return report({ErrorCode::kUnavailable, "the terminal cannot be used for editing", "send messages over a pipe"});
  const std::unique_ptr<History, decltype(&history_end)> history(history_init(), history_end);
  HistEvent event{};
  ::history(history.get(), &event, H_SETSIZE, kHistory);
  for (const auto& line : said_before(service, options)) ::history(history.get(), &event, H_ENTER, line.c_str());
  el_set(editor.get(), EL_PROMPT, &prompt);
  el_set(editor.get(), EL_GETCFN, &next_letter);
  el_set(editor.get(), EL_EDITOR, "emacs");
  el_set(editor.get(), EL_BIND, "^R", "em-inc-search-prev", nullptr);
  el_set(editor.get(), EL_HIST, &::history, history.get());
  print_error(fmt::format("Session {} of {}. What you say is remembered. /help says more; /quit or Ctrl-D ends.\n",
                          options.session.str(), options.user.str()));
  while (!output_failed()) {
    clear_interrupt();
    int count = 0;
    const char* typed = el_gets(editor.get(), &count);
    if (!typed || count <= 0) {
      print_error("\n");
      if (interrupted()) continue;
      return 0;
    }
    const std::string line(trim(std::string_view(typed, static_cast<std::size_t>(count))));
    if (line.empty()) continue;
    if (line == "/quit" || line == "/exit") return 0;
    if (is_command(line)) {
      print_error(line == "/help" ? std::string(kCommands)
                                  : fmt::format("There is no command {}; /help lists them.\n", line));
      continue;
    }
    ::history(history.get(), &event, H_ENTER, typed);
    (void)say(service, options, line);
    print_out("\n");
    flush_output();
  }
  return 0;
}

}  // namespace

int run_chat(Service& service, const ChatOptions& options) {
  catch_interrupts();
  return is_terminal(STDIN_FILENO) ? in_a_terminal(service, options) : over_a_pipe(service, options);
}

}  // namespace pandora
