#include "service/local_service.h"

#include <algorithm>

#include <fmt/format.h>

#include "service/operation.h"

namespace pandora {
namespace {

const std::vector<Operation>& table() {
  static const std::vector<Operation> kAll = [] {
    std::vector<Operation> all;
    for (auto part :
         {chat_operations(), turn_operations(), memory_operations(), recall_operations(), receipt_operations(),
          research_operations(), source_operations(), transfer_operations(), maintenance_operations(),
          move_operations(), stats_operations(), key_operations(), approval_operations()})
      all.insert(all.end(), part.begin(), part.end());
    std::ranges::sort(all, {}, [](const Operation& operation) { return operation.info.name; });
    return all;
  }();
  return kAll;
}

class LocalService final : public Service {
 public:
  explicit LocalService(ServiceParts parts) : parts_(std::move(parts)) {}

  Result<std::string> call(const ServiceCall& call, CallObserver& observer, const Deadline& deadline) override {
    const auto found =
        std::ranges::find(table(), call.operation, [](const Operation& operation) { return operation.info.name; });
    if (found == table().end())
      return fail(ErrorCode::kNotFound, fmt::format("there is no operation \"{}\"", call.operation),
                  "both commands must be of the same version of pandora");
    auto arguments = parse_json(call.arguments, kMaxArgumentBytes, "the arguments");
    if (!arguments) return fail(ErrorCode::kInvalidArgument, arguments.error().message);
    JsonReader in(*arguments, call.operation, ErrorCode::kInvalidArgument);
    const Principal who = Principal::of(call.user);
    OperationCall under_way{parts_, who, in, observer, deadline};
    PANDORA_TRY(result, found->handler(under_way));
    return dump_json(result);
  }

 private:
  ServiceParts parts_;
};

}  // namespace

std::vector<OperationInfo> operations() {
  std::vector<OperationInfo> infos;
  for (const auto& operation : table()) infos.push_back(operation.info);
  return infos;
}

std::unique_ptr<Service> make_local_service(ServiceParts parts) {
  return std::make_unique<LocalService>(std::move(parts));
}

Result<std::size_t> read_limit(JsonReader& in, std::int64_t fallback, std::int64_t most) {
  const std::int64_t limit = in.integer_or("limit", fallback);
  if (limit < 1 || limit > most) in.fault("limit", fmt::format("must be between 1 and {}", most));
  return static_cast<std::size_t>(std::max<std::int64_t>(1, limit));
}

}  // namespace pandora
