#include "wire/qdrant_fault.h"

#include <fmt/format.h>

namespace pandora::qdrant {

Fault::Fault(const Error& error) : text(error.to_line()) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTooLarge:
      status = 400;
      text = "Wrong input: " + text;
      break;
    case ErrorCode::kNotFound:
      status = 404;
      text = "Not found: " + text;
      break;
    case ErrorCode::kConflict:
      status = 409;
      break;
    case ErrorCode::kStorageFull:
      status = 507;
      break;
    case ErrorCode::kResourceExhausted:
      status = 429;
      break;
    case ErrorCode::kDeadlineExceeded:
      status = 408;
      break;
    case ErrorCode::kUnavailable:
      status = 503;
      break;
    default:
      status = 500;
      text = "Service internal error: " + text;
  }
}

Fault bad_format(std::string_view what) { return {400, fmt::format("Format error in JSON body: {}", what)}; }
Fault bad_value(std::string_view what) { return {422, fmt::format("Validation error in JSON body: [{}]", what)}; }
Fault wrong_input(std::string_view what) { return {400, fmt::format("Wrong input: {}", what)}; }
Fault bad_request(std::string_view what) { return {400, fmt::format("Bad request: {}", what)}; }
Fault not_found(std::string_view what) { return {404, fmt::format("Not found: {}", what)}; }
Fault not_served(std::string_view what) {
  return {501, fmt::format("Not served here: {}; see docs/vectors.md for what is", what)};
}
Fault no_such_vector(std::string_view name) {
  return wrong_input(fmt::format("Not existing vector name error: {}", name));
}
Fault no_such_collection(std::string_view name) {
  return not_found(fmt::format("Collection `{}` doesn't exist!", name));
}

}  // namespace pandora::qdrant
