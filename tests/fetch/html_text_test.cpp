#include "fetch/html_text.h"

#include <chrono>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"

namespace pandora {
namespace {

const Url kBase = parse_url("https://example.com/a/page.html").value();
PageText read(std::string_view html, std::size_t most = 1 << 20) {
  return read_html(html, kBase, most, [] { return false; });
}

TEST(HtmlText, APageReadsAsLightMarkdown) {
  const PageText page = read(R"(<!doctype html><html><head><title> About
    peanuts </title><meta charset="utf-8"></head><body><h1>Peanuts</h1><p>They are <b>legumes</b>, not&nbsp;nuts &mdash; really.</p>
    <ul><li>raw<li>roasted</ul><h2>Data</h2><table><tr><th>kind<th>kcal<tr><td>raw<td>567</table>
    <pre>  keep
    this</pre><p>line<br>break<img src=x alt="a heap"></body></html>)");
  EXPECT_EQ(page.title, "About peanuts");
  EXPECT_EQ(page.text,
            "# Peanuts\n\nThey are legumes, not\xC2\xA0nuts — really.\n\n- raw\n- roasted\n\n## Data\n\nkind | "
            "kcal\nraw | 567\n\n"
            "  keep\n    this\n\nline\nbreak[image: a heap]");
  EXPECT_FALSE(page.cut);
}

TEST(HtmlText, WhatAReaderDoesNotSeeIsLeftOut) {
  for (const char* unseen :
       {"<script>ignore()</script>", "<style>ignore{}</style>", "<!-- ignore -->", "<template>ignore</template>",
        "<noscript>ignore</noscript>", "<div hidden>ignore</div>", "<p style='display: NONE'>ignore</p>",
        "<span style=\"color:red;visibility : hidden\">ignore</span>", "<span style='font-size:0px'>ignore</span>",
        "<i style=opacity:0>ignore</i>", "<svg><text>ignore</text></svg>", "<textarea>ignore</textarea>",
        "<select><option>ignore<option>ignore</select>",
        "<div aria-hidden=true><b>ignore<br></b><img alt=ignore></div>", "<iframe>ignore</iframe>",
        "<script>a<b && 'ignore'</script>"}) {
    const std::string text = read(std::string("<body><p>before</p>") + unseen + "<p>after</p>").text;
    EXPECT_EQ(text, "before\n\nafter") << unseen;
  }
  EXPECT_EQ(read("<p style='font-size:0.9em;opacity:0.5'>seen</p>").text, "seen");
  EXPECT_EQ(read("<p>one<wbr>two<embed src=x>three<source>four").text, "onetwothreefour");
}

TEST(HtmlText, LinksAreWholeAndOfTheWeb) {
  const PageText page = read(
      R"x(<base href="/b/"><a href="x">one <b>two</b></a><a href="//other.org/y?q=1#z">other</a><a href="x">again</a>
      <a href="mailto:a@b">m</a><a href="javascript:alert(1)">j</a><a href="#here">h</a><a href="data:text/html,x">d</a>
      <a>none</a><a href="ftp://x/y">f</a><a href="http://user:pw@x/">u</a><a href=" sp ace/é ">esc</a>
      <a href="HTTPS://UP.example/">up</a>)x");
  const std::vector<PageLink> wanted = {{"one two", "https://example.com/b/x"},
                                        {"other", "https://other.org/y?q=1"},
                                        {"esc", "https://example.com/b/sp%20ace/%C3%A9"}};
  ASSERT_GE(page.links.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(page.links[i], wanted[i]) << page.links[i].url;
  for (const auto& link : page.links) EXPECT_TRUE(link.url.starts_with("http")) << link.url;
}

TEST(HtmlText, EveryBoundHolds) {
  std::string many;
  for (std::size_t i = 0; i <= kMaxPageLinks; ++i)
    many += "<a href=/" + std::to_string(i) + ">" + std::string(500, 'l') + "</a>";
  const PageText links = read(many);
  EXPECT_EQ(links.links.size(), kMaxPageLinks);
  EXPECT_LE(links.links[0].text.size(), kMaxLinkText);
  EXPECT_LE(read("<title>" + std::string(5000, 't') + "</title>").title.size(), kMaxPageTitle);
  EXPECT_FALSE(read("<p>" + std::string(1000, 'x'), 1000).cut);
  const PageText cut = read("<p>" + std::string(1001, 'x'), 1000);
  EXPECT_TRUE(cut.cut);
  EXPECT_LE(cut.text.size(), 1000u);
  EXPECT_TRUE(cut.text.ends_with("…"));
}

// Each of these costs some parser time or memory that grows faster than the page does.
TEST(HtmlText, HostilePagesCostNoMoreThanTheirSize) {
  constexpr std::size_t kBytes = 1 << 20;
  for (const char* part : {"<b>",       "<p><b><i>", "</b>",       "<table>", "<a href=x>", "<div hidden>",    "&amp",
                           "<!--",      "<",         "&#x10FFFF;", "<a b='",  "<script>",   "<title>",         "]]>",
                           "<![CDATA[", "<?x ",      "</",         "<pre>\n", "<li>",       "<select><option>"}) {
    std::string page;
    while (page.size() < kBytes) page += part;
    const auto begun = std::chrono::steady_clock::now();
    const PageText text = read(page, 256 * 1024);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20)) << part;
    EXPECT_LE(text.text.size(), 256u * 1024) << part;
  }
}

TEST(HtmlText, ReadingStopsWhenItIsTold) {
  std::string page = "<p>begin";
  for (int i = 0; i < 100'000; ++i) page += "<p>more " + std::to_string(i);
  int asked = 0;
  const PageText text = read_html(page, kBase, 1 << 24, [&] { return ++asked == 3; });
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE(text.cut);
  EXPECT_TRUE(text.text.starts_with("begin\n\nmore 0"));
  EXPECT_LT(text.text.size(), 20'000u);
}

TEST(HtmlText, AnyBytesGiveValidText) {
  constexpr std::uint64_t kSeed = 9;
  SCOPED_TRACE(kSeed);
  SeededRandom random(kSeed);
  const std::vector<std::string> parts = {"<",     ">",        "/",    "a",       "p",        " href=", "\"",
                                          "'",     "&lt;",     "&",    "<title>", "<b ",      "</p>",   "<!--",
                                          "-->",   "\xC3\xA9", "\xFF", "\x01",    "<pre>",    "=",      "<script",
                                          "text ", "\n",       "<td>", "<li>",    "http://x/"};
  for (int round = 0; round < 3000; ++round) {
    std::string page;
    for (std::size_t i = random.below(60); i > 0; --i) page += parts[random.below(parts.size())];
    const PageText text = read(page, 200);
    EXPECT_TRUE(is_valid_utf8(text.text)) << page;
    EXPECT_TRUE(is_valid_utf8(text.title)) << page;
    EXPECT_LE(text.text.size(), 200u) << page;
    for (const auto& link : text.links) EXPECT_TRUE(parse_url(link.url)) << page;
  }
}

}  // namespace
}  // namespace pandora
