/*
 * Segmentation of a superframe, as a NIC with TSO does it (tcp_gso_segment, __udp_gso_segment and inet_gso_segment in
 * the kernel): headers are copied and stamped for each segment, the payload stays in place. Sends nothing and never
 * writes to the frame.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "offload.h"

#define FIN 0x01
#define PSH 0x08
#define CWR 0x80

/* Whether the headers are those that the GSO type names. */
static bool type_fits(uint32_t type, const struct ot_headers *headers) {
  if (headers->fragment) return false;
  if (type == VNET_GSO_TCPV4) return headers->family == 4 && headers->protocol == OT_TCP;
  if (type == VNET_GSO_TCPV6) return headers->family == 6 && headers->protocol == OT_TCP;
  return type == VNET_GSO_UDP_L4 && headers->family && headers->protocol == OT_UDP_PROTOCOL;
}

/* Offset of the payload in the frame, or 0 when the offload words do not fit the frame. */
static uint32_t find_payload(const int32_t *tx, const uint8_t *frame, struct ot_headers *headers) {
  uint32_t length = (uint32_t)tx[TX_LENGTH];
  if (!ot_parse(frame, length, headers) || !type_fits(ot_gso_type(tx), headers) || headers->end != length) return 0;
  int32_t operation = tx[TX_TAG] & TAG_REPLACE;
  if ((operation == TAG_POP || operation == TAG_REPLACE) && !headers->tagged) return 0;
  bool tcp = headers->protocol == OT_TCP;
  uint32_t size = tcp ? ot_tcp_length(frame, headers->l4, length) : headers->l4 + 8 <= length ? 8 : 0;
  bool open = tx[TX_VNET] & VNET_NEEDS_CSUM;
  if (open && (ot_csum_start(tx) != headers->l4 || ot_csum_offset(tx) != (tcp ? 16 : 6))) return 0;
  /* Only the guest knows which addresses this checksum covers: they are in the partial sum. */
  if (headers->routed && !open) return 0;
  return size ? headers->l4 + size : 0;
}

static void prepare_sums(struct ot_split *split, const struct ot_headers *headers) {
  uint8_t *ip = split->headers + split->l3, *l4 = split->headers + split->l4;
  uint16_t open;
  memcpy(&open, l4 + split->checksum, 2);
  /* Sums are in memory byte order, so adding ~x subtracts x. */
  uint64_t pseudo = ot_pseudo_sum(ip, headers->family, headers->protocol);
  if (headers->routed) pseudo = (uint64_t)open + (uint16_t)~htons((uint16_t)(headers->end - headers->l4));
  ot_put_word(l4 + split->checksum, 0);
  if (split->tcp) {
    uint32_t sequence;
    memcpy(&sequence, l4 + 4, 4);
    split->sequence = ntohl(sequence);
    split->flags = l4[13];
    memset(l4 + 4, 0, 4);
    l4[13] = 0;
  } else {
    ot_put_word(l4 + 4, 0);
  }
  split->l4_sum = pseudo + ot_sum(l4, split->header_length - split->l4);
  if (split->v6) return;
  split->id = (uint16_t)(ip[4] << 8 | ip[5]);
  memset(ip + 2, 0, 4);
  ot_put_word(ip + 10, 0);
  split->ip_sum = ot_sum(ip, split->l4 - split->l3);
}

int ot_split_begin(const struct ot_nic *nic, const int32_t *tx, struct ot_split *split) {
  struct iovec vectors[3];
  uint8_t tag[4];
  struct ot_headers headers;
  if (!ot_gather(nic, tx, vectors, tag)) return EINVAL;
  const uint8_t *frame = nic->arena + tx[TX_OFFSET];
  uint32_t length = (uint32_t)tx[TX_LENGTH], start = find_payload(tx, frame, &headers);
  if (!start || start + 4 > OT_MAX_HEADERS) return OFFLOAD_MISFIT;
  split->segment = (uint32_t)tx[TX_GSO] & 0xffff;
  split->payload = frame + start;
  split->payload_length = length - start;
  if (!split->segment) return OFFLOAD_MISFIT;
  split->count = split->payload_length ? (split->payload_length + split->segment - 1) / split->segment : 1;
  if (split->count > OT_MAX_SEGMENTS) return OFFLOAD_MISFIT;
  split->header_length = ot_copy_headers(tx, frame, start, split->headers);
  uint32_t shift = split->header_length - start;
  split->l3 = headers.l3 + shift;
  split->l4 = headers.l4 + shift;
  split->v6 = headers.family == 6;
  split->tcp = headers.protocol == OT_TCP;
  split->checksum = split->tcp ? 16 : 6;
  prepare_sums(split, &headers);
  return 0;
}

/* FIN and PSH belong to the last segment, CWR to the first. */
static uint8_t flags_of(const struct ot_split *split, uint32_t i) {
  uint8_t flags = split->flags;
  if (i + 1 < split->count) flags &= (uint8_t)~(FIN | PSH);
  if (i > 0) flags &= (uint8_t)~CWR;
  return flags;
}

static void stamp_ip(const struct ot_split *split, uint32_t i, uint32_t total, uint8_t *ip) {
  if (split->v6) {
    ot_put_word(ip + 4, total - 40);
    return;
  }
  uint16_t id = (uint16_t)(split->id + i);
  ot_put_word(ip + 2, total);
  ot_put_word(ip + 4, id);
  uint16_t checksum = (uint16_t)~ot_fold(split->ip_sum + htons((uint16_t)total) + htons(id));
  memcpy(ip + 10, &checksum, 2);
}

uint32_t ot_split_stamp(const struct ot_split *split, uint32_t i, uint8_t *headers) {
  uint32_t at = i * split->segment, left = split->payload_length - at;
  uint32_t length = left < split->segment ? left : split->segment;
  memcpy(headers, split->headers, split->header_length);
  uint8_t *l4 = headers + split->l4;
  uint32_t l4_length = split->header_length - split->l4 + length;
  stamp_ip(split, i, l4_length + split->l4 - split->l3, headers + split->l3);
  uint64_t sum = split->l4_sum + htons((uint16_t)l4_length) + ot_sum(split->payload + at, length);
  if (split->tcp) {
    uint32_t sequence = htonl(split->sequence + at);
    memcpy(l4 + 4, &sequence, 4);
    l4[13] = flags_of(split, i);
    sum += (uint64_t)sequence + htons(l4[13]);
  } else {
    ot_put_word(l4 + 4, l4_length);
    sum += htons((uint16_t)l4_length);
  }
  uint16_t checksum = (uint16_t)~ot_fold(sum);
  if (checksum == 0 && !split->tcp) checksum = 0xffff;
  memcpy(l4 + split->checksum, &checksum, 2);
  return length;
}
