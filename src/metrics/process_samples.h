// Memory, processor time, files and threads of this process, under the names that Prometheus' own clients use.
#pragma once
#include "metrics/metrics.h"

namespace pandora {

// What cannot be read is left out.
void add_process_samples(std::vector<Sample>& samples);
// Room on the file system of `directory`, as `volume`.
void add_disk_samples(const std::string& directory, std::string_view volume, std::vector<Sample>& samples);

}  // namespace pandora
