// Where the program writes: results to standard output, everything else to standard error.
//
// A result that could not be written is a failure of the command (a full disk behind a redirection, a reader that
// left), so the first error is kept and decides the exit code. What standard error does not take is lost, and nothing
// else.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace pandora {

// Before any file is opened: a standard descriptor that is closed (`pandora chat >&-`) would be given to the next file,
// and what is printed would go into it. Each gets a descriptor that cannot be used instead. Also: a reader that leaves
// is an error, not a signal, and what is created is for this user alone.
void prepare_process();

void print_out(std::string_view text);
void print_error(std::string_view text);
void flush_output();
bool output_failed();  // nobody reads any more, or the disk is full: going on is of no use
// kStorageFull, kCancelled (the reader left), kUnavailable.
Status finish_output();

// One line about an error; the exit code.
int report(const Error& error);

// On a terminal: control characters replaced, so that what others wrote cannot steer it. Elsewhere unchanged.
std::string visible(std::string_view text);

}  // namespace pandora
