#include "wire/receipt_codec.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/hash.h"

namespace pandora {
namespace {

constexpr std::string_view kMagic = "PNDRCPT";
constexpr std::size_t kHeadBytes = 8, kSumBytes = 4;
// What ranking adds and subtracts must not overflow, whatever the bytes say.
constexpr std::uint64_t kMaxAmount = std::uint64_t{1} << 40;
constexpr std::int64_t kMaxTime = std::int64_t{1} << 61;

// Of a candidate's first two bytes, from the lowest: fate (4 bits), state of the row (3), then these.
enum Flag : unsigned {
  kDense = 1u << 7,
  kLexical = 1u << 8,
  kAt = 1u << 9,
  kAsks = 1u << 10,
  kRow = 1u << 11,
  kOnlyAsked = 1u << 12,
  kConfidence = 1u << 13,  // is not 1
  kTokens = 1u << 14,
  kPlace = 1u << 15,
};
constexpr unsigned kFateMask = 15, kStateShift = 4, kStateMask = 7;

std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// A UUIDv7 begins with its milliseconds: for what was said when it was written, `at` is a small step from there.
std::int64_t micros_of(const Uuid& uid) {
  std::uint64_t millis = 0;
  for (int i = 0; i < 6; ++i) millis = millis << 8 | uid.bytes[static_cast<std::size_t>(i)];
  return static_cast<std::int64_t>(millis * 1'000);
}

// Texts and numbers that many candidates share are written once, where they first occur; later ones name them.
template <class T>
class Shared {
 public:
  // 0: new, and known from now on; else its number.
  std::uint64_t number_of(const T& value) {
    const auto [known, is_new] = numbers_.try_emplace(value, numbers_.size() + 1);
    return is_new ? 0 : known->second;
  }

 private:
  std::map<T, std::uint64_t> numbers_;
};

class Writer {
 public:
  std::string take() { return std::move(bytes_); }
  void raw(std::string_view bytes) { bytes_ += bytes; }
  template <class T>
  void fixed(T value) {  // little-endian
    for (std::size_t i = 0; i < sizeof value; ++i) bytes_ += static_cast<char>(value >> 8 * i & 0xFF);
  }
  void number(std::uint64_t value) {  // seven bits a byte, the lowest first
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  void integer(std::int64_t value) { number(zigzag(value)); }
  void amount(std::int64_t value) { number(static_cast<std::uint64_t>(value)); }  // never negative
  void text(std::string_view value) {
    number(value.size());
    bytes_ += value;
  }
  void uid(const Uuid& value) { bytes_.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()); }
  void real(double value) { fixed(std::bit_cast<std::uint64_t>(value)); }
  void real(float value) { fixed(std::bit_cast<std::uint32_t>(value)); }
  void shared(const std::string& value) {
    const auto known = texts_.number_of(value);
    number(known);
    if (known == 0) text(value);
  }
  void shared(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value), known = reals_.number_of(bits);
    number(known);
    if (known == 0) fixed(bits);
  }

 private:
  std::string bytes_;
  Shared<std::string> texts_;
  Shared<std::uint64_t> reals_;
};

// The first fault sticks; what is read after it is empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }
  void refuse() { ok_ = false, bytes_ = {}; }

  std::string_view raw(std::size_t size) {
    if (size > bytes_.size()) return refuse(), std::string_view();
    const auto found = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return found;
  }
  template <class T>
  T fixed() {
    T value = 0;
    const auto found = raw(sizeof value);
    for (std::size_t i = 0; i < found.size(); ++i)
      value = static_cast<T>(value | static_cast<T>(static_cast<unsigned char>(found[i])) << 8 * i);
    return value;
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; ok_; shift += 7) {
      const auto byte = fixed<std::uint8_t>();
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80 && (byte != 0 || shift == 0)) return value;
      if (byte < 0x80) break;  // a longer form of a shorter number
    }
    return refuse(), 0;
  }
  std::int64_t integer() { return unzigzag(number()); }
  std::int64_t amount() {
    const auto value = number();
    if (value > kMaxAmount) return refuse(), 0;
    return static_cast<std::int64_t>(value);
  }
  Timestamp time(std::int64_t since) {
    const auto value =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(integer()) + static_cast<std::uint64_t>(since));
    if (value > kMaxTime || value < -kMaxTime) return refuse(), Timestamp();
    return {value};
  }
  std::size_t count() {  // of things of at least a byte each
    const auto value = number();
    if (value > bytes_.size()) return refuse(), 0;
    return static_cast<std::size_t>(value);
  }
  bool flag() {
    const auto value = number();
    if (value > 1) refuse();
    return value == 1;
  }
  std::string text() { return std::string(raw(count())); }
  Uuid uid() {
    Uuid value;
    const auto found = raw(value.bytes.size());
    std::ranges::copy(found, value.bytes.begin());
    return value;
  }
  double real() { return finite(std::bit_cast<double>(fixed<std::uint64_t>())); }
  float small_real() { return finite(std::bit_cast<float>(fixed<std::uint32_t>())); }
  std::string shared_text() {
    return shared(texts_, [this] { return text(); });
  }
  double shared_real() {
    return finite(std::bit_cast<double>(shared(reals_, [this] { return fixed<std::uint64_t>(); })));
  }
  template <class E>
  E one_of(std::uint64_t value, E last) {
    if (value > static_cast<std::uint64_t>(last)) return refuse(), E{};
    return static_cast<E>(value);
  }
  template <class Parsed>
  Parsed name() {  // of a user or session; empty: none
    const std::string given = text();
    if (given.empty()) return {};
    const auto parsed = Parsed::parse(given);
    if (!parsed) return refuse(), Parsed();
    return *parsed;
  }

 private:
  template <class T>
  T finite(T value) {
    if (!std::isfinite(value)) return refuse(), T{};
    return value;
  }
  template <class T>
  struct Known {
    std::vector<T> by_number;
    std::set<T> all;
  };
  template <class T, class Read>
  T shared(Known<T>& known, Read read) {
    const auto index = number();
    if (index > known.by_number.size()) return refuse(), T{};
    if (index > 0) return known.by_number[index - 1];
    T value = read();
    if (!known.all.insert(value).second) return refuse(), T{};  // it had a number
    known.by_number.push_back(value);
    return value;
  }
  std::string_view bytes_;
  bool ok_ = true;
  Known<std::string> texts_;
  Known<std::uint64_t> reals_;
};

unsigned row_flags(const RowFacts& row) {
  return static_cast<unsigned>(row.state) << kStateShift | (row.only_asked ? kOnlyAsked : 0u) |
         (row.confidence != 1 ? kConfidence : 0u) | (row.tokens ? kTokens : 0u);
}
void write_row(Writer& out, const RowFacts& row) {
  if (row.confidence != 1) out.real(row.confidence);
  if (row.tokens) out.amount(*row.tokens);
}
RowFacts read_row(Reader& in, unsigned flags) {
  RowFacts row;
  row.state = in.one_of(flags >> kStateShift & kStateMask, RowState::kHeld);
  row.only_asked = (flags & kOnlyAsked) != 0;
  if (flags & kConfidence) row.confidence = in.real();
  if (flags & kConfidence && row.confidence == 1) in.refuse();
  if (flags & kTokens) row.tokens = in.amount();
  return row;
}
void write_place(Writer& out, std::int64_t place) {
  if (place > 0) out.amount(place);
}
std::int64_t read_place(Reader& in, unsigned flags) {
  if (!(flags & kPlace)) return 0;
  const auto place = in.amount();
  if (place == 0) in.refuse();
  return place;
}

void write_given(Writer& out, const RecallGiven& given) {
  out.fixed(static_cast<std::uint16_t>(static_cast<unsigned>(given.fate) | row_flags(given.row) |
                                       (given.place > 0 ? kPlace : 0u)));
  out.number(static_cast<std::uint64_t>(given.kind));
  out.uid(given.uid);
  write_row(out, given.row);
  write_place(out, given.place);
}
RecallGiven read_given(Reader& in) {
  const unsigned flags = in.fixed<std::uint16_t>();
  if (flags & (kDense | kLexical | kAt | kAsks | kRow)) in.refuse();
  RecallGiven given;
  given.fate = in.one_of(flags & kFateMask, RecallFate::kOverLimit);
  given.kind = in.one_of(in.number(), GatheredKind::kSource);
  given.uid = in.uid();
  given.row = read_row(in, flags);
  given.place = read_place(in, flags);
  return given;
}

void write_candidate(Writer& out, const RecallCandidate& one) {
  out.fixed(static_cast<std::uint16_t>(static_cast<unsigned>(one.fate) | (one.dense ? kDense : 0u) |
                                       (one.lexical ? kLexical : 0u) | (one.at ? kAt : 0u) | (one.asks ? kAsks : 0u) |
                                       (one.row ? kRow | row_flags(*one.row) : 0u) | (one.place > 0 ? kPlace : 0u)));
  out.uid(one.uid);
  if (one.dense) out.real(*one.dense);
  if (one.lexical) out.real(*one.lexical);
  if (one.at) out.integer(one.at->micros - micros_of(one.uid));
  out.shared(one.session);
  out.shared(one.speaker);
  out.shared(one.quality);
  out.number(one.follows ? 1u : 0u);
  if (one.follows) out.uid(*one.follows);
  if (one.row) write_row(out, *one.row);
  if (one.fate != RecallFate::kNoise) out.real(one.score);
  write_place(out, one.place);
}
RecallCandidate read_candidate(Reader& in, int version) {
  const unsigned flags = in.fixed<std::uint16_t>();
  RecallCandidate one;
  one.fate = in.one_of(flags & kFateMask, RecallFate::kOverLimit);
  one.uid = in.uid();
  if (flags & kDense) one.dense = in.small_real();
  if (flags & kLexical) one.lexical = in.small_real();
  if (flags & kAt) one.at = in.time(micros_of(one.uid));
  one.asks = (flags & kAsks) != 0;
  one.session = in.shared_text();
  one.speaker = in.shared_text();
  one.quality = in.shared_real();
  if (version >= 2 && in.flag()) one.follows = in.uid();
  if (flags & kRow)
    one.row = read_row(in, flags);
  else if (flags & (kOnlyAsked | kConfidence | kTokens | kStateMask << kStateShift))
    in.refuse();
  if (one.fate != RecallFate::kNoise) one.score = in.real();
  one.place = read_place(in, flags);
  return one;
}

template <class T, class Write>
void write_list(Writer& out, const std::vector<T>& list, Write write) {
  out.number(list.size());
  for (const auto& one : list) write(out, one);
}
template <class Read>
auto read_list(Reader& in, Read read) {
  std::vector<decltype(read(in))> list;
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) list.push_back(read(in));
  return list;
}

RecallReceipt read_receipt(Reader& in, int version) {
  RecallReceipt receipt;
  receipt.id = in.uid();
  const auto has = in.number();
  if (has > 7) in.refuse();
  if (has & 1) receipt.turn = in.uid();
  receipt.question_cut = (has & 2) != 0;
  receipt.user = in.name<UserId>();
  receipt.session = in.name<SessionId>();
  receipt.question = in.text();
  receipt.at = in.time(0);
  if (has & 4) {
    const Timestamp from = in.time(0), to = in.time(0);
    receipt.time = TimeRange{from, to};
  }
  receipt.scope = in.one_of(in.number(), Scope::kGlobal);
  receipt.token_budget = in.amount();
  receipt.limit = in.amount();
  receipt.candidates = in.amount();
  receipt.embedder = in.text();
  receipt.analyzer = static_cast<int>(in.fixed<std::uint16_t>());
  receipt.formula = static_cast<int>(in.fixed<std::uint16_t>());
  receipt.mode = in.one_of(in.number(), RecallMode::kNone);
  receipt.missing = read_list(in, [](Reader& from) { return from.text(); });
  for (auto* micros : {&receipt.micros.embed, &receipt.micros.search, &receipt.micros.rank, &receipt.micros.total})
    *micros = in.amount();
  receipt.forgotten = in.amount();
  receipt.tokens = in.amount();
  receipt.given = read_list(in, read_given);
  for (auto* list : {&receipt.turns, &receipt.memories, &receipt.research})
    *list = read_list(in, [version](Reader& from) { return read_candidate(from, version); });
  return receipt;
}

tl::unexpected<Error> corrupt() { return fail(ErrorCode::kDataCorrupt, "a receipt of a recall is damaged"); }

}  // namespace

std::string encode_receipt(const RecallReceipt& receipt) {
  Writer out;
  out.raw(kMagic);
  out.fixed(static_cast<std::uint8_t>(kReceiptVersion));
  out.uid(receipt.id);
  out.number((receipt.turn ? 1u : 0u) | (receipt.question_cut ? 2u : 0u) | (receipt.time ? 4u : 0u));
  if (receipt.turn) out.uid(*receipt.turn);
  out.text(receipt.user.str());
  out.text(receipt.session.str());
  out.text(receipt.question);
  out.integer(receipt.at.micros);
  if (receipt.time)
    for (const auto end : {receipt.time->from, receipt.time->to}) out.integer(end.micros);
  out.number(static_cast<std::uint64_t>(receipt.scope));
  for (const auto amount : {receipt.token_budget, receipt.limit, receipt.candidates}) out.amount(amount);
  out.text(receipt.embedder);
  out.fixed(static_cast<std::uint16_t>(receipt.analyzer));
  out.fixed(static_cast<std::uint16_t>(receipt.formula));
  out.number(static_cast<std::uint64_t>(receipt.mode));
  write_list(out, receipt.missing, [](Writer& to, const std::string& text) { to.text(text); });
  for (const auto micros : {receipt.micros.embed, receipt.micros.search, receipt.micros.rank, receipt.micros.total})
    out.amount(micros);
  for (const auto amount : {receipt.forgotten, receipt.tokens}) out.amount(amount);
  write_list(out, receipt.given, write_given);
  for (const auto* list : {&receipt.turns, &receipt.memories, &receipt.research})
    write_list(out, *list, write_candidate);
  std::string bytes = out.take();
  const std::uint32_t sum = crc32c(bytes);
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(sum >> 8 * i & 0xFF);
  return bytes;
}

Result<RecallReceipt> decode_receipt(std::string_view bytes) {
  if (bytes.size() > kMaxReceiptBytes)
    return fail(ErrorCode::kTooLarge,
                fmt::format("a receipt of {} bytes, at most {} are read", bytes.size(), kMaxReceiptBytes));
  if (bytes.size() < kHeadBytes + kSumBytes || !bytes.starts_with(kMagic)) return corrupt();
  const int version = static_cast<unsigned char>(bytes[kMagic.size()]);
  if (version > kReceiptVersion)
    return fail(ErrorCode::kIncompatible,
                fmt::format("a receipt of version {}, this program knows up to {}", version, kReceiptVersion),
                "use the newer pandora that wrote it");
  const auto content = bytes.substr(0, bytes.size() - kSumBytes);
  if (Reader(bytes.substr(content.size())).fixed<std::uint32_t>() != crc32c(content)) return corrupt();
  Reader in(content.substr(kHeadBytes));
  RecallReceipt receipt = read_receipt(in, version);
  if (version < 1 || !in.ok() || !in.at_end()) return corrupt();
  return receipt;
}

}  // namespace pandora
