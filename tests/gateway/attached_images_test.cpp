// Pictures that a message carries in itself.
#include "gateway/attached_images.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "contract/expect.h"

namespace pandora {
namespace {

TEST(AttachedImages, ADataUrlIsItsMediaTypeAndItsBytes) {
  const auto png = must(read_data_url("data:image/png;base64," + base64_encode(std::string("\x89PNG\0x", 6))));
  EXPECT_EQ(png.bytes, std::string("\x89PNG\0x", 6));
  EXPECT_EQ(png.object.media_type, "image/png");
  EXPECT_EQ(must(read_data_url("DATA:image/svg+xml;charset=utf-8;BASE64,PHN2Zz4=")).bytes, "<svg>");
  const auto plain = must(read_data_url("data:image/svg+xml,%3Csvg%3E"));
  EXPECT_EQ(plain.bytes, "<svg>");
  EXPECT_EQ(plain.object.media_type, "image/svg+xml");
  EXPECT_EQ(must(read_data_url("data:,")).bytes, "");
  for (const char* wrong : {"", "data:", "data:image/png;base64", "data:image/png;base64,***", "http://a.example/x.png",
                            "data:image/png;base64,QQ", "data:text/plain,%zz"})
    EXPECT_FAILS(kInvalidArgument, read_data_url(wrong)) << wrong;
}

TEST(AttachedImages, OfAMessageEachIsTakenInItsOrderAndWhatLiesElsewhereIsLeftThere) {
  const Json message = {{"role", "user"},
                        {"content",
                         {{{"type", "text"}, {"text", "data:image/png;base64,QUJD"}},
                          {{"type", "image_url"}, {"image_url", {{"url", "data:image/png;base64,QUJD"}}}},
                          {{"type", "image_url"}, {"image_url", {{"url", "https://a.example/cat.png"}}}},
                          {{"type", "image_url"}, {"image_url", "data:image/gif;base64,REVG"}},
                          {{"type", "image_url"}, {"image_url", {{"url", "data:image/png;base64,broken!"}}}}}}};
  const AttachedImages images = attached_images(message);
  ASSERT_EQ(images.whole.size(), 2u);
  EXPECT_EQ(images.whole[0].bytes, "ABC");
  EXPECT_EQ(images.whole[1].bytes, "DEF");
  EXPECT_EQ(images.unread, 1u);
  for (const Json& odd : {Json{{"content", "words"}}, Json{{"content", nullptr}}, Json::object(), Json{{"content", 7}}})
    EXPECT_TRUE(attached_images(odd).whole.empty()) << odd;
}

}  // namespace
}  // namespace pandora
