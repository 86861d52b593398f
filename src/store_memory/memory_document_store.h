// DocumentStore in a map of paths: the reference that the others are compared with. See ports/document_store.h.
//
// On disk means in the object. Folders are what the paths say; an empty one does not exist.
#pragma once
#include <map>
#include <mutex>

#include "ports/document_store.h"

namespace pandora {

class MemoryDocumentStore final : public DocumentStore {
 public:
  explicit MemoryDocumentStore(const Clock& clock) : clock_(clock) {}  // dates what is set aside

  Status put_folder(const std::string& folder, const std::vector<Document>& documents, Durability durability,
                    const Deadline& deadline) override;
  Status put(const std::string& path, std::string_view bytes, Durability durability, const Deadline& deadline) override;
  Result<std::string> read(const std::string& path, const Deadline& deadline) override;
  Result<std::vector<FileInfo>> list(const std::string& folder, const Deadline& deadline) override;
  Result<std::vector<FileInfo>> list_after(const std::string& folder, const std::string& after, std::size_t limit,
                                           const Deadline& deadline) override;
  Result<bool> exists(const std::string& path, const Deadline& deadline) override;
  Status move(const std::string& from, const std::string& to, const Deadline& deadline) override;
  Status remove(const std::string& path, const Deadline& deadline) override;
  Result<std::string> quarantine(const std::string& path, const std::string& reason, const Deadline& deadline) override;
  Status sync(const Deadline& deadline) override;

 private:
  bool is_folder(const std::string& path) const;
  Status no_document_above(const std::string& path) const;
  void erase(const std::string& path);
  void rename(const std::string& from, const std::string& to);

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::string> documents_;
};

}  // namespace pandora
