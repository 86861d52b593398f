#include "net/io_threads.h"

#include <future>

#include <gtest/gtest.h>

#include "net/event_loop.h"
#include "net/http_types.h"

namespace pandora {
namespace {

TEST(IoThreads, what_is_to_be_done_soon_comes_behind_what_waits_already_and_on_no_other_thread) {
  const SystemClock clock;
  IoThreads threads(clock, 2);
  EXPECT_FALSE(threads.soon([] { FAIL() << "this is none of its threads"; }));
  std::string order;
  std::promise<std::size_t> done;
  threads.loop(1)->post([&] {
    threads.loop(1)->post([&] { order += "waiting, "; });
    EXPECT_TRUE(threads.soon([&] {
      order += "soon";
      done.set_value(threads.current());
    }));
    order += "now, ";
  });
  EXPECT_EQ(done.get_future().get(), 1U);
  EXPECT_EQ(order, "now, waiting, soon");
}

TEST(HttpTypes, a_body_is_small_when_its_head_says_so) {
  HttpRequest head;
  EXPECT_TRUE(has_small_body(head, 0)) << "there is none";
  head.headers.set("Content-Length", "100");
  EXPECT_TRUE(has_small_body(head, 100));
  EXPECT_FALSE(has_small_body(head, 99));
  head.headers.set("Content-Length", "99999999999999999999");
  EXPECT_FALSE(has_small_body(head, SIZE_MAX));
  HttpRequest chunked;
  chunked.headers.set("Transfer-Encoding", "chunked");
  EXPECT_FALSE(has_small_body(chunked, SIZE_MAX));
}

}  // namespace
}  // namespace pandora
