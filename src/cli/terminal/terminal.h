// The terminal: colours, questions, progress, Ctrl-C. Everything but results goes to stderr.
#pragma once
#include <string>
#include <string_view>

#include "base/clock.h"
#include "service/service.h"

namespace pandora {

bool is_terminal(int descriptor);
// Bold on a terminal that wants colours (NO_COLOR and TERM=dumb are respected), plain elsewhere. `width`: filled up
// with spaces, which only what is seen counts for.
std::string bold(std::string_view text, std::size_t width = 0);

// Asks on the terminal; kInvalidArgument, naming --yes, when there is none to ask.
Status confirm(std::string_view question, bool yes);

// Counts Ctrl-C from now on instead of dying of it. `interrupted` is true until `clear_interrupt`.
// The third in a row ends the program at once.
void catch_interrupts();
bool interrupted();
void clear_interrupt();
// Until there is input or its end; false: interrupted. Also by a Ctrl-C that comes before it waits, or in another
// thread.
bool wait_for_input(int descriptor);

// Shows progress of what takes long: on one line of a terminal, elsewhere in a plain line now and then. Cancelled by
// Ctrl-C.
class ProgressObserver final : public CallObserver {
 public:
  ProgressObserver();
  ~ProgressObserver() override;
  void event(const std::string& json) override;
  bool cancelled() override { return interrupted(); }
  void show(std::string_view line);
  void keep(std::string_view line);  // a line that stays, above what is shown next

 private:
  const SystemClock clock_;
  SteadyTime shown_at_;
  bool open_line_ = false;
};

}  // namespace pandora
