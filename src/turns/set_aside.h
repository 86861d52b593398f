// Bytes of a journal that are no turn: kept in quarantine with the reason, never dropped unseen.
#pragma once
#include <string>
#include <string_view>

#include "base/clock.h"
#include "ports/document_store.h"

namespace pandora {

// Under `name`, which says where they stood: "journal/000013.log-2896813". Damage stands in the journal until its
// segment is dropped, so a later start finds it again: the same bytes under the same name are set aside once.
Status set_aside(DocumentStore& documents, const std::string& name, std::string_view bytes, const std::string& reason,
                 const Deadline& deadline);

}  // namespace pandora
