#include "vectors/searching.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "vectors/filter_slots.h"

namespace pandora::qdrant {
namespace {

constexpr double kQuickCost = 400'000'000;  // components that are scanned by codes: some milliseconds
// What costs as much as so many of these:
constexpr double kOfRead = 100;       // a component of a vector that is read (Manhattan, and Euclid where it must)
constexpr double kOfSlot = 32;        // a slot that an index looks at
constexpr double kOfOrdered = 800;    // a point that is put in the order of a payload's value
constexpr double kOfSorted = 100;     // a point that is passed in the order of ids
constexpr double kOfNew = 12'000;     // a point that is put into that order
constexpr double kOfPosting = 16;     // a point that has a term, at most: most have few of them
constexpr double kTermsOfPoint = 64;  // of a sparse vector that is another point's
constexpr std::size_t kQuickResults = 1'000;

Fault no_range_index(const PayloadPath& path) {
  return wrong_input(fmt::format(
      "No range index for `order_by` key: `{}`. Please create one to use `order_by`. Check "
      "https://qdrant.tech/documentation/concepts/indexing/#payload-index to see which payload schemas support Range "
      "conditions",
      path.to_text()));
}

double as_number(const OrderValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* time = std::get_if<Timestamp>(&value)) return static_cast<double>(time->micros);
  return std::get<double>(value);
}

// What a real Qdrant refuses before it looks at a point.
Outcome<void> check_step(const QueryStep& step) {
  const bool is_fusion =
      std::holds_alternative<RankFusion>(step.query) || std::holds_alternative<DistributionFusion>(step.query);
  const bool is_none = std::holds_alternative<std::monostate>(step.query);
  if (is_none && !step.prefetch.empty())
    return fail(
        bad_request("A query is needed to merge the prefetches. Can't have prefetches without defining a query."));
  if (is_none && step.score_threshold)
    return fail(bad_request(
        "A query is needed to use the score_threshold. Can't have score_threshold without defining a query."));
  if (step.score_threshold && std::holds_alternative<OrderBy>(step.query))
    return fail(bad_request("Can't use score_threshold with an order_by query."));
  if (is_fusion && !step.vector_name.empty())
    return fail(bad_request("Fusion queries cannot be combined with the 'using' field."));
  if (is_fusion && step.prefetch.empty())
    return fail(wrong_input("Validation failed: cannot apply Fusion without prefetches"));
  if (const auto* ranks = std::get_if<RankFusion>(&step.query); ranks && ranks->weights) {
    if (ranks->weights->size() != step.prefetch.size())
      return fail(
          wrong_input(fmt::format("Validation failed: RRF weights length ({}) does not match number of prefetches ({})",
                                  ranks->weights->size(), step.prefetch.size())));
    for (const float weight : *ranks->weights)
      if (!std::isfinite(reciprocal_rank(1, weight, ranks->k)))
        return fail(
            wrong_input(fmt::format("an RRF weight of {:g} gives no finite score where k is {:g}", weight, ranks->k)));
  }
  for (const QueryStep& one : step.prefetch) PANDORA_CHECK(check_step(one));
  return {};
}

// The points that a query and its prefetches ask by: none of them is an answer to any of these.
void collect_asked(const QueryStep& step, const CollectionMemory& memory, std::vector<Slot>& asked) {
  if (const auto* nearest = std::get_if<Nearest>(&step.query))
    if (const auto* id = std::get_if<PointId>(&nearest->target))
      if (const auto slot = memory.table().find(*id)) asked.push_back(*slot);
  for (const QueryStep& one : step.prefetch) collect_asked(one, memory, asked);
}

class Running {
 public:
  Running(const CollectionMemory& memory, const Deadline& deadline) : memory_(memory), deadline_(deadline) {}

  Outcome<Found> query(const QueryStep& root, std::size_t limit) {
    PANDORA_CHECK(check_step(root));
    std::vector<Slot> asked;
    collect_asked(root, memory_, asked);
    if (!asked.empty()) {
      others_ = memory_.live();
      for (const Slot slot : asked) others_->erase(slot);
    }
    return step(root, others_ ? &*others_ : nullptr, limit);
  }

  Outcome<Found> ordered(const OrderBy& order, const SlotSet* allowed, std::size_t limit) const {
    const std::string path = order.path.to_text();
    const FieldIndex* index = memory_.index(path);
    std::unique_ptr<FieldIndex> made;
    if (const auto schema = memory_.schemas().find(path); !index && schema != memory_.schemas().end()) {
      made = memory_.make_index(order.path, schema->second);  // it is still being filled, after a start
      index = made.get();
    }
    auto all = index ? index->ordered(allowed ? *allowed : memory_.live()) : std::nullopt;
    if (!all) return fail(no_range_index(order.path));
    std::optional<double> start;
    if (const auto* number = std::get_if<double>(&order.start_from)) start = *number;
    if (const auto* time = std::get_if<Timestamp>(&order.start_from)) start = static_cast<double>(time->micros);
    if (start)
      std::erase_if(*all, [&](const Ordered& one) {
        return order.descending ? as_number(one.value) > *start : as_number(one.value) < *start;
      });
    const auto before = [&](const Ordered& a, const Ordered& b) {
      const Ordered &first = order.descending ? b : a, &second = order.descending ? a : b;
      if (first.value != second.value) return first.value < second.value;
      return memory_.table().id(first.slot) < memory_.table().id(second.slot);
    };
    const auto middle = all->begin() + static_cast<std::ptrdiff_t>(std::min(limit, all->size()));
    std::partial_sort(all->begin(), middle, all->end(), before);
    Found found{{}, false, false};
    for (auto one = all->begin(); one != middle; ++one) found.points.push_back({one->slot, 1, one->value});
    return found;
  }

  // Ascending from `from`.
  std::vector<Slot> by_id(const PointId& from, const SlotSet* allowed, std::size_t limit) const {
    std::vector<Slot> slots;
    // Of few it is quicker to sort the ids than to walk past all others.
    if (allowed && allowed->count() < memory_.table().size() / 8) {
      std::vector<std::pair<PointId, Slot>> some;
      allowed->for_each([&](Slot slot) { some.emplace_back(memory_.table().id(slot), slot); });
      std::erase_if(some, [&](const auto& one) { return one.first < from; });
      std::ranges::sort(some);
      for (std::size_t i = 0; i < std::min(limit, some.size()); ++i) slots.push_back(some[i].second);
      return slots;
    }
    memory_.table().visit_from(from, [&](const PointId&, Slot slot) {
      if (slots.size() == limit) return false;
      if (!allowed || allowed->contains(slot)) slots.push_back(slot);
      return true;
    });
    return slots;
  }

 private:
  // `inherited`: the slots that the steps above allow; null: all.
  Outcome<Found> step(const QueryStep& step, const SlotSet* inherited, std::size_t limit) {
    PANDORA_CHECK(deadline_.check("searching"));
    std::optional<SlotSet> own;
    const bool is_filtered = step.filter && !step.filter->is_empty();
    if (is_filtered) {
      filters_.push_back(&*step.filter);
      PANDORA_TRY(slots, allowed_here(inherited));
      own = std::move(slots);
    }
    const SlotSet* allowed = own ? &*own : inherited;
    Outcome<Found> found = step.prefetch.empty() ? leaf(step, allowed, limit) : merged(step, allowed, limit);
    if (is_filtered) filters_.pop_back();
    return found;
  }

  // A filter and those of the steps above count as one. Unless there are two lists of alternatives to be joined that is
  // what both allow.
  Outcome<SlotSet> allowed_here(const SlotSet* inherited) const {
    const auto with = [&](auto list) { return std::ranges::count_if(filters_, list); };
    const bool joined = with([](const Filter* one) { return !one->should.empty(); }) > 1 ||
                        with([](const Filter* one) { return one->min_count > 0; }) > 1;
    PANDORA_TRY(slots,
                joined ? slots_of(filters_, memory_, deadline_) : slots_of(*filters_.back(), memory_, deadline_));
    if (const SlotSet* outer = joined ? (others_ ? &*others_ : nullptr) : inherited) slots &= *outer;
    return slots;
  }

  Outcome<Found> merged(const QueryStep& step, const SlotSet* allowed, std::size_t limit) {
    std::vector<std::vector<Ranked>> lists;
    for (const QueryStep& one : step.prefetch) {
      PANDORA_TRY(found, this->step(one, allowed, one.limit));
      if (found.is_distance && std::holds_alternative<DistributionFusion>(step.query))
        for (Ranked& ranked : found.points) ranked.score = -ranked.score;
      lists.push_back(std::move(found.points));
    }
    if (const auto* ranks = std::get_if<RankFusion>(&step.query))
      return fused(fuse(lists, *ranks), step.score_threshold, limit);
    if (const auto* distribution = std::get_if<DistributionFusion>(&step.query))
      return fused(fuse(lists, *distribution), step.score_threshold, limit);
    SlotSet fetched;
    for (const auto& list : lists)
      for (const Ranked& one : list) fetched.insert(one.slot);
    return leaf(step, &fetched, limit);
  }

  Outcome<Found> leaf(const QueryStep& step, const SlotSet* allowed, std::size_t limit) {
    if (const auto* nearest = std::get_if<Nearest>(&step.query)) return this->nearest(step, *nearest, allowed, limit);
    if (const auto* order = std::get_if<OrderBy>(&step.query)) return ordered(*order, allowed, limit);
    Found found{{}, false, false};
    for (const Slot slot : by_id(PointId(), allowed, limit)) found.points.push_back({slot, 1, {}});
    return found;
  }

  Outcome<Found> nearest(const QueryStep& step, const Nearest& nearest, const SlotSet* allowed, std::size_t limit) {
    const auto number = memory_.number_of(step.vector_name);
    if (!number) return fail(no_such_vector(step.vector_name));
    VectorInput of_point;
    const VectorInput* target = std::get_if<VectorInput>(&nearest.target);
    if (!target) {
      const PointId& id = std::get<PointId>(nearest.target);
      const auto slot = memory_.table().find(id);
      if (!slot) return fail(not_found(fmt::format("No point with id {} found", id.to_text())));
      if (!memory_.present(*number).contains(*slot))
        return fail(not_found(fmt::format("Vector with name \"{}\" for point not found", step.vector_name)));
      if (const DenseSpace* space = memory_.dense(*number)) {
        const auto values = space->vector(*slot);
        of_point = DenseInput{{values.begin(), values.end()}, false};
      } else {
        of_point = memory_.sparse(*number, *slot);
      }
      target = &of_point;
    }
    const DenseSpace* space = memory_.dense(*number);
    const auto* dense = std::get_if<DenseInput>(target);
    if ((space != nullptr) != (dense != nullptr))
      return fail(wrong_input("Conversion between sparse and regular vectors failed"));
    std::vector<Hit> hits;
    if (space) {
      PANDORA_TRY(query, DenseSpace::prepare(*dense, space->params()));
      PANDORA_TRY(got, space->search(query, limit, allowed, deadline_));
      hits = std::move(got);
    } else {
      PANDORA_TRY(got, memory_.search_sparse(*number, std::get<SparseVector>(*target), limit, allowed, deadline_));
      hits = std::move(got);
    }
    std::vector<Ranked> ranked;
    ranked.reserve(hits.size());
    for (const Hit& hit : hits) ranked.push_back({hit.slot, hit.score, {}});
    std::optional<float> threshold = step.score_threshold;
    if (threshold && space) threshold = space->from_wire(*threshold);
    if (threshold) std::erase_if(ranked, [&](const Ranked& one) { return !(one.score > *threshold); });
    Found found = best(std::move(ranked), limit);
    found.is_distance = space && space->is_distance();
    return found;
  }

  // What is fused may be as good as the threshold, what is searched has to be better.
  Found fused(std::vector<Ranked> ranked, std::optional<float> threshold, std::size_t limit) const {
    if (threshold) std::erase_if(ranked, [&](const Ranked& one) { return !(one.score >= *threshold); });
    return best(std::move(ranked), limit);
  }
  Found best(std::vector<Ranked> ranked, std::size_t limit) const {
    std::ranges::sort(ranked, [&](const Ranked& a, const Ranked& b) {
      if (a.score != b.score) return a.score > b.score;
      return memory_.table().id(a.slot) < memory_.table().id(b.slot);
    });
    if (ranked.size() > limit) ranked.resize(limit);
    return {std::move(ranked), true, false};
  }

  const CollectionMemory& memory_;
  const Deadline& deadline_;
  std::optional<SlotSet> others_;       // than those that are asked by
  std::vector<const Filter*> filters_;  // of the step under way and of those above it
};

// In components that are scanned by codes, all its steps together. None: it takes its time whatever there is.
std::optional<double> cost_of(const QueryStep& step, const CollectionMemory& memory) {
  const auto slots = static_cast<double>(memory.table().bound()), points = static_cast<double>(memory.table().size());
  if (step.limit > kQuickResults) return std::nullopt;
  double cost = 0;
  // Asked twice: here, whether the indexes can tell, and by the search.
  if (step.filter) cost += 2 * kOfSlot * slots_looked_at(*step.filter, memory);
  for (const QueryStep& one : step.prefetch) {
    const auto more = cost_of(one, memory);
    if (!more) return std::nullopt;
    cost += *more;
  }
  if (const auto* order = std::get_if<OrderBy>(&step.query)) {
    if (!memory.index(order->path.to_text())) return std::nullopt;
    return cost + kOfOrdered * points;
  }
  if (!step.prefetch.empty()) return cost;  // what they found is little
  const auto* nearest = std::get_if<Nearest>(&step.query);
  if (!nearest)
    return cost + kOfNew * static_cast<double>(memory.table().unsorted()) + (step.filter ? kOfSorted * points : 0);
  const auto number = memory.number_of(step.vector_name);
  if (!number) return cost;
  if (const DenseSpace* space = memory.dense(*number))
    return cost + points * static_cast<double>(space->params().size) * (space->is_distance() ? kOfRead : 1);
  const auto* target = std::get_if<VectorInput>(&nearest->target);
  const auto* sparse = target ? std::get_if<SparseVector>(target) : nullptr;
  const double terms = sparse ? static_cast<double>(sparse->indices.size()) : kTermsOfPoint;
  return cost + kOfSlot * (step.filter ? slots : 0) + kOfPosting * terms * points;
}

bool filters_are_indexed(const QueryStep& step, const CollectionMemory& memory) {
  return (!step.filter || is_indexed(*step.filter, memory)) &&
         std::ranges::all_of(step.prefetch, [&](const QueryStep& one) { return filters_are_indexed(one, memory); });
}

}  // namespace

Outcome<Found> run_query(const QueryRequest& request, const CollectionMemory& memory, const Deadline& deadline) {
  // A point stands in an order as often as it has values.
  const std::size_t most = std::holds_alternative<OrderBy>(request.step.query)
                               ? std::numeric_limits<std::size_t>::max() / 2
                               : memory.table().size();
  const std::size_t limit = std::min(request.step.limit, most) + std::min(request.offset, most);
  PANDORA_TRY(found, Running(memory, deadline).query(request.step, limit));
  const auto offset = static_cast<std::ptrdiff_t>(std::min(request.offset, found.points.size()));
  found.points.erase(found.points.begin(), found.points.begin() + offset);
  return found;
}

Outcome<Scrolled> run_scroll(const ScrollRequest& request, const CollectionMemory& memory, const Deadline& deadline) {
  if (request.order_by && request.offset)
    return fail(wrong_input(
        "Cannot use an `offset` when using `order_by`. The alternative for paging is to use `order_by.start_from` and "
        "a filter to exclude the IDs that you've already seen for the `order_by.start_from` value"));
  PANDORA_CHECK(deadline.check("scrolling"));
  std::optional<SlotSet> allowed;
  if (request.filter && !request.filter->is_empty()) {
    PANDORA_TRY(slots, slots_of(*request.filter, memory, deadline));
    allowed = std::move(slots);
  }
  const Running running(memory, deadline);
  Scrolled scrolled;
  if (request.order_by) {
    PANDORA_TRY(found, running.ordered(*request.order_by, allowed ? &*allowed : nullptr, request.limit));
    scrolled.points = std::move(found.points);
    return scrolled;
  }
  const std::size_t limit = std::min(request.limit, memory.table().size());
  auto slots = running.by_id(request.offset.value_or(PointId()), allowed ? &*allowed : nullptr, limit + 1);
  if (slots.size() > limit) {
    scrolled.next = memory.table().id(slots.back());
    slots.pop_back();
  }
  for (const Slot slot : slots) scrolled.points.push_back({slot, 1, {}});
  return scrolled;
}

Outcome<std::size_t> run_count(const std::optional<Filter>& filter, const CollectionMemory& memory,
                               const Deadline& deadline) {
  if (!filter || filter->is_empty()) return memory.table().size();
  PANDORA_TRY(slots, slots_of(*filter, memory, deadline));
  return slots.count();
}

bool is_quick(const QueryRequest& request, const CollectionMemory& memory) {
  if (request.offset > kQuickResults) return false;
  const auto cost = cost_of(request.step, memory);
  return cost && *cost <= kQuickCost && filters_are_indexed(request.step, memory);
}

}  // namespace pandora::qdrant
