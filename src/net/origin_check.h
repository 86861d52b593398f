// May this request be what it says, or does a web page drive the browser of the server's owner?
//
// A page anywhere on the web can make its visitor's browser send requests to 127.0.0.1, and by rebinding a name of its
// own to that address it can even read the answers. So a loopback server answers to loopback's own names only, and
// refuses what a browser sends for a foreign page. Pure.
#pragma once
#include <string>
#include <vector>

#include "net/http1.h"

namespace pandora {

enum class Exposure { kLoopback, kBeyond };

struct OriginPolicy {
  Exposure exposure = Exposure::kLoopback;
  // Names the server answers to, lower case, without port. Loopback's own are always among them when it listens there
  // only; beyond, an empty list means any: there keys are demanded, and a browser's page has none.
  std::vector<std::string> hosts;
  std::vector<std::string> origins;  // pages that may call: "https://chat.example.org"
};

// kPermissionDenied, naming the header.
Status check_origin(const RequestHead& head, const OriginPolicy& policy);

}  // namespace pandora
