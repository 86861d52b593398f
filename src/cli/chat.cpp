#include "cli/chat.h"

#include <histedit.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cwchar>
#include <iostream>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/terminal.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::string_view kHowTo =
    "Nothing was said. Type `pandora chat` in a terminal to talk, or send a message over a pipe:\n"
    "    echo 'I am allergic to peanuts.' | pandora chat\n"
    "    echo 'What am I allergic to?' | pandora chat --session tomorrow\n";

// Shows the reply as it comes.
class Speaker final : public CallObserver {
 public:
  explicit Speaker(ChatFormat format) : format_(format) {}
  void event(const std::string& text) override {
    if (format_ == ChatFormat::kJson) return;
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("delta") || !json["delta"].is_string()) return;
    fmt::print("{}", json["delta"].get<std::string>());
    std::fflush(stdout);
    spoke_ = true;
  }
  bool cancelled() override { return interrupted() || std::ferror(stdout) != 0; }
  bool spoke() const { return spoke_; }

 private:
  ChatFormat format_;
  bool spoke_ = false;
};

void show_error(const std::string& line) { fmt::print(stderr, "pandora: {}\n", line); }

// One turn; the exit code it would end with.
int say(Service& service, const ChatOptions& options, const std::string& message) {
  Speaker speaker(options.format);
  const Json arguments = {{"session", options.session.str()}, {"message", sanitize_utf8(message)}};
  const auto answer = service.call({"chat", options.user, dump_json(arguments)}, speaker, Deadline::never());
  if (speaker.spoke()) fmt::print("\n");
  if (!answer) {
    show_error(answer.error().to_line());
    return error_info(answer.error().code).exit_code;
  }
  if (options.format == ChatFormat::kJson) fmt::print("{}\n", *answer);
  std::fflush(stdout);
  const Json result = Json::parse(*answer, nullptr, false);
  const std::string ending = result.value("ending", "");
  if (result.contains("error") && result["error"].is_object()) show_error(result["error"].value("message", ""));
  if (ending == "answered" && !result.value("acknowledged", false)) {
    show_error("this turn is NOT saved");
    return error_info(ErrorCode::kUnavailable).exit_code;
  }
  return ending == "failed" ? error_info(ErrorCode::kUnavailable).exit_code : 0;
}

// A line of any length, of which no more than one byte over the maximum is kept.
bool read_line(std::istream& in, std::size_t most, std::string& line) {
  line.clear();
  bool any = false;
  for (int c = in.get(); c != std::char_traits<char>::eof(); c = in.get()) {
    any = true;
    if (c == '\n') return true;
    if (line.size() <= most) line += static_cast<char>(c);
  }
  return any;
}

int over_a_pipe(Service& service, const ChatOptions& options) {
  int worst = 0;
  bool said = false;
  std::string line;
  while (!interrupted() && read_line(std::cin, static_cast<std::size_t>(options.message_bytes), line)) {
    if (trim(line).empty()) continue;
    said = true;
    if (const int code = say(service, options, line)) worst = code;
    if (std::ferror(stdout) != 0) return error_info(ErrorCode::kCancelled).exit_code;  // nobody reads any more
  }
  if (!said) fmt::print(stderr, "{}", kHowTo);
  return worst;
}

char prompt_text[] = "you> ";
char* prompt(EditLine*) { return prompt_text; }

// A character for the editor. Its own function would miss a Ctrl-C that comes just before it waits, or in another thread.
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

int in_a_terminal(Service& service, const ChatOptions& options) {
  (void)std::setlocale(LC_CTYPE, "C.UTF-8");  // what is typed is UTF-8, whatever the environment says
  constexpr int kHistory = 500;  // of this conversation; nothing typed is kept in a file of its own
  const std::unique_ptr<EditLine, decltype(&el_end)> editor(el_init("pandora", stdin, stdout, stderr), el_end);
  const std::unique_ptr<History, decltype(&history_end)> history(history_init(), history_end);
  HistEvent event{};
  ::history(history.get(), &event, H_SETSIZE, kHistory);
  el_set(editor.get(), EL_PROMPT, &prompt);
  el_set(editor.get(), EL_GETCFN, &next_letter);
  el_set(editor.get(), EL_EDITOR, "emacs");
  el_set(editor.get(), EL_HIST, &::history, history.get());
  fmt::print(stderr, "Session {} of {}. What you say is remembered. /quit or Ctrl-D ends.\n", options.session.str(), options.user.str());
  for (;;) {
    clear_interrupt();
    int count = 0;
    const char* typed = el_gets(editor.get(), &count);
    if (!typed || count <= 0) {
      fmt::print("\n");
      if (interrupted()) continue;
      return 0;
    }
    const std::string line(trim(std::string_view(typed, static_cast<std::size_t>(count))));
    if (line.empty()) continue;
    if (line == "/quit" || line == "/exit") return 0;
    ::history(history.get(), &event, H_ENTER, typed);
    (void)say(service, options, line);
    fmt::print("\n");
  }
}

}  // namespace

int run_chat(Service& service, const ChatOptions& options) {
  catch_interrupts();
  return is_terminal(STDIN_FILENO) ? in_a_terminal(service, options) : over_a_pipe(service, options);
}

}  // namespace pandora
