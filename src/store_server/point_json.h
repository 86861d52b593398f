// Inside store_server: points and filters of the port as Qdrant's JSON, and back.
//
// A payload stands there as others would write it: texts, numbers, bools, arrays of texts, times as
// "2026-01-05T10:00:00.000000Z". What JSON or Qdrant would mix up is kept apart:
// - a text that looks like a date, or begins with "\", has a "\" before it: a text never equals a time;
// - an array in a field that says whose a point is begins with "\[]", and so is nobody's;
// - a fraction in a field that is indexed as integers stands in kFractionsField, since that index does not have it;
// - the version of a point stands in kVersionField.
// The two fields' names are none that a payload of the port may have.
#pragma once
#include <string>

#include "ports/vector_store.h"
#include "wire/json_tape.h"

namespace pandora {

inline constexpr std::string_view kVersionField = "pandora-version";
inline constexpr std::string_view kFractionsField = "pandora-fractions";

// Times before year 1 or after 9999 have no such form: kInvalidArgument.
Status check_times(const Payload& payload);
Status check_times(const Filter& filter);

// `point` has passed check_points; its dense vector is normalised already.
void append_point(std::string& out, const CollectionSpec& spec, const Point& point);
void append_ids(std::string& out, std::span<const Uuid> ids);  // with brackets
// The filter as an object, with what `who` may see; empty: everything.
std::string filter_json(const CollectionSpec& spec, const Filter& filter, const Principal& who);
// An object: a stored point may be replaced by one of these, which share a collection: none is newer, each is `who`'s.
std::string replaceable_json(std::span<const Point* const> points, const Principal& who);
// An object: these, as far as `who` may remove them.
std::string removable_json(std::span<const Uuid> ids, const Principal& who);

// None when its id is not of ours. Fields of no kind of the port's are left out.
std::optional<Point> read_point(JsonNode node);

}  // namespace pandora
