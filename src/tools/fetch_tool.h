// The tool that fetches a page of the public web (fetch/fetch_page.h).
//
// What it gives is Trust::kWeb: a stranger's words, quoted. Part of a turn, it leaves the attempt for the source's
// score and what the page is about as research of that turn, so that forgetting the turn forgets it too; otherwise the
// attempt is recorded at once. A domain that the owner has blocked is not fetched.
#pragma once
#include "base/ids.h"
#include "fetch/fetch_page.h"
#include "tools/operations.h"
#include "tools/tool.h"

namespace pandora {

struct FetchToolParts {
  std::function<Result<HttpClient*>()> client;  // made when it is first needed
  std::function<Uuid()> next_id;                // of what is kept of a page
  const Clock& clock;                           // outlives the tool
  FetchOptions options = {};
};
std::shared_ptr<Tool> make_fetch_tool(FetchToolParts parts, std::shared_ptr<Operations> operations);

}  // namespace pandora
