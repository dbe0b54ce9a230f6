/*
 * Superframes without a partial checksum, given one by netdev-lro.c. Good ones must have the sum that a receiver
 * computes, byte by byte; of mutated ones no byte outside the frame is touched: built with the address sanitizer, each
 * frame has memory of exactly its length. Prints how many were completed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/native/frames/offload.h"

static uint32_t state;

static uint32_t below(uint32_t bound) {
  state = state * 1664525 + 1013904223;
  return (uint32_t)((uint64_t)state * bound >> 32);
}

struct frame {
  uint8_t *bytes;
  uint32_t length, l3, l4;
  bool v6;
};

/* Ethernet, up to two tags, IPv4 with options or IPv6, TCP with options, and up to 20 bytes of padding. */
static struct frame build(void) {
  uint32_t tags = below(3), options = below(4) ? 0 : 4 * below(11), payload = below(30000),
           padding = below(4) ? 0 : below(20);
  struct frame made = {.v6 = below(2), .l3 = 14 + 4 * tags};
  if (made.v6) options = 0;
  made.l4 = made.l3 + (made.v6 ? 40 : 20 + options);
  uint32_t tcp = 20 + 4 * below(11), end = made.l4 + tcp + payload;
  made.length = end + padding;
  made.bytes = malloc(made.length);
  for (uint32_t i = 0; i < made.length; i++) made.bytes[i] = (uint8_t)below(256);
  for (uint32_t i = 0; i < tags; i++) ot_put_word(made.bytes + 12 + 4 * i, i + 1 < tags ? 0x88a8 : 0x8100);
  ot_put_word(made.bytes + made.l3 - 2, made.v6 ? 0x86dd : 0x0800);
  uint8_t *ip = made.bytes + made.l3;
  ip[0] = (uint8_t)(made.v6 ? 0x60 : 0x40 | (5 + options / 4));
  ot_put_word(ip + (made.v6 ? 4 : 2), end - made.l3 - (made.v6 ? 40 : 0));
  ip[made.v6 ? 6 : 9] = 6;
  if (!made.v6) {
    memset(ip + 6, 0, 2);
    memset(ip + 20, 1, options);
  }
  made.bytes[made.l4 + 12] = (uint8_t)(tcp / 4 << 4);
  return made;
}

/* The sum of the pseudo-header and its length (RFC 9293 section 3.1, RFC 8200 section 8.1), one byte at a time. */
static uint32_t pseudo(const struct frame *made) {
  const uint8_t *ip = made->bytes + made->l3;
  uint32_t total = (uint32_t)ip[made->v6 ? 4 : 2] << 8 | ip[made->v6 ? 5 : 3];
  uint32_t sum = 6 + total - (made->v6 ? 0 : made->l4 - made->l3);
  uint32_t from = made->v6 ? 8 : 12, to = made->v6 ? 40 : 20;
  for (uint32_t i = from; i < to; i++) sum += (uint32_t)ip[i] << (i & 1 ? 0 : 8);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

static bool run(bool mutate) {
  struct frame made = build();
  uint32_t shift = made.l3 > 14 ? 4 : 0;
  struct ot_vnet header = {.flags = 2, .gso_type = made.v6 ? VNET_GSO_TCPV6 : VNET_GSO_TCPV4, .gso_size = 1448};
  if (!below(4)) header.gso_type |= VNET_GSO_ECN;
  if (mutate) {
    for (uint32_t i = 1 + below(8); i > 0; i--)
      made.bytes[below(made.length < 90 ? made.length : 90)] = (uint8_t)below(256);
    if (!below(4)) header.gso_type = (uint8_t)below(256);
  }
  size_t length = mutate && !below(2) ? below(made.length) : made.length;
  uint8_t *copy = malloc(length + 1);
  memcpy(copy, made.bytes, length);
  uint8_t *exact = malloc(length ? length : 1);
  memcpy(exact, made.bytes, length);
  ot_lro_complete(&header, exact, length, shift);
  bool done = header.flags & VNET_NEEDS_CSUM;
  if (!mutate) {
    uint32_t field = made.l4 + 16;
    uint32_t sum = (uint32_t)exact[field] << 8 | exact[field + 1];
    if (!done || header.csum_start != made.l4 - shift || header.csum_offset != 16 || sum != pseudo(&made)) abort();
    memcpy(copy + field, exact + field, 2);
  }
  if ((!done || !mutate) && memcmp(copy, exact, length)) abort();
  free(exact);
  free(copy);
  free(made.bytes);
  return done;
}

int main(int count, char **words) {
  unsigned long rounds = count > 2 ? strtoul(words[2], NULL, 10) : 1000, done = 0;
  state = count > 1 ? (uint32_t)strtoul(words[1], NULL, 10) : 1;
  for (unsigned long i = 0; i < rounds; i++) done += run(i & 1);
  printf("%lu of %lu\n", done, rounds);
  return 0;
}
