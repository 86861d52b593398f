#include "wire/sse.h"

#include <vector>

#include <gtest/gtest.h>

namespace pandora {
namespace {

std::vector<SseEvent> parse(std::string_view bytes, std::size_t slice = SIZE_MAX) {
  SseParser parser;
  std::vector<SseEvent> events;
  for (std::size_t at = 0; at < bytes.size(); at += std::min(slice, bytes.size() - at))
    EXPECT_TRUE(parser.feed(bytes.substr(at, slice), [&](SseEvent event) { events.push_back(std::move(event)); }));
  if (auto last = parser.finish()) events.push_back(*std::move(last));
  return events;
}
std::vector<std::string> data_of(std::string_view bytes, std::size_t slice = SIZE_MAX) {
  std::vector<std::string> data;
  for (auto& event : parse(bytes, slice)) data.push_back(std::move(event.data));
  return data;
}
using Data = std::vector<std::string>;

TEST(Sse, ReadsEventsHoweverTheBytesAreCut) {
  const std::string stream =
      "\xEF\xBB\xBF: a comment\r\ndata: {\"a\":1}\r\n\r\ndata:no blank\n\ndata:  two blanks\r\rdata: "
      "h\xC3\xA9\xF0\x9F\x90\xBC\n\nevent: ping\nid: 7\ndata: x\ndata: y\n\n:\n\ndata: [DONE]\n\n";
  for (std::size_t slice = 1; slice <= stream.size(); ++slice) {
    const auto events = parse(stream, slice);
    ASSERT_EQ(events.size(), 6u) << slice;
    EXPECT_EQ(events[0].data, "{\"a\":1}");
    EXPECT_EQ(events[1].data, "no blank");
    EXPECT_EQ(events[2].data, " two blanks");
    EXPECT_EQ(events[3].data, "h\xC3\xA9\xF0\x9F\x90\xBC");
    EXPECT_EQ(events[4].data, "x\ny");
    EXPECT_EQ(events[4].name, "ping");
    EXPECT_EQ(events[4].id, "7");
    EXPECT_TRUE(events[5].is_done());
    EXPECT_EQ(events[5].name, "");
    EXPECT_EQ(events[5].id, "7");
  }
}

TEST(Sse, KnowsTheCornersOfTheStandard) {
  EXPECT_EQ(data_of("data\n\ndata\ndata\n\ndata:\n\n"), (Data{"", "\n", ""}));
  EXPECT_EQ(data_of("data: x\n\n\n\ndata: y\n\n"), (Data{"x", "y"}));
  EXPECT_EQ(data_of("event: only a name\n\nid: 1\n\n"), Data{});
  EXPECT_EQ(data_of("unknown: field\ndata : not data\n data: nor this\ndata: z\n\n"), Data{"z"});
  EXPECT_EQ(data_of("retry: 10\ndata: a:b: c\n\n"), Data{"a:b: c"});
}

TEST(Sse, AnEventWhoseEmptyLineIsMissingIsGivenAtTheEndButNoHalfLine) {
  EXPECT_EQ(data_of("data: one\n\ndata: [DONE]\n"), (Data{"one", "[DONE]"}));
  EXPECT_EQ(data_of("data: one\n\ndata: tw"), Data{"one"});
  EXPECT_EQ(data_of("data: one\n\ndata: two\ndata: thr"), Data{"one"});
  EXPECT_EQ(data_of("event: x\n"), Data{});
}

TEST(Sse, AnEventIsBounded) {
  const auto feed = [](const std::string& bytes) {
    SseParser parser(20);
    int events = 0;
    const Status fed = parser.feed(bytes, [&](SseEvent) { ++events; });
    return std::pair(fed.has_value(), events);
  };
  EXPECT_EQ(feed("data: 12345678901234\n\n"), std::pair(true, 1));
  EXPECT_EQ(feed("data: 123456789012345\n\n"), std::pair(false, 0));
  EXPECT_EQ(feed("data: 1234\ndata: 1234\n\n"), std::pair(true, 1));
  EXPECT_EQ(feed("data: 1234\ndata: 12345\n\n"), std::pair(false, 0));
  EXPECT_EQ(feed("data: 12345678901234\n\ndata: 12345678901234\n\n"), std::pair(true, 2));
  EXPECT_EQ(feed(": ten bytes\n: ten bytes\n: ten bytes\ndata: x\n\n"), std::pair(true, 1));  // comments do not add up
  SseParser broken(20);
  EXPECT_FALSE(broken.feed(std::string(21, 'x'), [](SseEvent) {}));
  EXPECT_EQ(broken.feed("data: x\n\n", [](SseEvent) {}).error().code, ErrorCode::kTooLarge);
  EXPECT_FALSE(broken.finish());
}

TEST(Sse, WritesWhatItReads) {
  for (const char* data : {"", "x", "{\"a\": 1}", "one\ntwo", "\n", "\n\n", " blank", ":colon", "end\n"}) {
    const auto events = parse(sse_event(data, "name"));
    ASSERT_EQ(events.size(), 1u) << data;
    EXPECT_EQ(events[0].data, data);
    EXPECT_EQ(events[0].name, "name");
  }
  EXPECT_EQ(sse_event("{}"), "data: {}\n\n");
  EXPECT_EQ(data_of(sse_event("a\r\nb\rc")), Data{"a\nb\nc"});
  EXPECT_TRUE(parse(kSseDone).at(0).is_done());
}

}  // namespace
}  // namespace pandora
