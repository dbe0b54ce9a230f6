/* The Internet checksum (RFC 1071). Arithmetic only; knows no headers. */
#include "../overtap.h"

#include <string.h>

/* AVX2 halves the time; the version is chosen when the addon is loaded. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&                           \
    !defined(__SANITIZE_ADDRESS__)
#define WIDEST __attribute__((target_clones("avx2", "default")))
#else
#define WIDEST
#endif

/*
 * Adds 32-bit words into a 64-bit sum: no carry is lost, and the compiler can vectorise it. memcpy allows any
 * alignment; which byte of a pair is the high one depends only on the start of the sum.
 */
WIDEST static uint64_t add_words(const uint8_t *bytes, size_t words) {
  uint64_t sum = 0;
  for (size_t i = 0; i < words; i++) {
    uint32_t word;
    memcpy(&word, bytes + i * 4, 4);
    sum += word;
  }
  return sum;
}

uint16_t ot_fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

uint16_t ot_sum(const uint8_t *bytes, size_t length) {
  size_t words = length / 4;
  uint64_t sum = add_words(bytes, words);
  bytes += words * 4;
  length -= words * 4;
  uint16_t half;
  if (length >= 2) {
    memcpy(&half, bytes, 2);
    sum += half;
    bytes += 2;
    length -= 2;
  }
  if (length) {
    /* An odd byte is the first of a pair whose second is zero. */
    half = 0;
    memcpy(&half, bytes, 1);
    sum += half;
  }
  return ot_fold(sum);
}

void ot_complete(uint8_t *frame, size_t length, size_t start, size_t offset) {
  uint16_t checksum = (uint16_t)~ot_sum(frame + start, length - start);
  /* In UDP zero means "no checksum" (RFC 768). The field's offset is 6 in UDP, 16 in TCP. */
  if (checksum == 0 && offset == 6) checksum = 0xffff;
  memcpy(frame + start + offset, &checksum, 2);
}
