// What ports/embedder.h promises, for every implementation. An implementation joins by a line in
// embedder_implementations.cpp.
#pragma once
#include "contract/expect.h"
#include "ports/embedder.h"

namespace pandora {

class EmbedderSetup {
 public:
  virtual ~EmbedderSetup() = default;
  virtual Embedder& embedder() = 0;
};
// `make` gives nothing, with the reason in `why_not`, where the implementation cannot run (no weights).
struct EmbedderImplementation : Implementation<EmbedderSetup> {
  std::string why_not;
  bool quick = true;  // thousands of texts in a second
};
std::vector<EmbedderImplementation> embedder_implementations();

}  // namespace pandora
