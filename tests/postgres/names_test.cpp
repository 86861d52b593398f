// What a host is called, and how long it takes to know where that is.
#include <gmock/gmock.h>

#include "net/name_lookup.h"
#include "postgres/postgres_addresses.h"
#include "postgres/postgres_case.h"
#include "postgres/postgres_pool.h"
#include "support/slow_names.h"

namespace pandora::testing {
namespace {

using ::testing::HasSubstr;

class PostgresNamesCase : public PostgresCase {
 protected:
  PostgresOptions of(const std::string& hosts) const {
    PostgresOptions given;
    const std::string url = shared_server().tcp_url(database), local = "127.0.0.1";
    given.url = url;
    given.url.replace(url.find(local), local.size(), hosts);
    given.names = slow_.names();
    return given;
  }
  static Status goes_on() { return {}; }
  SlowNames slow_{clock};
};

TEST_F(PostgresNamesCase, LibpqIsGivenAddressesAndKeepsTheNames) {
  const auto given = [&](std::map<std::string, std::string> parameters) {
    Duration waited{0};
    must(find_addresses(parameters, *slow_.names(), waited, &goes_on));
    return parameters["host"] + " " + parameters["hostaddr"] + " " + parameters["port"];
  };
  EXPECT_EQ(given({{"host", "db.test"}, {"port", "5432"}}), "db.test 127.0.0.1 5432");
  EXPECT_EQ(given({{"host", "::1"}, {"port", "5432"}}), "::1 ::1 5432");
  EXPECT_EQ(given({{"host", "localhost"}, {"port", "5432"}}), "localhost,localhost 127.0.0.1,::1 5432,5432");
  EXPECT_EQ(given({{"host", "a.test,nobody.test,/run,b.test"}, {"port", "1,2,3,4"}}),
            "a.test,/run,b.test 127.0.0.1,,127.0.0.1 1,3,4");
  EXPECT_EQ(given({{"host", "/run/postgresql"}, {"port", "5432"}}), "/run/postgresql  5432");
  EXPECT_EQ(given({{"host", "db.test"}, {"hostaddr", "10.0.0.1"}, {"port", "5432"}}), "db.test 10.0.0.1 5432");
  EXPECT_EQ(given({{"host", "a.test,b.test,c.test"}, {"port", "1,2"}}), "a.test,b.test,c.test  1,2")
      << "libpq's to say";
}

TEST_F(PostgresNamesCase, ANameLeadsToTheServerAndOneThatNobodyKnowsIsNamed) {
  must(must(PostgresConnection::open(of("db.test"), kNever))->query("SELECT 1"));
  const auto unknown = PostgresConnection::open(of("nobody.test"), kNever);
  EXPECT_FAILS(kUnavailable, unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("no address is known for nobody.test"));
  EXPECT_THAT(unknown.error().remedy, HasSubstr("POSTGRES_HOST"));
}

TEST_F(PostgresNamesCase, ANameThatIsNotFoundInTimeHoldsNobodyPastHisDeadline) {
  slow_.hang(true);
  const auto late = PostgresConnection::open(of("db.test"), within(std::chrono::milliseconds(200)));
  EXPECT_FAILS(kDeadlineExceeded, late);
  EXPECT_THAT(late.error().message, HasSubstr("the address of its host was not found in time"));
  PostgresOptions hasty = of("db.test");
  hasty.connect_patience = std::chrono::milliseconds(200);
  EXPECT_FAILS(kUnavailable, PostgresConnection::open(hasty, kNever));
  EXPECT_FALSE(PostgresConnection::knock(of("db.test"), std::chrono::milliseconds(200)));
}

TEST_F(PostgresNamesCase, AServerWhoseNameHangsIsNoticedOnceForAllAndUsedAgainWhenItIsKnown) {
  PostgresPool pool(of("db.test"));
  slow_.hang(true);
  const auto first = pool.query("SELECT 1", kNever);
  EXPECT_FAILS(kUnavailable, first);
  EXPECT_THAT(first.error().message, HasSubstr("the address of its host was not found in time"));
  const SteadyTime begun = clock.steady();
  for (int i = 0; i < 100; ++i) EXPECT_FAILS(kUnavailable, pool.query("SELECT 2", kNever));
  EXPECT_LT(clock.steady() - begun, kSilence) << "none of them waited";
  slow_.hang(false);
  Result<PostgresRows> answer = fail(ErrorCode::kUnavailable, "");
  for (const Deadline patience = within(std::chrono::seconds(30)); !answer && !patience.expired();)
    answer = pool.query("SELECT 3", kNever);
  EXPECT_EQ(must(std::move(answer)).integer(0, 0), 3);
}

}  // namespace
}  // namespace pandora::testing
