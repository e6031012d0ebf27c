// Dictionaries of byte strings: random values and orders, against the values themselves.
#include "core/dictionary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "unit/random_bytes.h"
#include "unit/random_node.h"
#include "unit/seeded_test.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

// Values with their sizes, one behind the other.
class StoredStrings {
 public:
  explicit StoredStrings(const std::vector<std::string>& strings) {
    size_t bytes = 0;
    for (const std::string& s : strings) bytes += kValueSizeBytes + s.size();
    memory_.resize(bytes + 1);
    uint8_t* at = memory_.data();
    for (const std::string& s : strings) {
      words.push_back(WordOf(at));
      at = StoreBytes({reinterpret_cast<const uint8_t*>(s.data()), static_cast<uint32_t>(s.size())}, at);
    }
  }
  std::vector<uint64_t> words;

 private:
  std::vector<uint8_t> memory_;
};

class DictionaryTest : public SeededTest {
 protected:
  std::string RandomString(uint32_t alphabet, uint32_t most) {
    std::string s;
    for (uint64_t n = random_.Below(most + 1); n > 0; n--)
      s += static_cast<char>((random_.OneIn(20) ? 0 : 'a') + random_.Below(alphabet) - (random_.OneIn(3) ? 32 : 0));
    return s;
  }

  std::vector<std::string> RandomStrings(const ByteOrder& order) {
    const std::string prefix = random_.OneIn(2) ? std::string() : RandomString(26, random_.OneIn(4) ? 300 : 20);
    const uint32_t alphabet = random_.OneIn(2) ? 2 : 26, most = random_.OneIn(10) ? 200 : 12;
    std::vector<std::string> strings(random_.Below(random_.OneIn(3) ? 6 : 300));
    for (std::string& s : strings) {
      s = prefix + RandomString(alphabet, most);
      if (order.tail > 0) s += std::string(1, '\0') + static_cast<char>(random_.Below(3));
      if (random_.OneIn(10) && &s != strings.data())
        s = strings[random_.Below(static_cast<uint64_t>(&s - strings.data()))];
    }
    return strings;
  }
};

TEST_F(DictionaryTest, ReturnsAndFindsWhatItHolds) {
  for (int round = 0; round < 800; round++) {
    const ByteOrder& order = kByteOrders[random_.Below(std::size(kByteOrders))];
    const std::vector<std::string> strings = RandomStrings(order);
    StoredStrings values(strings);
    const uint32_t n = static_cast<uint32_t>(strings.size());
    if (random_.OneIn(2))
      std::sort(values.words.begin(), values.words.end(),
                [&](uint64_t a, uint64_t b) { return order.Compare(a, b) < 0; });
    std::vector<uint64_t> distinct(n + 1), numbers(n + 1);
    const uint32_t count = NumberDistinct(values.words.data(), n, order, distinct.data(), numbers.data());
    size_t bytes;
    const DictionaryHeader header = PlanDictionary(distinct.data(), count, order, &bytes);
    if (bytes > 0xFFFF) continue;
    ASSERT_EQ(bytes, header.size);
    Image image(bytes);
    WriteDictionary(distinct.data(), header, order, image.bytes());
    ASSERT_TRUE(Dictionary::IsValid(image.bytes(), image.size(), order.bytewise()));
    const Dictionary dictionary(image.bytes(), order);
    ASSERT_EQ(dictionary.count(), count);

    std::vector<uint8_t> decoded(header.plain + 1);
    std::vector<uint64_t> words(count + 1);
    ASSERT_EQ(dictionary.Decode(0, count, decoded.data(), words.data()), decoded.data() + header.plain);
    for (uint32_t i = 0; i < n; i++) {
      ASSERT_LT(numbers[i], count);
      ASSERT_EQ(Text(ViewOf(words[numbers[i]])), Text(ViewOf(values.words[i])));
    }
    for (uint32_t i = 1; i < count; i++) ASSERT_LE(order.Compare(words[i - 1], words[i]), 0);
    if (count > 0) {
      const uint32_t i = static_cast<uint32_t>(random_.Below(count));
      std::vector<uint8_t> one(kValueSizeBytes + header.longest);
      dictionary.Get(i, one.data());
      ASSERT_EQ(Text(ViewOf(WordOf(one.data()))), Text(ViewOf(words[i])));
    }

    for (int probe = 0; probe < 30; probe++) {
      std::string key = n > 0 && !random_.OneIn(4) ? strings[random_.Below(n)] : RandomString(26, 20);
      if (!key.empty() && random_.OneIn(3)) key[random_.Below(key.size())] = static_cast<char>(random_.Below(256));
      if (random_.OneIn(4)) key += RandomString(3, 3);
      if (random_.OneIn(4)) key.resize(random_.Below(key.size() + 1));
      if (order.tail > 0) key += "zz";
      uint32_t begin = 0, end = 0;
      while (begin < count && order.Compare(ViewOf(words[begin]), View(key)) < 0) begin++;
      end = begin;
      while (end < count && order.Compare(ViewOf(words[end]), View(key)) == 0) end++;
      uint32_t found_begin, found_end;
      dictionary.Find(View(key), &found_begin, &found_end);
      ASSERT_EQ(found_begin, begin) << key;
      ASSERT_EQ(found_end, end) << key;
    }
  }
}

TEST_F(DictionaryTest, ReadsNothingOutsideOfDamagedImages) {
  int accepted = 0;
  for (int round = 0; round < 800; round++) {
    const ByteOrder& order = kByteOrders[random_.Below(std::size(kByteOrders))];
    const std::vector<std::string> strings = RandomStrings(order);
    StoredStrings values(strings);
    const uint32_t n = static_cast<uint32_t>(strings.size());
    std::vector<uint64_t> distinct(n + 1), numbers(n + 1);
    const uint32_t count = NumberDistinct(values.words.data(), n, order, distinct.data(), numbers.data());
    size_t bytes;
    const DictionaryHeader header = PlanDictionary(distinct.data(), count, order, &bytes);
    if (bytes > 0xFFFF) continue;
    Image image(bytes);
    WriteDictionary(distinct.data(), header, order, image.bytes());
    for (uint64_t k = random_.Below(3); k > 0; k--)
      image.bytes()[random_.Below(image.size())] = static_cast<uint8_t>(random_.Next());
    if (!Dictionary::IsValid(image.bytes(), image.size(), order.bytewise())) continue;
    accepted++;
    const Dictionary dictionary(image.bytes(), order);
    std::vector<uint8_t> decoded(dictionary.header().plain + 1);
    ASSERT_EQ(dictionary.Decode(0, dictionary.count(), decoded.data(), nullptr),
              decoded.data() + dictionary.header().plain);
    for (int probe = 0; probe < 5; probe++) {
      const std::string key = n > 0 && random_.OneIn(2) ? strings[random_.Below(n)] : RandomString(26, 20);
      uint32_t begin, end;
      dictionary.Find(View(key), &begin, &end);
      ASSERT_LE(begin, end);
      ASSERT_LE(end, dictionary.count());
    }
  }
  EXPECT_GT(accepted, 50);
}

// A prefix without a value behind it would be read into memory for one.
TEST_F(DictionaryTest, RefusesPrefixesLongerThanAnyValue) {
  const ByteOrder& order = kByteOrders[4];
  const DictionaryHeader header = {0, 4000, 0, 4096, 0, 0};
  Image image(header.size);
  std::memset(image.bytes(), 'x', image.size());
  std::memcpy(image.bytes(), &header, sizeof header);
  EXPECT_FALSE(Dictionary::IsValid(image.bytes(), image.size(), order.bytewise()));
}

}  // namespace
}  // namespace omendb::test
