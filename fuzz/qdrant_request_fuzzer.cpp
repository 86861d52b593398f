// Bodies of Qdrant's API: whatever the bytes, each reader gives a value or a fault with a status of the 400s or 501;
// JSON that is read is written compactly and read back as the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/qdrant_collection.h"
#include "wire/qdrant_operations.h"
#include "wire/qdrant_query.h"

namespace {

template <class T>
void check(const pandora::qdrant::Outcome<T>& read) {
  if (read) return;
  const int status = read.error().status;
  if ((status < 400 || status > 499) && status != 501) std::abort();
  if (read.error().text.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora;
  using namespace pandora::qdrant;
  const auto tape = JsonTape::parse({reinterpret_cast<const char*>(data), size});
  if (!tape) {
    if (tape.error().what.empty() || tape.error().line == 0) std::abort();
    return 0;
  }
  std::string once, twice;
  append_compact(once, tape->root());
  const auto again = JsonTape::parse(once);
  if (!again) std::abort();
  append_compact(twice, again->root());
  if (once != twice) std::abort();

  const JsonNode body = tape->root();
  check(read_upsert(body));
  check(read_delete_points(body));
  check(read_set_payload(body));
  check(read_overwrite_payload(body));
  check(read_delete_payload(body));
  check(read_clear_payload(body));
  check(read_update_vectors(body));
  check(read_delete_vectors(body));
  check(read_batch(body));
  check(read_query(body));
  check(read_query_batch(body));
  check(read_search(body));
  check(read_search_batch(body));
  check(read_scroll(body));
  check(read_retrieve(body));
  check(read_count(body));
  check(read_update_collection(body));
  check(read_alias_actions(body));
  check(read_create_index(body));
  const auto params = read_create_collection(body);
  check(params);
  if (params) {
    const std::string text = params_to_json(*params);
    const auto kept = JsonTape::parse(text);
    if (!kept) std::abort();
    const auto reread = read_create_collection(kept->root());
    if (!reread || reread->dense != params->dense || reread->sparse != params->sparse) std::abort();
  }
  return 0;
}
