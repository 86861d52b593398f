// Do the model servers of the configuration fit the graphics card? Pure.
//
// What a server needs of it:
//   weights    as large as their files
//   KV cache   2 × layers × KV heads × head size × bytes of a value, for each token of one whole sequence. The formula
//   is
//              that of Kwon et al., "Efficient Memory Management for Large Language Model Serving with PagedAttention"
//              (SOSP 2023), §3: OPT-13B, 40 layers of 5,120 values in 2 bytes, takes 800 KB a token.
//   the rest   kRestMib: the driver's context and work space. An estimate.
// vLLM takes its share of the card whatever it needs, and has so many more sequences of KV cache; llama.cpp's server
// takes what it needs. A server fits when it needs no more than its share; all fit when the shares of those that run,
// and the largest of those that sleep, are no more than the whole card. One that is spread over several cards has its
// weights and its cache in equal parts on each, the rest whole, and its share of each.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "host/model_servers.h"
#include "host/model_shape.h"

namespace pandora {

inline constexpr std::int64_t kRestMib = 512;
inline constexpr double kShareSlack = 1e-9;  // 0.1 ten times is a whole card

// Of one value of the cache, as the programs name its types; the blocks of llama.cpp's have a scale each. 0: not known.
double kv_value_bytes(const std::string& type);
std::int64_t kv_bytes_per_token(const ModelShape& shape, const std::string& k_type, const std::string& v_type);

struct PlannedModel {
  ModelServerConfig server;
  ModelCommand command;
  std::optional<ModelShape> shape;  // none: its files are not here
};
struct PlanRow {
  std::string name;
  bool cold = false, on_card = false;
  double share = 0;
  std::vector<int> cards;                    // that it takes its share of, by number
  std::int64_t share_mib = 0;                // of the smallest of them; 0 when none is known
  std::int64_t weights_mib = 0, kv_mib = 0;  // on all of them together; 0: not known
  std::int64_t context = 0;                  // tokens of the sequence that kv_mib is for
  std::int64_t needs_mib = 0;                // of each card; 0: not known
  double sequences = 0;                      // whole ones that its share holds at once
  std::string problem;                       // why it does not fit
  std::string note;                          // what is not known
};
struct ModelPlan {
  std::vector<std::int64_t> cards_mib;  // by number; empty: there is none, or they are not known
  std::vector<PlanRow> rows;
  std::vector<std::string> problems;  // those of the rows too
  bool fits() const { return problems.empty(); }
};
ModelPlan plan_models(const std::vector<PlannedModel>& models, const std::vector<std::int64_t>& cards_mib);

}  // namespace pandora
