// Who asks, and how far he may look. Every call of a store carries one.
#pragma once
#include <string_view>

#include "base/ids.h"

namespace pandora {

// How far something is visible: one conversation, all of its owner's, every user's.
enum class Scope { kSession, kUser, kGlobal };
std::string_view to_string(Scope scope);
Result<Scope> parse_scope(std::string_view text);

enum class Access {
  kOwn,     // this user's data, and what is global
  kSystem,  // maintenance (reconcile, export, backup): every user's data
};

struct Principal {
  UserId user;
  Access access = Access::kOwn;
  static Principal of(UserId user) { return {std::move(user), Access::kOwn}; }
  static Principal system() { return {UserId(), Access::kSystem}; }
  bool may_see(const UserId& owner) const { return access == Access::kSystem || owner == user; }
};

}  // namespace pandora
