#include "vecdb/kernels.h"

namespace pandora {

// Not in the sources of the kernels: those may use their instructions anywhere.
#if defined(__x86_64__)
const Kernels* avx2_kernels() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has ? &kAvx2Kernels : nullptr;
}

const Kernels* avx512_kernels() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vnni");
  return has ? &kAvx512Kernels : nullptr;
}
#else
const Kernels* avx2_kernels() { return nullptr; }
const Kernels* avx512_kernels() { return nullptr; }
#endif

const Kernels& best_kernels() {
  if (const Kernels* kernels = avx512_kernels()) return *kernels;
  if (const Kernels* kernels = avx2_kernels()) return *kernels;
  return kPlainKernels;
}

}  // namespace pandora
