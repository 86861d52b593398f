// Packs what a test's server sends.
#pragma once
#include <string>
#include <string_view>

#include <zlib.h>

namespace pandora::testing {

inline constexpr int kGzip = 16 + MAX_WBITS, kZlib = MAX_WBITS, kRawDeflate = -MAX_WBITS;

inline std::string pack(std::string_view bytes, int window = kGzip) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace pandora::testing
