/* The Internet checksum (RFC 1071). Owns the arithmetic; never looks into headers. */
#include "overtap.h"

#include <string.h>

/*
 * 32-bit words into a 64-bit sum: no carry can be lost, and the compiler makes vector code of it. The words are
 * loaded by memcpy, so any start in memory will do; which byte is the high one depends on the start of the sum alone.
 */
uint16_t ot_sum(const uint8_t *bytes, size_t length) {
  uint64_t sum = 0;
  size_t words = length / 4;
  for (size_t i = 0; i < words; i++) {
    uint32_t word;
    memcpy(&word, bytes + i * 4, 4);
    sum += word;
  }
  bytes += words * 4;
  length -= words * 4;
  if (length >= 2) {
    uint16_t half;
    memcpy(&half, bytes, 2);
    sum += half;
    bytes += 2;
    length -= 2;
  }
  if (length) {
    /* An odd byte is the first of a pair whose second is zero. */
    uint16_t half = 0;
    memcpy(&half, bytes, 1);
    sum += half;
  }
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

void ot_complete(uint8_t *frame, size_t length, size_t start, size_t offset) {
  uint16_t checksum = (uint16_t)~ot_sum(frame + start, length - start);
  /* In UDP a zero says "no checksum" (RFC 768); its field lies at 6, that of TCP at 16. */
  if (checksum == 0 && offset == 6) checksum = 0xffff;
  memcpy(frame + start + offset, &checksum, 2);
}
