// Answers as Qdrant's clients read them.
#pragma once
#include "net/http_types.h"
#include "vectors/collection.h"
#include "vectors/payload_edit.h"
#include "vectors/searching.h"

namespace pandora::qdrant {

inline constexpr std::size_t kMaxAnswerBytes = std::size_t{256} << 20;  // of points; one of them may go beyond it

// {"result": …, "status": "ok", "time": …}
HttpResponse ok_response(std::string_view result, double seconds);
HttpResponse fault_response(const Fault& fault, double seconds);
HttpResponse text_response(int status, std::string text);

// Which vectors are shown, by their numbers; 400 for a name that is none.
Outcome<std::vector<std::size_t>> shown_vectors(const VectorSelector& selector, const CollectionMemory& memory);

struct Shown {
  PayloadView payload;
  bool vectors = false;  // else none, whatever the numbers
  std::vector<std::size_t> numbers;
};
// Under the memory's lock. 400 when `out` becomes larger than an answer may be.
Outcome<void> append_scored(std::string& out, const Found& found, const CollectionMemory& memory, const Shown& shown);
Outcome<void> append_records(std::string& out, const std::vector<Ranked>& points, const CollectionMemory& memory,
                             const Shown& shown);
Outcome<void> append_record(std::string& out, Slot slot, const CollectionMemory& memory, const Shown& shown);

std::string written_json(const Written& written);        // {"operation_id": …, "status": …}
std::string batch_written_json(const Written& written);  // a list of them
std::string collection_info(const Collection& collection);

}  // namespace pandora::qdrant
