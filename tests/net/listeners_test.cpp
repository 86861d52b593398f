#include "net/listeners.h"

#include <algorithm>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pandora {
namespace {

// A socket that listens; gone with the object.
class Listening {
 public:
  Listening() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(descriptor_, 1), 0);
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  ~Listening() { ::close(descriptor_); }
  std::uint16_t port = 0;

 private:
  int descriptor_;
};

TEST(Listeners, AreReadAsTheKernelWritesThem) {
  const auto found = parse_listeners(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 4711 1 0 100 0 0 10 "
      "0\n"
      "   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0\n"
      "   2: 0100007F:1538 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 0\n"
      "   0: 00000000000000000000000001000000:18BD 00000000000000000000000000000000:0000 0A 00000000:00000000 "
      "00:00000000 00000000     0        0 14 1 0 100 0 0 10 0\n");
  ASSERT_EQ(found.size(), 3u);  // what is connected does not listen
  EXPECT_EQ(found[0].address, "127.0.0.1");
  EXPECT_EQ(found[0].port, 5432);
  EXPECT_EQ(found[0].inode, 4711u);
  EXPECT_TRUE(found[0].is_loopback());
  EXPECT_EQ(found[1].address, "0.0.0.0");
  EXPECT_FALSE(found[1].is_loopback());
  EXPECT_EQ(found[2].address, "::1");
  EXPECT_EQ(found[2].port, 6333);
}

TEST(Listeners, WhatIsNoneOfThemIsPassedOver) {
  EXPECT_TRUE(parse_listeners("").empty());
  EXPECT_TRUE(
      parse_listeners("0: x:y z 0A a b c d e f\n0: 0100007F 0 0A 0 0 0 0 0 1\n0: 01:1 0 0A 0 0 0 0 0 1\n").empty());
  EXPECT_TRUE(parse_listeners("0: 0100007F:1FFFF 0 0A 0 0 0 0 0 1\n").empty());
}

TEST(Listeners, AProcessIsFoundByItsSocket) {
  const Listening mine;
  const auto all = listeners();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Listener& one) { return one.port == mine.port; });
  ASSERT_NE(found, all.end());
  const auto process = process_of(found->inode);
  ASSERT_TRUE(process);
  EXPECT_EQ(process->pid, ::getpid());
  EXPECT_EQ(process->name, "net_test");
  EXPECT_FALSE(process_of(1));
}

TEST(Listeners, AFreePortIsTheNextThatNobodyHas) {
  const std::vector<Listener> taken = {{.port = 5432}, {.port = 5433}, {.port = 65'535}};
  EXPECT_EQ(free_port(taken, 5432), 5434);
  EXPECT_EQ(free_port(taken, 5000), 5000);
  EXPECT_EQ(free_port(taken, 65'535), 0);
}

TEST(Listeners, keep_a_port_from_those_who_would_share_its_address) {
  const auto keeps = [](const char* address, const char* other) { return Listener{.address = address}.keeps(other); };
  for (const char* same : {"127.0.0.1", "0.0.0.0", "::", "", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(keeps("127.0.0.1", same)) << same;
    EXPECT_TRUE(keeps(same, "127.0.0.1")) << same;
  }
  for (const char* other : {"127.0.0.2", "192.0.2.1", "::1"}) EXPECT_FALSE(keeps("127.0.0.1", other)) << other;
  EXPECT_TRUE(keeps("192.0.2.1", "0.0.0.0"));
}

}  // namespace
}  // namespace pandora
