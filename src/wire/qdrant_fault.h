// What a request of Qdrant's REST API can end with instead of an answer.
//
// Statuses are those of a real Qdrant: 400 for a body of the wrong shape and for what a collection cannot take, 422 for
// values out of bounds, 404, 409, and so on. The text says it in its words where a client may look for them.
#pragma once
#include <string>
#include <utility>

#include <tl/expected.hpp>

#include "base/result.h"

namespace pandora {
namespace qdrant {

struct Fault {
  int status = 500;
  std::string text;
  Fault() = default;
  Fault(int the_status, std::string the_text) : status(the_status), text(std::move(the_text)) {}
  // Of the layers below. Implicit, so that their results pass through PANDORA_TRY.
  Fault(const Error& error);
};

template <class T>
using Outcome = tl::expected<T, Fault>;

Fault bad_format(std::string_view what);      // 400: the body is not of this shape
Fault bad_value(std::string_view what);       // 422: the shape is right, a value is not
Fault wrong_input(std::string_view what);     // 400: nothing is wrong with the body, but this collection cannot take it
Fault bad_request(std::string_view what);     // 400
Fault not_found(std::string_view what);       // 404
Fault not_served(std::string_view what);      // 501: a part of Qdrant that is not here; docs/vectors.md lists them
Fault no_such_vector(std::string_view name);  // 400
Fault no_such_collection(std::string_view name);

}  // namespace qdrant

inline tl::unexpected<qdrant::Fault> fail(qdrant::Fault fault) {
  return tl::unexpected<qdrant::Fault>(std::move(fault));
}

}  // namespace pandora
