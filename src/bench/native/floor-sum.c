/* Internet checksums (RFC 1071). The compiler vectorises the loop: 32-bit words into a 64-bit sum lose no carry. */
#include "floor.h"

#include <string.h>

uint64_t sum_bytes(const uint8_t *bytes, size_t length) {
  uint64_t sum = 0;
  size_t words = length / 4;
  for (size_t i = 0; i < words; i++) {
    uint32_t word;
    memcpy(&word, bytes + i * 4, 4);
    sum += word;
  }
  uint32_t rest = 0;
  memcpy(&rest, bytes + words * 4, length & 3);
  return sum + rest;
}

uint64_t sum_pseudo(const uint8_t *ip, uint8_t protocol, size_t length) {
  uint8_t words[4] = {0, protocol, (uint8_t)(length >> 8), (uint8_t)length};
  return sum_bytes(ip + 12, 8) + sum_bytes(words, 4);
}

/* @return the sum in the byte order of the wire, as it lies in memory */
uint16_t fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

void finish_ipv4(uint8_t *ip) {
  memset(ip + 10, 0, 2);
  uint16_t sum = (uint16_t)~fold(sum_bytes(ip, IPV4_BYTES));
  memcpy(ip + 10, &sum, 2);
}
