// pandora.toml as strangers write it: any bytes load or are refused with an error that names the file.
#include <algorithm>
#include <cstdlib>

#include "base/config.h"
#include "support/fault_file_system.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pandora::testing::FaultFileSystem files;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!files.write_atomic("/pandora.toml", bytes, pandora::Durability::kDeferred)) std::abort();
  const auto config = pandora::Config::load({{}, {}, "/pandora.toml", true}, files);
  if (!config && config.error().message.find("/pandora.toml") == std::string::npos) std::abort();
  // Each setting once; those of named tables as often as there are tables.
  const auto table = pandora::settings();
  const auto once =
      std::ranges::count_if(table, [](const auto& setting) { return setting.key.find('*') == std::string_view::npos; });
  if (config && config->values().size() < static_cast<std::size_t>(once)) std::abort();
  return 0;
}
