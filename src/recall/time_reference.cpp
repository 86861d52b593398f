#include "recall/time_reference.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <string>
#include <vector>

namespace pandora {
namespace {

using std::chrono::days;
using std::chrono::months;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month;
using std::chrono::year_month_day;

// Days, local.
struct DayRange {
  sys_days from, to;
  enum class Named { kRelative, kWithoutYear, kWithYear } named = Named::kRelative;
};

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || byte >= 0x80 ||
        (c == '-' && !word.empty() && std::isdigit(static_cast<unsigned char>(word.back())))) {
      word += static_cast<char>(std::tolower(byte));
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

int index_in(const auto& names, std::string_view word) {  // -1: none
  const auto found = std::ranges::find(names, word);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

constexpr std::array<std::string_view, 12> kMonths = {"january",   "february", "march",    "april",
                                                      "may",       "june",     "july",     "august",
                                                      "september", "october",  "november", "december"};
constexpr std::array<std::string_view, 7> kWeekdays = {"monday", "tuesday",  "wednesday", "thursday",
                                                       "friday", "saturday", "sunday"};
constexpr std::array<std::string_view, 13> kNumbers = {"zero",  "one",   "two",  "three", "four",   "five",  "six",
                                                       "seven", "eight", "nine", "ten",   "eleven", "twelve"};
constexpr std::array<std::string_view, 4> kUnits = {"day", "week", "month", "year"};
enum class Unit { kDay, kWeek, kMonth, kYear };

// Digits alone, at most four; -1: no such number.
int digits(std::string_view word) {
  if (word.empty() || word.size() > 4 ||
      !std::ranges::all_of(word, [](unsigned char c) { return std::isdigit(c) != 0; }))
    return -1;
  int value = 0;
  for (const char c : word) value = value * 10 + (c - '0');
  return value;
}
// "3", "3rd", "21st"
int day_of_month(std::string_view word) {
  for (const std::string_view ending : {"st", "nd", "rd", "th"})
    if (word.size() > 2 && word.ends_with(ending)) word.remove_suffix(2);
  const int day = digits(word);
  return day >= 1 && day <= 31 ? day : -1;
}
int year_number(std::string_view word) {
  const int number = digits(word);
  return word.size() == 4 && number >= 1970 && number <= 2199 ? number : -1;
}

class Reader {
 public:
  Reader(std::string_view question, sys_days today) : words_(words_of(question)), today_(today) {}

  std::optional<DayRange> read() {
    std::optional<DayRange> first;
    for (at_ = 0; at_ < words_.size(); ++at_) {
      const auto range = here();
      if (range && range->named == DayRange::Named::kWithYear) return range;
      if (range && !first) first = range;
    }
    return first;
  }

 private:
  std::string_view word(int offset = 0) const {
    const auto index = static_cast<std::ptrdiff_t>(at_) + offset;
    return index < 0 || index >= std::ssize(words_) ? std::string_view() : words_[static_cast<std::size_t>(index)];
  }

  std::optional<DayRange> here() const {
    if (word() == "today" ||
        (word() == "this" && (word(1) == "morning" || word(1) == "afternoon" || word(1) == "evening")))
      return day(0);
    if (word() == "yesterday") return word(-1) == "before" && word(-2) == "day" ? day(-2) : day(-1);
    if (word() == "day" && word(1) == "before" && word(2) == "yesterday") return day(-2);
    if (word() == "last" && word(1) == "night") return day(-1);
    if (const auto range = iso_date()) return range;
    if (const auto range = ago()) return range;
    if (const auto range = last_or_this()) return range;
    if (const auto range = weekday()) return range;
    if (const auto range = month()) return range;
    const int number = year_number(word());
    if (number > 0 && (word(-1) == "in" || word(-1) == "during" || word(-1) == "of")) return with_year(years(number));
    return std::nullopt;
  }

  static std::optional<DayRange> with_year(std::optional<DayRange> range) {
    if (range) range->named = DayRange::Named::kWithYear;
    return range;
  }
  DayRange day(int offset) const { return {today_ + days(offset), today_ + days(offset + 1)}; }
  sys_days monday() const { return today_ - (std::chrono::weekday(today_) - std::chrono::Monday); }
  year_month this_month() const { return year_month(year_month_day(today_).year(), year_month_day(today_).month()); }
  static DayRange whole(year_month month) { return {sys_days(month / 1), sys_days((month + months(1)) / 1)}; }
  static DayRange years(int number) { return {sys_days(year(number) / 1 / 1), sys_days(year(number + 1) / 1 / 1)}; }
  static std::optional<DayRange> one_day(year_month_day date) {
    if (!date.ok()) return std::nullopt;
    return DayRange{sys_days(date), sys_days(date) + days(1)};
  }

  DayRange units_back(Unit unit, int count) const {
    switch (unit) {
      case Unit::kDay:
        return day(-count);
      case Unit::kWeek:
        return {monday() - days(7 * count), monday() - days(7 * (count - 1))};
      case Unit::kMonth:
        return whole(this_month() - months(count));
      case Unit::kYear:
        break;
    }
    return years(static_cast<int>(year_month_day(today_).year()) - count);
  }

  std::optional<DayRange> iso_date() const {  // 2023-07-03
    const std::string_view text = word();
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
    const int y = year_number(text.substr(0, 4)), m = digits(text.substr(5, 2)), d = digits(text.substr(8, 2));
    if (y < 0 || m < 1 || d < 1) return std::nullopt;
    return with_year(one_day(year(y) / m / d));
  }

  std::optional<DayRange> ago() const {  // "3 weeks ago", "a month ago", "a couple of days ago"
    std::string_view unit_word = word(1);
    int count = word() == "a" || word() == "an" ? 1 : std::max(digits(word()), index_in(kNumbers, word()));
    int unit_at = 1;
    if (word() == "couple" && word(1) == "of") count = 2, unit_at = 2, unit_word = word(2);
    if (unit_word.ends_with('s')) unit_word.remove_suffix(1);
    const int unit = index_in(kUnits, unit_word);
    constexpr int kMost = 1'000;
    if (count < 1 || count > kMost || unit < 0 || word(unit_at + 1) != "ago") return std::nullopt;
    return units_back(static_cast<Unit>(unit), count);
  }

  std::optional<DayRange> last_or_this() const {  // "last week", "this month", "past year", "last Tuesday", "last May"
    const bool last = word() == "last" || word() == "past";
    if (!last && word() != "this") return std::nullopt;
    if (const int unit = index_in(kUnits, word(1)); unit > 0) return units_back(static_cast<Unit>(unit), last ? 1 : 0);
    if (const int name = index_in(kWeekdays, word(1)); name >= 0) return latest_weekday(name, !last);
    if (const int name = index_in(kMonths, word(1)); name >= 0) {
      const auto month = static_cast<unsigned>(name + 1);
      const auto now = this_month();
      const bool past =
          month < static_cast<unsigned>(now.month()) || (!last && month == static_cast<unsigned>(now.month()));
      return whole(year_month(now.year() - std::chrono::years(past ? 0 : 1), std::chrono::month(month)));
    }
    return std::nullopt;
  }

  std::optional<DayRange> weekday() const {
    const int name = index_in(kWeekdays, word());
    if (name < 0 || word(-1) == "next" || word(-1) == "every") return std::nullopt;
    return latest_weekday(name, true);
  }
  DayRange latest_weekday(int name, bool with_today) const {  // 0: Monday
    const int now = static_cast<int>((std::chrono::weekday(today_) - std::chrono::Monday).count());
    const int back = (now - name + 7) % 7;
    return day(back == 0 && !with_today ? -7 : -back);
  }

  std::optional<DayRange> month() const {  // "3 July 2023", "the 3rd of July", "July 3, 2023", "July 2023", "in July"
    const int name = index_in(kMonths, word());
    if (name < 0) return std::nullopt;
    const int before = word(-1) == "of" ? day_of_month(word(-2)) : day_of_month(word(-1));
    const int after = day_of_month(word(1));
    const int day = before > 0 ? before : after;
    const int number = before > 0 ? year_number(word(1)) : after > 0 ? year_number(word(2)) : year_number(word(1));
    if (day < 0 && number < 0) {
      const bool in_place = word(-1) == "in" || word(-1) == "during" || word(-1) == "since" || word(-1) == "of";
      if (!in_place) return std::nullopt;
    }
    const auto month = std::chrono::month(static_cast<unsigned>(name + 1));
    const auto date_in = [&](year y) -> std::optional<DayRange> {
      return day > 0 ? one_day(y / month / day) : std::optional(whole(year_month(y, month)));
    };
    if (number > 0) return with_year(date_in(year(number)));
    const auto this_year = year_month_day(today_).year();
    auto range = date_in(this_year);
    if (!range || range->from > today_) range = date_in(this_year - std::chrono::years(1));
    if (range) range->named = DayRange::Named::kWithoutYear;
    return range;
  }

  const std::vector<std::string> words_;
  const sys_days today_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<TimeReference> referenced_time(std::string_view question, Timestamp now, Duration zone_offset) {
  const std::chrono::sys_time<Duration> local{Duration(now.micros) + zone_offset};
  const auto found = Reader(question, std::chrono::floor<days>(local)).read();
  if (!found) return std::nullopt;
  const auto utc = [&](sys_days day) {
    return Timestamp{std::chrono::duration_cast<Duration>(day.time_since_epoch()).count()} - zone_offset;
  };
  return TimeReference{{utc(found->from), utc(found->to)}, found->named == DayRange::Named::kWithoutYear};
}

}  // namespace pandora
