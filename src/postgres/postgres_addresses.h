// Inside postgres: the addresses of the hosts that libpq is to connect to, so that it asks no resolver itself.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

class NameLookup;

// Adds `hostaddr` for what `host` names, each host once for each of its addresses; the names stay, as certificates and
// passwords are of names. Sockets' folders, and a `hostaddr` that is given, stay as they are. Hosts that nobody knows
// are left out, unless all are: kUnavailable. Slice by slice of waiting `goes_on` is asked, and its error is given;
// `waited` grows meanwhile.
Status find_addresses(std::map<std::string, std::string>& parameters, NameLookup& names, Duration& waited,
                      const std::function<Status()>& goes_on);

}  // namespace pandora
