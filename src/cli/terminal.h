// The terminal: colours, questions, progress, Ctrl-C. Everything but results goes to stderr.
#pragma once
#include <string>
#include <string_view>

#include "service/service.h"

namespace pandora {

bool is_terminal(int descriptor);
// Bold on a terminal that wants colours (NO_COLOR is respected), plain elsewhere.
std::string bold(std::string_view text);

// Asks on the terminal; kInvalidArgument, naming --yes, when there is none to ask.
Status confirm(std::string_view question, bool yes);

// Counts Ctrl-C from now on instead of dying of it. `interrupted` is true until `clear_interrupt`.
void catch_interrupts();
bool interrupted();
void clear_interrupt();
// Until there is input or its end; false: interrupted. Also by a Ctrl-C that comes before it waits, or in another thread.
bool wait_for_input(int descriptor);

// Shows progress on one line of a terminal, in plain lines now and then elsewhere; cancelled by Ctrl-C.
class ProgressObserver final : public CallObserver {
 public:
  ~ProgressObserver() override;
  void event(const std::string& json) override;
  bool cancelled() override { return interrupted(); }

 private:
  bool open_line_ = false;
  std::int64_t shown_ = 0;
};

}  // namespace pandora
