// pandora.toml as strangers write it: any bytes load or are refused with an error that names the file.
#include <cstdlib>

#include "base/config.h"
#include "support/fault_file_system.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pandora::testing::FaultFileSystem files;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!files.write_atomic("/pandora.toml", bytes, pandora::Durability::kDeferred)) std::abort();
  const auto config = pandora::Config::load({{}, {}, "/pandora.toml", true}, files);
  if (!config && config.error().message.find("/pandora.toml") == std::string::npos) std::abort();
  if (config && config->values().size() != pandora::settings().size()) std::abort();
  return 0;
}
