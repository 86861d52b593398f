// The receipt of a recall as bytes, lossless: scores come back bit for bit. Layout and sizes: docs/formats.md.
//
// A uid stands in the bytes as its sixteen, at each place that names the row: whoever must know whether a receipt
// names a row may look for them without decoding. Pure; never throws.
#pragma once
#include <string>
#include <string_view>

#include "domain/recall_receipt.h"

namespace pandora {

inline constexpr int kReceiptVersion = 2;  // 1: without what a turn follows
inline constexpr std::size_t kMaxReceiptBytes = 8u << 20;

std::string encode_receipt(const RecallReceipt& receipt);
// kIncompatible: a newer version; kDataCorrupt: anything else that `encode_receipt` does not write.
Result<RecallReceipt> decode_receipt(std::string_view bytes);

}  // namespace pandora
