// What ports/document_store.h promises, for every implementation. An implementation joins by a line in
// document_store_implementations.cpp; the suites are in document_*_contract.cpp.
#pragma once
#include <map>

#include "base/random.h"
#include "contract/expect.h"
#include "ports/document_store.h"

namespace pandora {

// One installation of a store, empty to begin with.
class DocumentStoreSetup {
 public:
  virtual ~DocumentStoreSetup() = default;
  virtual DocumentStore& store() = 0;
  virtual void reopen() = 0;  // closes the store and opens it on the same data, as after a restart
  const ManualClock& clock() const { return clock_; }

 protected:
  ManualClock clock_;
};

// One whose power can be cut.
class CrashingDocumentStoreSetup : public DocumentStoreSetup {
 public:
  virtual void die_after(std::uint64_t operations) = 0;   // of the disk: everything fails from then on
  virtual void fail_after(std::uint64_t operations) = 0;  // one operation of the disk fails
  virtual void crash(Random& random) = 0;  // what was not synced is lost or kept; then it is opened again
};

std::vector<Implementation<DocumentStoreSetup>> document_store_implementations();
std::vector<Implementation<CrashingDocumentStoreSetup>> crashing_document_stores();

using Tree = std::map<std::string, std::string>;  // every document by its path

inline void add_tree(DocumentStore& store, const std::string& folder, Tree& tree) {
  for (const auto& entry : must(store.list(folder, kNever))) {
    const std::string path = folder + "/" + entry.name;
    if (entry.is_directory)
      add_tree(store, path, tree);
    else
      tree[path] = must(store.read(path, kNever));
  }
}
// Of what the suites use: they write below these folders only.
inline Tree tree_of(DocumentStore& store) {
  Tree tree;
  for (const char* folder : {"turns", "archive", "memories", "quarantine"}) add_tree(store, folder, tree);
  return tree;
}

}  // namespace pandora
