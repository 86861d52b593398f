#include "vecdb/index_files.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "base/byte_reader.h"
#include "base/hash.h"
#include "base/log.h"
#include "vecdb/file_part.h"

namespace pandora {
namespace {

constexpr std::string_view kMagic = "PNDRIDX";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxManifestBytes = std::size_t{512} << 20;  // a bit a slot, and a line a part
constexpr std::string_view kManifest = "MANIFEST";
constexpr std::string_view kPartSuffix = ".part";

template <class T>
void put(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Two shapes with the same are the same.
std::array<std::uint8_t, 32> print_of(const IndexShape& shape) {
  std::string text = fmt::format("{} {}\n", shape.dense.size(), shape.sparse);
  for (const std::size_t dimension : shape.dense) text += fmt::format("{} ", dimension);
  for (const auto& [name, type] : shape.fields) text += fmt::format("\n{} {}", name, static_cast<int>(type));
  return sha256(text + "\n\n" + shape.meaning);
}

std::size_t next_multiple(std::size_t slots) {
  return (slots + CodeTable::kGroup - 1) / CodeTable::kGroup * CodeTable::kGroup;
}

struct NamedPart {
  PartName name;
  SlotSet live;
};
struct Manifest {
  std::uint64_t applied = 0, removals = 0, highest = 0, next_number = 1;
  std::vector<DenseCentre> centres;
  std::vector<NamedPart> parts;
};

Result<Manifest> decode_manifest(std::string_view bytes, const IndexShape& shape, std::size_t most_slots,
                                 const Uuid& epoch) {
  const auto damage = [] { return fail(ErrorCode::kDataCorrupt, "the index's manifest is damaged"); };
  if (bytes.size() < kMagic.size() + 1 + sizeof(std::uint32_t) || !bytes.starts_with(kMagic)) return damage();
  std::uint32_t sum = 0;
  std::memcpy(&sum, bytes.data() + bytes.size() - sizeof sum, sizeof sum);
  bytes.remove_suffix(sizeof sum);
  if (crc32c(bytes) != sum) return damage();
  ByteReader in(bytes.substr(kMagic.size()));
  if (in.take<std::uint8_t>() != kVersion) return fail(ErrorCode::kIncompatible, "the index is of another version");
  if (in.take<Uuid>() != epoch) return fail(ErrorCode::kIncompatible, "the index is of another database");
  if (in.take<std::array<std::uint8_t, 32>>() != print_of(shape))
    return fail(ErrorCode::kIncompatible, "the index is of another shape");
  Manifest manifest;
  manifest.applied = in.take<std::uint64_t>();
  manifest.removals = in.take<std::uint64_t>();
  manifest.highest = in.take<std::uint64_t>();
  manifest.next_number = in.take<std::uint64_t>();
  for (const std::size_t dimension : shape.dense) {
    DenseCentre& centre = manifest.centres.emplace_back();
    centre.at = in.take<std::uint64_t>();
    centre.mean = in.take_array<float>(dimension);
  }
  std::uint64_t behind = 0;
  for (auto left = in.take<std::uint32_t>(); left > 0 && in.ok(); --left) {
    NamedPart part;
    part.name.number = in.take<std::uint64_t>();
    part.name.first = in.take<Slot>();
    part.name.slots = in.take<std::uint32_t>();
    part.name.bytes = in.take<std::uint64_t>();
    part.name.sum = in.take<std::uint32_t>();
    if (part.name.first < behind || part.name.first % CodeTable::kGroup != 0 ||
        part.name.slots % CodeTable::kGroup != 0)
      return damage();
    behind = std::uint64_t{part.name.first} + part.name.slots;
    if (behind > most_slots) return damage();
    for (Slot slot = part.name.first; slot < behind && in.ok(); slot += SlotSet::kWordBits) {
      const std::uint64_t word = in.take<std::uint64_t>();
      part.live.add_at(slot, {&word, 1});
    }
    manifest.parts.push_back(std::move(part));
  }
  if (!in.finished()) return damage();
  return manifest;
}

std::optional<std::uint64_t> number_of(std::string_view name) {
  if (!name.ends_with(kPartSuffix)) return std::nullopt;
  name.remove_suffix(kPartSuffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? std::optional(number) : std::nullopt;
}

}  // namespace

IndexFiles::IndexFiles(FileSystem& files, std::string directory, Uuid epoch, Truth truth)
    : files_(files), directory_(std::move(directory)), epoch_(epoch), truth_(truth) {}

bool IndexFiles::any() const { return files_.exists(join_path(directory_, kManifest)); }

std::string IndexFiles::path_of(std::uint64_t number) const {
  return join_path(directory_, fmt::format("{:06}{}", number, kPartSuffix));
}

IndexFiles::Loaded IndexFiles::load(PointIndex& index, std::uint64_t last_seq, std::uint64_t removals_since) {
  Loaded loaded;
  // No number is given twice, also when the manifest that knew of it is gone.
  if (const auto entries = files_.list(directory_))
    for (const auto& entry : *entries)
      if (const auto number = number_of(entry.name)) next_number_ = std::max(next_number_, *number + 1);
  if (const Status read = load_manifest(index, last_seq, removals_since, loaded); !read) {
    loaded.why = read.error().message;
    if (truth_ == Truth::kHere) return loaded;
    // One that is refused now must not look right once the numbers have grown.
    if (read.error().code != ErrorCode::kNotFound)
      (void)files_.remove_file(join_path(directory_, kManifest)).and_then([&] {
        return files_.sync_directory(directory_);
      });
    sweep({});
  }
  loaded.whole = loaded.why.empty();
  return loaded;
}

Status IndexFiles::load_manifest(PointIndex& index, std::uint64_t last_seq, std::uint64_t removals_since,
                                 Loaded& loaded) {
  const auto bytes = files_.read_file(join_path(directory_, kManifest), kMaxManifestBytes);
  if (!bytes) return fail(bytes.error());
  PANDORA_TRY(manifest, decode_manifest(*bytes, index.shape(), index.most_slots_, epoch_));
  if (std::max({manifest.applied, manifest.removals, manifest.highest}) > last_seq)
    return fail(ErrorCode::kIncompatible, "the index is of a later state of the database");
  if (manifest.removals < removals_since) return fail(ErrorCode::kIncompatible, "the index is too old");
  next_number_ = std::max(next_number_, manifest.next_number);
  for (std::size_t v = 0; v < manifest.centres.size(); ++v) index.dense_[v]->set_centre(manifest.centres[v]);
  index.held_.clear();
  index.tail_.reset();
  std::vector<PartName> used;
  std::size_t bound = 0;
  for (const NamedPart& named : manifest.parts) {
    const Slot first = named.name.first;
    bound = first + std::size_t{named.name.slots};
    auto part = FilePart::open(files_, path_of(named.name.number), named.name, index.shape());
    bool good = part.has_value();
    std::vector<CodePlanes> planes;
    for (std::size_t v = 0; good && v < index.dense_.size(); ++v) {
      const auto codes = (*part)->codes(v);
      good = codes.has_value();
      if (good) planes.push_back(**codes);
    }
    if (!good) {
      ++loaded.lost_parts;
      loaded.why = part ? fmt::format("{} is damaged", path_of(named.name.number)) : part.error().message;
      continue;
    }
    index.hold(*part, named.live);
    for (std::size_t v = 0; v < planes.size(); ++v)
      (void)index.dense_[v]->load(first, named.name.slots, planes[v], (*part)->centred_at(v), named.live);
    (*part)->release_codes();
    used.push_back(named.name);
  }
  index.bound_ = std::max(index.bound_, bound);
  index.begin_tail();
  index.applied_ = loaded.lost_parts == 0 ? manifest.applied : 0;
  index.highest_ = manifest.highest;
  index.removals_applied_ = manifest.removals;
  if (index.damaged()) {  // found while words of the dead were counted, or codes made anew
    loaded.lost_parts += 1;
    loaded.why = "a part of the index is damaged";
    index.drop_damaged();
  }
  if (loaded.lost_parts == 0 || truth_ == Truth::kElsewhere) sweep(used);
  return {};
}

void IndexFiles::sweep(const std::vector<PartName>& named) const {
  const auto entries = files_.list(directory_);
  if (!entries) return;
  for (const auto& entry : *entries) {
    const auto number = number_of(entry.name);
    if (!number || std::ranges::find(named, *number, &PartName::number) != named.end()) continue;
    if (const Status removed = files_.remove_file(join_path(directory_, entry.name)); !removed)
      log_info("index.sweep", {{"why", removed.error().to_line()}});  // the next one finds it again
  }
}

std::unique_ptr<IndexFiles::Checkpoint> IndexFiles::begin(PointIndex& index, Scope scope) {
  auto& held = index.held_;
  const bool has_dead = std::ranges::any_of(held, [](const auto& one) { return one.part->file() && one.dead > 0; });
  if (index.unsaved_ == 0 && !(scope == Scope::kPurge && has_dead)) return nullptr;
  if (index.tail_->slots() > 0) index.begin_tail();
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint(*this));
  checkpoint->shape_ = &index.shape();
  checkpoint->applied_ = index.applied_;
  checkpoint->removals_ = index.removals_applied_;
  checkpoint->highest_ = index.highest_;
  checkpoint->changes_ = index.unsaved_;
  checkpoint->live_ = index.live_;
  for (const auto& dense : index.dense_) checkpoint->centres_.push_back(dense->centre());

  const auto is_stale = [&](const IndexPart& part) {
    for (std::size_t v = 0; v < index.dense_.size(); ++v)
      if (part.file() && part.centred_at(v) != index.dense_[v]->centre().at) return true;
    return false;
  };
  const bool any_stale = std::any_of(held.begin(), held.end(), [&](const auto& one) { return is_stale(*one.part); });
  const auto add_output = [&](std::size_t from, std::size_t to) {
    Checkpoint::Output output;
    PartContent& content = output.content;
    for (std::size_t i = from; i < to; ++i) {
      if (held[i].live == 0) continue;
      PartSource source{held[i].part, std::vector<std::optional<CodeTable::Copy>>(index.dense_.size())};
      const std::size_t count = next_multiple(held[i].part->slots());
      for (std::size_t v = 0; v < index.dense_.size(); ++v)
        if (!source.part->file() || source.part->centred_at(v) != index.dense_[v]->centre().at)
          source.codes[v] = index.dense_[v]->copy_codes(source.part->first(), count);
      content.sources.push_back(std::move(source));
    }
    if (content.sources.empty()) return;
    const IndexPart& last = *content.sources.back().part;
    content.first = content.sources.front().part->first();
    content.slots = static_cast<std::uint32_t>(next_multiple(last.first() + last.slots() - content.first));
    content.live = index.live_;
    for (const auto& dense : index.dense_) content.centred_at.push_back(dense->centre().at);
    output.number = next_number_++;
    checkpoint->outputs_.push_back(std::move(output));
  };
  const auto keep = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if (held[i].part == index.tail_ || held[i].live == 0) continue;
      if (scope == Scope::kPurge && held[i].dead > 0)
        add_output(i, i + 1);
      else
        checkpoint->kept_.push_back(*held[i].part->file());
    }
  };
  const auto is_new = [&](std::size_t i) {
    return held[i].part != index.tail_ && (any_stale || !held[i].part->file() || held[i].unnamed);
  };
  // May a part hold both, this one and the one before it? No tail stands in between, nor will.
  const auto span = [&](std::size_t from, std::size_t to) {  // with what lies between parts and was let go of
    return held[to - 1].part->first() + held[to - 1].part->slots() - held[from].part->first();
  };
  const auto adjoins = [&](std::size_t i) {
    if (held[i].part == index.tail_ || held[i - 1].part == index.tail_) return false;
    return held[i].part->first() < held[i - 1].part->first() + held[i - 1].part->slots() + index.least_stretch_;
  };
  std::size_t done = 0;  // parts before are dealt with
  for (std::size_t i = 0; i < held.size(); ++i) {
    if (!is_new(i)) continue;
    std::size_t from = i, to = i + 1;
    while (to < held.size() && is_new(to) && adjoins(to)) ++to;
    while (from > done && adjoins(from)) {
      const std::size_t slots = next_multiple(span(from, to)), together = span(from - 1, to);
      if (together > 2 * slots || together > kPartSlots) break;
      --from;
    }
    keep(done, from);
    add_output(from, to);
    done = to;
    i = to - 1;
  }
  keep(done, held.size());
  return checkpoint;
}

std::uint64_t IndexFiles::Checkpoint::bytes() const {
  std::uint64_t sum = 0;
  for (const Output& output : outputs_)
    if (output.part) sum += output.part->file()->bytes;
  return sum;
}

Status IndexFiles::Checkpoint::write() {
  FileSystem& files = owner_.files_;
  PANDORA_CHECK(files.create_directories(owner_.directory_));
  const Status written = [&]() -> Status {
    for (Output& output : outputs_) {
      const std::string path = owner_.path_of(output.number);
      PANDORA_TRY(name, write_part(files, path, output.number, *shape_, output.content));
      PANDORA_TRY(part, FilePart::open(files, path, name, *shape_));
      output.part = std::move(part);
    }
    PANDORA_CHECK(files.sync_directory(owner_.directory_));
    return files.write_atomic(join_path(owner_.directory_, kManifest), manifest(), Durability::kNow);
  }();
  if (!written) {
    // Perhaps the manifest is there all the same; then what it names is, too: nothing is removed now.
    for (Output& output : outputs_) output.part.reset();
    return written;
  }
  std::vector<PartName> named = kept_;
  for (const Output& output : outputs_) named.push_back(*output.part->file());
  owner_.sweep(named);
  return {};
}

std::string IndexFiles::Checkpoint::manifest() const {
  std::string bytes(kMagic);
  put(bytes, kVersion);
  put(bytes, owner_.epoch_);
  put(bytes, print_of(*shape_));
  put(bytes, applied_);
  put(bytes, removals_);
  put(bytes, highest_);
  put(bytes, owner_.next_number_);
  for (const DenseCentre& centre : centres_) {
    put(bytes, centre.at);
    for (const float value : centre.mean) put(bytes, value);
  }
  std::vector<PartName> parts = kept_;
  for (const Output& output : outputs_) parts.push_back(*output.part->file());
  std::ranges::sort(parts, {}, &PartName::first);
  put(bytes, static_cast<std::uint32_t>(parts.size()));
  for (const PartName& part : parts) {
    put(bytes, part.number);
    put(bytes, part.first);
    put(bytes, part.slots);
    put(bytes, part.bytes);
    put(bytes, part.sum);
    for (std::size_t at = 0; at < part.slots; at += SlotSet::kWordBits)
      put(bytes, live_.word((part.first + at) / SlotSet::kWordBits));
  }
  put(bytes, crc32c(bytes));
  return bytes;
}

void IndexFiles::end(PointIndex& index, Checkpoint& checkpoint) {
  auto& held = index.held_;
  for (Checkpoint::Output& output : checkpoint.outputs_) {
    if (!output.part) continue;
    const auto& sources = output.content.sources;
    // A part that was damaged meanwhile is not there any more; then a tail may stand in its place, and the others stay.
    std::vector<std::size_t> found;
    for (const PartSource& source : sources)
      for (std::size_t i = 0; i < held.size(); ++i)
        if (held[i].part == source.part) {
          held[i].unnamed = true;
          found.push_back(i);
        }
    if (found.size() != sources.size()) continue;
    const auto is_strange = [&](const PointIndex::Held& one) {
      return (one.live > 0 || one.part == index.tail_) &&
             std::ranges::find(sources, one.part, &PartSource::part) == sources.end();
    };
    if (std::any_of(held.begin() + static_cast<std::ptrdiff_t>(found.front()),
                    held.begin() + static_cast<std::ptrdiff_t>(found.back()), is_strange))
      continue;
    PointIndex::Held replaced{output.part, std::vector<PointIndex::TermCounts>(index.shape_.sparse), 0, 0};
    const Slot first = output.content.first, behind = first + output.content.slots;
    for (Slot slot = first; slot < behind; ++slot) {
      if (index.live_.contains(slot))
        ++replaced.live;
      else if (output.content.live.contains(slot))
        (void)index.bury(replaced, slot);  // died meanwhile; a part that is damaged says so itself
    }
    std::size_t to = found.front();
    held[to] = std::move(replaced);
    // Parts in between in which nobody lived are gone with the rest.
    const auto last = held.begin() + static_cast<std::ptrdiff_t>(found.back()) + 1;
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(to) + 1, last);
  }
  for (std::size_t i = held.size(); i-- > 0;)
    if (held[i].live == 0 && held[i].part != index.tail_) index.let_go(i);
  index.unsaved_ -= checkpoint.changes_;
}

Status IndexFiles::remove_all() { return files_.remove_tree(directory_); }

}  // namespace pandora
