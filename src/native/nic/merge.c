/*
 * GRO towards TAPs: consecutive segments of a TCP flow become one write. The rules are those of tcp_gro_receive and
 * inet_gro_receive in the kernel: segmenting the result gives back identical segments.
 *
 * Merges live within one call: up to OT_TAP_MERGES per TAP, in a list by first arrival. A frame that does not continue
 * its flow's merge flushes it first, so no frame overtakes another of its flow. Headers are patched in a copy, never in
 * the arena, where several commands may share the frame. The payload is not copied.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "../frames/offload.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define URG 0x20
#define CWR 0x80
#define DF 0x40
/* Ethernet, one tag and one that is pushed, IPv6, TCP with all its options. */
#define MOST_HEADERS (14 + 8 + 40 + 60)

/* A TCP frame that may be a member. */
struct segment {
  const int32_t *tx;
  const uint8_t *frame;
  uint32_t l3, l4, payload, length; /* offsets; bytes of payload */
  uint32_t sequence;
  uint16_t id;
  bool v6;
  uint8_t flags;
};

struct ot_merge {
  int32_t next;          /* in the list of its TAP, or in the free list */
  int32_t first, last;   /* commands of its members */
  uint32_t count, bytes; /* members, and bytes of payload in all */
  bool fixed_id;
  uint8_t last_flags;
  struct segment head;
};

enum frame_kind {
  OTHER, /* belongs to no TCP flow */
  ALONE, /* may be part of any flow: a fragment, or unparsable */
  FLOW,  /* of a TCP flow, but no member of a merge */
  MEMBER
};

struct ot_merge *ot_merges_create(void) { return calloc(OT_MERGES, sizeof(struct ot_merge)); }

void ot_merge_begin(struct ot_nic *nic) {
  nic->merging_tap = -1;
  nic->free_merge = 0;
  for (int32_t i = 0; i < OT_MERGES; i++) nic->merges[i].next = i + 1 < OT_MERGES ? i + 1 : -1;
}

/* ---- What a frame is ---- */

static uint32_t long_at(const uint8_t *bytes) {
  uint32_t value;
  memcpy(&value, bytes, 4);
  return ntohl(value);
}

/*
 * Whether the command's offload and tag words allow merging: no superframe, no other offload, no pop of a missing tag.
 */
static bool offload_allows(const int32_t *tx, const struct ot_headers *headers) {
  int32_t operation = tx[TX_TAG] & TAG_REPLACE;
  if ((operation == TAG_POP || operation == TAG_REPLACE) && !headers->tagged) return false;
  if ((uint32_t)tx[TX_VNET] >> 8 & 0xff) return false;
  return !(tx[TX_VNET] & VNET_NEEDS_CSUM) || (ot_csum_start(tx) == headers->l4 && ot_csum_offset(tx) == 16);
}

static enum frame_kind classify(const struct ot_nic *nic, const int32_t *tx, struct segment *segment) {
  struct ot_headers headers;
  uint32_t length = (uint32_t)tx[TX_LENGTH];
  if (!ot_inside(nic, tx[TX_OFFSET], tx[TX_LENGTH])) return OTHER;
  const uint8_t *frame = nic->arena + tx[TX_OFFSET];
  if (!ot_parse(frame, length, &headers) || headers.fragment) return ALONE;
  if (!headers.family || headers.protocol != OT_TCP) return OTHER;
  uint32_t size = ot_tcp_length(frame, headers.l4, headers.end);
  if (!headers.plain || !size) return ALONE;
  *segment = (struct segment){.tx = tx,
                              .frame = frame,
                              .l3 = headers.l3,
                              .l4 = headers.l4,
                              .payload = headers.l4 + size,
                              .length = headers.end - headers.l4 - size,
                              .sequence = long_at(frame + headers.l4 + 4),
                              .id = (uint16_t)(long_at(frame + headers.l3 + 4) >> 16),
                              .v6 = headers.family == 6,
                              .flags = frame[headers.l4 + 13]};
  bool member = segment->length && headers.end == length && !(segment->flags & (SYN | RST | URG | CWR)) &&
                offload_allows(tx, &headers);
  return member ? MEMBER : FLOW;
}

static bool same_flow(const struct segment *a, const struct segment *b) {
  if (a->v6 != b->v6 || memcmp(a->frame + a->l4, b->frame + b->l4, 4)) return false;
  uint32_t addresses = a->v6 ? 8 : 12;
  return !memcmp(a->frame + a->l3 + addresses, b->frame + b->l3 + addresses, a->v6 ? 32 : 8);
}

/* Equal IP headers but for length, checksum and identification (id_continues). */
static bool same_ip(const struct segment *a, const struct segment *b) {
  const uint8_t *x = a->frame + a->l3, *y = b->frame + b->l3;
  if (a->v6) return !memcmp(x, y, 4) && x[6] == y[6] && x[7] == y[7];
  return x[1] == y[1] && x[6] == y[6] && x[7] == y[7] && x[8] == y[8];
}

/* Equal data offset, flags (but FIN and PSH), window, acknowledgement, urgent pointer and options. */
static bool same_tcp(const struct segment *a, const struct segment *b) {
  const uint8_t *x = a->frame + a->l4, *y = b->frame + b->l4;
  uint32_t size = a->payload - a->l4;
  return !memcmp(x + 8, y + 8, 5) && !((x[13] ^ y[13]) & ~(FIN | PSH)) && !memcmp(x + 14, y + 14, 2) &&
         !memcmp(x + 18, y + 18, 2) && !memcmp(x + 20, y + 20, size - 20);
}

/* The IPv4 identification rises by one with each segment or, where DF is set, may be constant (RFC 6864). */
static bool id_continues(struct ot_merge *merge, const struct segment *segment) {
  if (segment->v6) return true;
  uint16_t step = (uint16_t)(segment->id - merge->head.id);
  if (merge->count == 1 && step == 0) merge->fixed_id = segment->frame[segment->l3 + 6] & DF;
  return step == (merge->fixed_id ? 0 : merge->count);
}

static bool continues(struct ot_merge *merge, const struct segment *segment) {
  const struct segment *head = &merge->head;
  uint32_t bytes = merge->bytes + segment->length;
  return segment->tx[TX_TAG] == head->tx[TX_TAG] && segment->l3 == head->l3 && segment->payload == head->payload &&
         segment->length <= head->length && segment->sequence == head->sequence + merge->bytes &&
         merge->count < OT_MERGE_MEMBERS && head->payload - head->l3 + bytes <= 65535 &&
         !memcmp(segment->frame, head->frame, head->l3) && same_ip(segment, head) && same_tcp(segment, head) &&
         id_continues(merge, segment);
}

/* A wrong checksum must stay wrong. A partial one (NEEDS_CSUM) is taken on trust. */
static bool is_sound(struct ot_nic *nic, const struct segment *segment) {
  const uint8_t *ip = segment->frame + segment->l3;
  if (!segment->v6 && ot_sum(ip, segment->l4 - segment->l3) != 0xffff) return false;
  if (segment->tx[TX_VNET] & VNET_NEEDS_CSUM && !ot_is_finished(nic, segment->tx)) return true;
  uint32_t length = segment->payload - segment->l4 + segment->length;
  uint64_t sum = ot_pseudo_sum(ip, segment->v6 ? 6 : 4, OT_TCP) + htons((uint16_t)length);
  return ot_fold(sum + ot_sum(segment->frame + segment->l4, length)) == 0xffff;
}

/* ---- Writing ---- */

/*
 * Writes the headers of the merged frame: the first member's, tag operation applied, lengths updated. Returns their
 * length.
 */
static uint32_t stamp(const struct ot_merge *merge, uint8_t *headers, struct ot_vnet *vnet) {
  const struct segment *head = &merge->head;
  uint32_t length = ot_copy_headers(head->tx, head->frame, head->payload, headers);
  /* Bytes added or removed by the tag operation, modulo 2^32: add it to an offset before comparing. */
  uint32_t shift = length - head->payload, l3 = head->l3 + shift, l4 = head->l4 + shift;
  uint8_t *ip = headers + l3, *tcp = headers + l4;
  uint32_t tcp_length = head->payload - head->l4 + merge->bytes, total = tcp_length + head->l4 - head->l3;
  if (head->v6) {
    ot_put_word(ip + 4, total - 40);
  } else {
    ot_put_word(ip + 2, total);
    ot_put_word(ip + 10, 0);
    uint16_t checksum = (uint16_t)~ot_sum(ip, 20);
    memcpy(ip + 10, &checksum, 2);
  }
  tcp[13] |= merge->last_flags & (FIN | PSH);
  uint16_t pseudo = ot_fold(ot_pseudo_sum(ip, head->v6 ? 6 : 4, OT_TCP) + htons((uint16_t)tcp_length));
  memcpy(tcp + 16, &pseudo, 2);
  *vnet = (struct ot_vnet){.flags = VNET_NEEDS_CSUM,
                           .gso_type = head->v6 ? VNET_GSO_TCPV6 : VNET_GSO_TCPV4,
                           .hdr_len = (uint16_t)length,
                           .gso_size = (uint16_t)head->length,
                           .csum_start = (uint16_t)l4,
                           .csum_offset = 16};
  return length;
}

static int write_merged(struct ot_nic *nic, struct ot_port *port, const struct ot_merge *merge) {
  uint8_t headers[MOST_HEADERS];
  struct ot_vnet vnet;
  struct iovec vectors[2 + OT_MERGE_MEMBERS];
  /* Without the Ethernet header that a TUN does not get. */
  uint32_t lacks = port->lacks, length = stamp(merge, headers, &vnet) - lacks;
  vnet.hdr_len = (uint16_t)(vnet.hdr_len - lacks);
  vnet.csum_start = (uint16_t)(vnet.csum_start - lacks);
  vectors[1] = (struct iovec){.iov_base = headers + lacks, .iov_len = length};
  vectors[0] = (struct iovec){.iov_base = &vnet, .iov_len = port->vnet_size};
  int count = 2;
  for (int32_t at = merge->first; at >= 0; at = nic->links[at]) {
    const int32_t *tx = ot_command(nic, at);
    uint32_t payload = merge->head.payload;
    vectors[count++] =
        (struct iovec){.iov_base = nic->arena + tx[TX_OFFSET] + payload, .iov_len = (uint32_t)tx[TX_LENGTH] - payload};
  }
  if (!port->packets) {
    ot_tap_flush(nic);
    return ot_write(port->fd, vectors, count);
  }
  ot_packet_flush(nic, port);
  int number = ot_write(port->fd, vectors, count);
  return number ? ot_packet_errno(nic, port, number) : 0;
}

/* Writes a frame unchanged. Returns 0 or an errno. */
static int write_alone(struct ot_nic *nic, struct ot_port *port, int32_t at) {
  if (!port->packets) return ot_tap_queue(nic, port, at);
  ot_packet_queue(nic, port, at);
  return 0;
}

static void write_merge(struct ot_nic *nic, struct ot_port *port, const struct ot_merge *merge) {
  int number = merge->count == 1 ? write_alone(nic, port, merge->first) : write_merged(nic, port, merge);
  for (int32_t at = merge->first; number && at >= 0; at = nic->links[at]) ot_command_failed(nic, at, number);
}

/* ---- The open merges of a TAP ---- */

/* Writes a merge and frees its slot; `before` is its predecessor in the list, or -1. */
static void close_merge(struct ot_nic *nic, struct ot_port *port, int32_t index, int32_t before) {
  struct ot_merge *merge = &nic->merges[index];
  write_merge(nic, port, merge);
  if (before < 0) port->first = merge->next;
  else nic->merges[before].next = merge->next;
  if (port->last == index) port->last = before;
  port->open--;
  merge->next = nic->free_merge;
  nic->free_merge = index;
}

static void close_all(struct ot_nic *nic, struct ot_port *port) {
  while (port->first >= 0) close_merge(nic, port, port->first, -1);
}

static void open_merge(struct ot_nic *nic, struct ot_port *port, int32_t at, const struct segment *segment) {
  if (port->open == OT_TAP_MERGES) close_merge(nic, port, port->first, -1);
  if (nic->free_merge < 0) ot_merge_end(nic);
  if (!port->listed) {
    port->listed = true;
    port->next = nic->merging_tap;
    nic->merging_tap = segment->tx[TX_INDEX];
  }
  int32_t index = nic->free_merge;
  struct ot_merge *merge = &nic->merges[index];
  nic->free_merge = merge->next;
  *merge =
      (struct ot_merge){.next = -1, .first = at, .last = at, .count = 1, .bytes = segment->length, .head = *segment};
  nic->links[at] = -1;
  if (port->first < 0) port->first = index;
  else nic->merges[port->last].next = index;
  port->last = index;
  port->open++;
}

static bool ends(const struct segment *segment, uint32_t most) {
  return segment->length < most || segment->flags & (FIN | PSH);
}

/* Adds a segment to its flow's merge. Returns false when it does not continue it. */
static bool add(struct ot_nic *nic, struct ot_merge *merge, int32_t at, const struct segment *segment) {
  if (!continues(merge, segment)) return false;
  /*
   * A frame that stays alone is written unchanged, so the first checksum is verified only when a second segment comes.
   */
  if (merge->count == 1 && !is_sound(nic, &merge->head)) return false;
  if (!is_sound(nic, segment)) return false;
  nic->links[merge->last] = at;
  nic->links[at] = -1;
  merge->last = at;
  merge->count++;
  merge->bytes += segment->length;
  merge->last_flags = segment->flags;
  return true;
}

void ot_merge(struct ot_nic *nic, struct ot_port *port, int32_t at) {
  struct segment segment;
  const int32_t *tx = ot_command(nic, at);
  enum frame_kind kind = classify(nic, tx, &segment);
  if (kind == ALONE) close_all(nic, port);
  if (kind == FLOW || kind == MEMBER) {
    int32_t index = port->first, before = -1;
    while (index >= 0 && !same_flow(&nic->merges[index].head, &segment)) {
      before = index;
      index = nic->merges[index].next;
    }
    if (index >= 0) {
      struct ot_merge *merge = &nic->merges[index];
      bool added = kind == MEMBER && add(nic, merge, at, &segment);
      if (!added || ends(&segment, merge->head.length)) close_merge(nic, port, index, before);
      if (added) return;
    }
    if (kind == MEMBER && !ends(&segment, segment.length)) {
      open_merge(nic, port, at, &segment);
      return;
    }
  }
  int number = write_alone(nic, port, at);
  if (number) ot_command_failed(nic, at, number);
}

void ot_merge_end(struct ot_nic *nic) {
  while (nic->merging_tap >= 0) {
    struct ot_port *port = &nic->taps.ports[nic->merging_tap];
    nic->merging_tap = port->next;
    port->listed = false;
    close_all(nic, port);
  }
}
