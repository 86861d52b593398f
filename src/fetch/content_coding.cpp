#include "fetch/content_coding.h"

#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>
#include <zlib.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr int kZlibOrGzip = 32 + MAX_WBITS, kRaw = -MAX_WBITS;

Result<Unpacked> inflate_all(std::string_view bytes, std::size_t most, int window) {
  z_stream stream{};
  if (::inflateInit2(&stream, window) != Z_OK)
    return fail(ErrorCode::kResourceExhausted, "there is no memory to unpack");
  const std::unique_ptr<z_stream, decltype(&::inflateEnd)> owned(&stream, ::inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(bytes.size(), UINT32_MAX));
  Unpacked result;
  std::array<char, 64 * 1024> piece;
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    const int state = ::inflate(&stream, Z_NO_FLUSH);
    const std::size_t count = piece.size() - stream.avail_out;
    result.cut |= result.bytes.size() + count > most;
    result.bytes.append(piece.data(), std::min(count, most - result.bytes.size()));
    if (result.cut || state == Z_STREAM_END) return result;
    if (state == Z_BUF_ERROR && count == 0) {  // the rest did not come
      result.cut = true;
      return result;
    }
    if (state != Z_OK && state != Z_BUF_ERROR) return fail(ErrorCode::kDataCorrupt, "what came does not unpack");
  }
}

}  // namespace

Result<Unpacked> unpack(std::string_view coding, std::string_view bytes, std::size_t most) {
  std::string name(trim(coding));
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (name.empty() || name == "identity") return Unpacked{std::string(bytes.substr(0, most)), bytes.size() > most};
  if (name == "gzip" || name == "x-gzip") return inflate_all(bytes, most, kZlibOrGzip);
  if (name == "deflate") {
    // With zlib's frame by the standard, without by custom.
    auto framed = inflate_all(bytes, most, kZlibOrGzip);
    return framed ? framed : inflate_all(bytes, most, kRaw);
  }
  return fail(ErrorCode::kInvalidArgument, fmt::format("it is packed as \"{}\"", one_line(ellipsize(name, 40))),
              "only gzip and deflate are unpacked");
}

}  // namespace pandora
