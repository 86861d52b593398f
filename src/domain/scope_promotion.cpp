#include "domain/scope_promotion.h"

namespace pandora {
namespace {

struct Requirement {
  int uses;
  double trust;
  Duration age;
  bool met(int by_uses, double by_trust, Duration by_age) const {
    return by_uses >= uses && by_trust >= trust && by_age >= age;
  }
};
constexpr Requirement kForUser{3, 0.50, std::chrono::hours(1)};
constexpr Requirement kForGlobal{10, 0.80, std::chrono::hours(24)};

}  // namespace

Scope next_scope(Scope current, int uses, double trust, Duration age) {
  switch (current) {
    case Scope::kSession:
      return kForUser.met(uses, trust, age) ? Scope::kUser : Scope::kSession;
    case Scope::kUser:
      if (trust < kForUser.trust) return Scope::kSession;
      return kForGlobal.met(uses, trust, age) ? Scope::kGlobal : Scope::kUser;
    case Scope::kGlobal:
      return trust < kForGlobal.trust ? Scope::kUser : Scope::kGlobal;
  }
  return current;
}

}  // namespace pandora
