/*
 * Offsets of a frame's headers: Ethernet, tags, IPv4 with options, IPv6 with extension headers (RFC 8200), TCP. Owns
 * every check that keeps a reader inside the frame; the virtio-net header is never trusted. Also applies the tag
 * operation on output.
 */
#include <arpa/inet.h>
#include <string.h>

#include "offload.h"

#define HOP_BY_HOP 0
#define ROUTING 43
#define FRAGMENT 44
#define DESTINATION 60
/* Options. */
#define IPV4_END 0
#define IPV4_NOP 1
#define IPV4_LOOSE_ROUTE 131
#define IPV4_STRICT_ROUTE 137
#define IPV6_PAD1 0
#define IPV6_HOME_ADDRESS 201

static uint16_t word_at(const uint8_t *bytes) { return (uint16_t)(bytes[0] << 8 | bytes[1]); }

static bool is_tag(uint16_t type) { return type == 0x8100 || type == 0x88a8; }

/* With hops left, the header holds the next hop's address instead of the destination's (RFC 791). */
static bool is_source_routed(const uint8_t *options, uint32_t size) {
  for (uint32_t at = 0; at + 2 < size && options[at] != IPV4_END; at += options[at] == IPV4_NOP ? 1 : options[at + 1]) {
    if (options[at] == IPV4_NOP) continue;
    if (options[at + 1] < 2) return false;
    bool route = options[at] == IPV4_LOOSE_ROUTE || options[at] == IPV4_STRICT_ROUTE;
    if (route && options[at + 2] <= options[at + 1]) return true;
  }
  return false;
}

/* Mobile IPv6: the header holds the care-of address, the option the home address (RFC 6275). */
static bool has_home_address(const uint8_t *options, uint32_t size) {
  for (uint32_t at = 2; at + 1 < size; at += options[at] == IPV6_PAD1 ? 1 : options[at + 1] + 2u)
    if (options[at] == IPV6_HOME_ADDRESS) return true;
  return false;
}

static bool parse_v4(const uint8_t *frame, size_t length, struct ot_headers *headers) {
  const uint8_t *ip = frame + headers->l3;
  if (headers->l3 + 20 > length || ip[0] >> 4 != 4) return false;
  uint32_t size = (ip[0] & 15) * 4u, total = word_at(ip + 2);
  if (size < 20 || total < size || headers->l3 + total > length) return false;
  headers->family = 4;
  headers->protocol = ip[9];
  headers->l4 = headers->l3 + size;
  headers->end = headers->l3 + total;
  headers->fragment = (word_at(ip + 6) & 0x3fff) != 0;
  headers->routed = is_source_routed(ip + 20, size - 20);
  /* The reserved bit before DF is ignored (RFC 791). */
  headers->plain &= size == 20 && !headers->fragment && !(ip[6] & 0x80);
  return true;
}

static bool parse_v6(const uint8_t *frame, size_t length, struct ot_headers *headers) {
  const uint8_t *ip = frame + headers->l3;
  if (headers->l3 + 40 > length || ip[0] >> 4 != 6) return false;
  uint32_t at = headers->l3 + 40, end = at + word_at(ip + 4);
  if (end > length) return false;
  uint8_t next = ip[6];
  headers->plain &= next != HOP_BY_HOP && next != ROUTING && next != DESTINATION && next != FRAGMENT;
  while (next == HOP_BY_HOP || next == ROUTING || next == DESTINATION) {
    if (at + 8 > end) return false;
    uint32_t size = (frame[at + 1] + 1u) * 8;
    if (at + size > end) return false;
    headers->routed |= next == ROUTING ? frame[at + 3] != 0 : next == DESTINATION && has_home_address(frame + at, size);
    next = frame[at];
    at += size;
  }
  if (next == FRAGMENT) {
    if (at + 8 > end) return false;
    headers->fragment = true;
    next = frame[at];
    at += 8;
  }
  headers->family = 6;
  headers->protocol = next;
  headers->l4 = at;
  headers->end = end;
  return true;
}

bool ot_parse(const uint8_t *frame, size_t length, struct ot_headers *headers) {
  *headers = (struct ot_headers){.plain = true};
  if (length < OT_ETHERNET) return false;
  uint32_t at = 12;
  uint16_t type = word_at(frame + at);
  headers->tagged = is_tag(type);
  for (int tags = 0; is_tag(type); tags++) {
    at += 4;
    if (at + 2 > length) return false;
    /* One tag of the bridge's VLAN, and one that is payload. */
    if (tags == 2) return true;
    headers->plain &= tags == 0;
    type = word_at(frame + at);
  }
  headers->l3 = at + 2;
  if (type == 0x0800) return parse_v4(frame, length, headers);
  if (type == 0x86dd) return parse_v6(frame, length, headers);
  return true;
}

uint32_t ot_tcp_length(const uint8_t *frame, uint32_t l4, uint32_t end) {
  if (l4 + 20 > end) return 0;
  uint32_t size = (frame[l4 + 12] >> 4) * 4u;
  return size < 20 || l4 + size > end ? 0 : size;
}

uint64_t ot_pseudo_sum(const uint8_t *ip, int family, uint8_t protocol) {
  uint64_t addresses = family == 4 ? ot_sum(ip + 12, 8) : ot_sum(ip + 8, 32);
  return addresses + htons(protocol);
}

/* The EtherType of the tag that an operation leaves. */
static void put_tpid(const int32_t *tx, const uint8_t *frame, uint8_t *tag) {
  bool push = (tx[TX_TAG] & TAG_REPLACE) == TAG_PUSH;
  ot_put_word(tag, !push ? word_at(frame + 12) : tx[TX_TAG] & TAG_SERVICE ? 0x88a8 : 0x8100);
}

uint32_t ot_copy_headers(const int32_t *tx, const uint8_t *frame, uint32_t length, uint8_t *copy) {
  int32_t operation = tx[TX_TAG] & TAG_REPLACE;
  if (operation == TAG_KEEP) {
    memcpy(copy, frame, length);
    return length;
  }
  uint32_t rest = operation == TAG_PUSH ? 12 : 16, at = 12;
  memcpy(copy, frame, 12);
  if (operation != TAG_POP) {
    put_tpid(tx, frame, copy + 12);
    copy[14] = (uint8_t)(tx[TX_TAG] >> 8);
    copy[15] = (uint8_t)tx[TX_TAG];
    at = 16;
  }
  memcpy(copy + at, frame + rest, length - rest);
  return at + length - rest;
}

int ot_gather(const struct ot_nic *nic, const int32_t *tx, struct iovec *vectors, uint8_t tag[4]) {
  int32_t offset = tx[TX_OFFSET], length = tx[TX_LENGTH], operation = tx[TX_TAG] & TAG_REPLACE;
  if (!ot_inside(nic, offset, length) || length < OT_ETHERNET) return 0;
  uint8_t *frame = nic->arena + offset;
  size_t size = (size_t)length;
  vectors[0] = (struct iovec){.iov_base = frame, .iov_len = size};
  if (operation == TAG_KEEP) return 1;
  if (operation != TAG_PUSH && size < OT_ETHERNET + 4) return 0;
  vectors[0].iov_len = 12;
  if (operation == TAG_POP) {
    vectors[1] = (struct iovec){.iov_base = frame + 16, .iov_len = size - 16};
    return 2;
  }
  put_tpid(tx, frame, tag);
  tag[2] = (uint8_t)(tx[TX_TAG] >> 8);
  tag[3] = (uint8_t)tx[TX_TAG];
  size_t rest = operation == TAG_PUSH ? 12 : 16;
  vectors[1] = (struct iovec){.iov_base = tag, .iov_len = 4};
  vectors[2] = (struct iovec){.iov_base = frame + rest, .iov_len = size - rest};
  return 3;
}
