#include "postgres/password_verifier.h"

#include <memory>

#include <libpq-fe.h>

namespace pandora {

Result<std::string> password_verifier(const std::string& password) {
  // libpq wants a connection, but asks nothing over it when the algorithm is named; this one goes nowhere.
  const std::unique_ptr<PGconn, decltype(&PQfinish)> nowhere(PQconnectStart("hostaddr=none"), PQfinish);
  const auto release = [](char* text) { PQfreemem(text); };
  const std::unique_ptr<char, decltype(release)> made(
      PQencryptPasswordConn(nowhere.get(), password.c_str(), "pandora", "scram-sha-256"), release);
  if (!made) return fail(ErrorCode::kInternal, "libpq makes no verifier of the password");
  return std::string(made.get());
}

}  // namespace pandora
