// Which proposals of a turn become memories: the pipeline's question, answered by turns/memory_admission.h.
#pragma once
#include "pipeline/turn_runtime.h"
#include "turns/memory_admission.h"

namespace pandora {

// `admission` outlives what is returned.
AdmitMemories admit_by(MemoryAdmission& admission);

}  // namespace pandora
