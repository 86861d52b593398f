#include "host/model_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

namespace pandora {
namespace {

constexpr double kMib = 1024.0 * 1024;
constexpr double kMostBytes = 1e15;  // whatever a file claims

std::int64_t mib(double bytes) { return static_cast<std::int64_t>(std::ceil(bytes / kMib)); }
double gb(std::int64_t mib) { return static_cast<double>(mib) / 1024; }

// Those that it sees, as many as it is spread over. Unknown ones are taken to be there.
std::vector<int> cards_of(const ModelCommand& command, std::size_t known) {
  std::vector<int> cards = command.cards;
  const std::size_t all = known > 0 ? known : static_cast<std::size_t>(std::max(1, command.spread));
  for (std::size_t card = 0; command.cards.empty() && card < all; ++card) cards.push_back(static_cast<int>(card));
  const auto spread = static_cast<std::size_t>(command.spread);
  if (spread > 0 && cards.size() > spread) cards.resize(spread);
  return cards;
}

PlanRow row_of(const PlannedModel& model, const std::vector<std::int64_t>& cards_mib) {
  const ModelServerConfig& server = model.server;
  PlanRow row;
  row.cards = cards_of(model.command, cards_mib.size());
  const auto count = static_cast<std::int64_t>(row.cards.size());
  std::int64_t card_mib = 0;
  for (const int card : row.cards) {
    const auto place = static_cast<std::size_t>(card);
    if (!cards_mib.empty() && place >= cards_mib.size())
      row.problem = fmt::format("{} is to use card {}, and there are {}", server.name, card, cards_mib.size());
    if (place < cards_mib.size()) card_mib = card_mib == 0 ? cards_mib[place] : std::min(card_mib, cards_mib[place]);
  }
  row.name = server.name;
  row.cold = server.cold;
  row.share = server.memory_share;
  row.on_card = server.memory_share > 0 && model.command.on_card;
  row.share_mib = static_cast<std::int64_t>(server.memory_share * static_cast<double>(card_mib));
  row.weights_mib = server.weights_mib;
  if (row.weights_mib == 0 && model.shape) row.weights_mib = mib(static_cast<double>(model.shape->weights_bytes));
  row.context = model.command.context;
  if (row.context == 0 && model.shape) row.context = model.shape->context;
  std::int64_t token = server.kv_bytes_per_token;
  if (token == 0 && model.shape) token = kv_bytes_per_token(*model.shape, model.command.kv_type, model.command.v_type);
  row.kv_mib = mib(static_cast<double>(token) * static_cast<double>(row.context));
  if (!row.on_card) return row;
  if (row.weights_mib == 0) {
    row.note = fmt::format("how large it is is not known: set model_servers.{}.weights_mib", row.name);
    return row;
  }
  if (row.kv_mib == 0)
    row.note = fmt::format("its KV cache is not known: set model_servers.{}.kv_bytes_per_token", row.name);
  const std::int64_t weights = (row.weights_mib + count - 1) / count, cache = (row.kv_mib + count - 1) / count;
  row.needs_mib = weights + cache + kRestMib;
  if (row.problem.empty() && model.command.spread > count)
    row.problem = fmt::format("{} is spread over {} cards, and sees {}", row.name, model.command.spread, count);
  if (card_mib == 0 || !row.problem.empty()) return row;
  if (cache > 0)
    row.sequences = std::max(0.0, static_cast<double>(row.share_mib - weights - kRestMib)) / static_cast<double>(cache);
  if (row.needs_mib > row.share_mib)
    row.problem = fmt::format(
        "{} needs {:.1f} GB{} (weights {:.1f}, KV cache {:.1f} for {} tokens, {:.1f} for the rest), its share is "
        "{:.1f} "
        "GB",
        row.name, gb(row.needs_mib), count > 1 ? fmt::format(" of each of {} cards", count) : "", gb(weights),
        gb(cache), row.context, gb(kRestMib), gb(row.share_mib));
  return row;
}

}  // namespace

double kv_value_bytes(const std::string& type) {
  struct Type {
    std::string_view name;
    double bytes;
  };
  // A block of llama.cpp's holds 32 values, and a scale (and a least value) of 2 bytes each.
  constexpr double kBlock = 32;
  constexpr std::array kTypes = {Type{"", 2},
                                 Type{"auto", 2},
                                 Type{"f16", 2},
                                 Type{"bf16", 2},
                                 Type{"bfloat16", 2},
                                 Type{"f32", 4},
                                 Type{"fp8", 1},
                                 Type{"fp8_e4m3", 1},
                                 Type{"fp8_e5m2", 1},
                                 Type{"fp8_inc", 1},
                                 Type{"q8_0", 34 / kBlock},
                                 Type{"q5_1", 24 / kBlock},
                                 Type{"q5_0", 22 / kBlock},
                                 Type{"q4_1", 20 / kBlock},
                                 Type{"q4_0", 18 / kBlock},
                                 Type{"iq4_nl", 18 / kBlock}};
  const auto found = std::ranges::find(kTypes, std::string_view(type), &Type::name);
  return found == kTypes.end() ? 0 : found->bytes;
}

std::int64_t kv_bytes_per_token(const ModelShape& shape, const std::string& k_type, const std::string& v_type) {
  const double keys = kv_value_bytes(k_type), values = kv_value_bytes(v_type.empty() ? k_type : v_type);
  const double width =
      static_cast<double>(shape.layers) * static_cast<double>(shape.kv_heads) * static_cast<double>(shape.head_size);
  return static_cast<std::int64_t>(std::min(std::ceil(width * (keys + values)), kMostBytes));
}

ModelPlan plan_models(const std::vector<PlannedModel>& models, const std::vector<std::int64_t>& cards_mib) {
  ModelPlan plan;
  plan.cards_mib = cards_mib;
  struct Shares {
    double warm = 0, largest_cold = 0;
  };
  std::map<int, Shares> of_cards;
  for (const auto& model : models) {
    PlanRow row = row_of(model, cards_mib);
    for (const int card : row.cards) {
      Shares& of = of_cards[card];
      (row.cold ? of.largest_cold : of.warm) = row.cold ? std::max(of.largest_cold, row.share) : of.warm + row.share;
    }
    if (!row.problem.empty()) plan.problems.push_back(row.problem);
    plan.rows.push_back(std::move(row));
  }
  for (const auto& [card, of] : of_cards)
    if (of.warm + of.largest_cold > 1 + kShareSlack)
      plan.problems.push_back(fmt::format("the shares of {} are {:.2f} together{}, and it is there only once",
                                          cards_mib.size() > 1 ? fmt::format("card {}", card) : "the card",
                                          of.warm + of.largest_cold,
                                          of.largest_cold > 0 ? ", with the largest cold one" : ""));
  return plan;
}

}  // namespace pandora
