// The five questions of observability, answered from rows. Pure: rows go in one by one, figures come out.
//
// Why did this turn fail? Where is the bottleneck? Is quality improving? Which tools and sources are unreliable? Are
// confidence scores calibrated (expected calibration error, good below 0.10)?
#pragma once
#include <map>
#include <string>
#include <vector>

#include "domain/observation.h"
#include "domain/source.h"
#include "domain/turn.h"

namespace pandora {

struct TimedGroup {  // a phase, tool or model, or all turns
  std::int64_t count = 0, failures = 0, total_micros = 0, p50_micros = 0, p95_micros = 0;
  std::int64_t tokens_in = 0, tokens_out = 0;  // of models
};
struct FailedTurn {
  Uuid turn_uid;
  Timestamp at;
  std::string where, why;
};
struct DayQuality {
  std::string day;  // "2026-01-05", UTC
  std::int64_t turns = 0;
  double quality = 0;
};
struct Stats {
  std::vector<FailedTurn> failures;  // newest first, at most kMaxShownFailures
  std::map<std::string, TimedGroup> turns, phases, tools, models;
  std::vector<DayQuality> quality;  // ascending days
  double calibration_error = 0;
  std::int64_t calibration_pairs = 0;
};
inline constexpr std::size_t kMaxShownFailures = 20;

class StatsBuilder {
 public:
  void add(const Observation& observation);
  void add(const Turn& turn);
  Stats finish();

 private:
  struct Series {
    std::vector<std::int64_t> micros;
    std::int64_t failures = 0, tokens_in = 0, tokens_out = 0;
  };
  Stats stats_;
  std::map<std::string, Series> turns_, phases_, tools_, models_;
  std::map<std::string, std::pair<std::int64_t, double>> days_;
  std::map<Uuid, double> predicted_;  // validation's confidence a turn
  std::vector<CalibrationPair> pairs_;
};

}  // namespace pandora
