/*
 * Fragmentation of IPv4 packets (RFC 791 section 3.2; ip_fragment and ip_options_fragment in the kernel), for packets
 * that may be fragmented and are too long for a tunnel. The headers are copied and stamped for each fragment, the
 * payload stays in place. Sends nothing and never writes to the frame.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "offload.h"

#define DF 0x4000
#define MF 0x2000
#define OFFSET 0x1fff
/* Offsets count units of 8 bytes. */
#define UNIT 8
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_COPIED 0x80
/*
 * Least payload of a fragment but for the last: with it a packet has at most 128 fragments, and each holds all of a
 * transport header.
 */
#define LEAST 512

/* Fills in what follows from headers, transport bytes and the bound. Returns 0 or an errno. */
static int divide(struct ot_fragments *fragments, uint32_t most) {
  const uint8_t *ip = fragments->headers + fragments->l3;
  uint32_t total = fragments->l4_length + fragments->length;
  fragments->flags = (uint16_t)(ip[6] << 8 | ip[7]);
  bool whole = fragments->header_length + total <= most;
  if (!whole && fragments->flags & DF) return EMSGSIZE;
  fragments->step = whole ? total : (most - fragments->header_length) & ~(uint32_t)(UNIT - 1);
  if (!whole && (most < fragments->header_length || fragments->step < LEAST)) return EMSGSIZE;
  fragments->count = whole ? 1 : (total + fragments->step - 1) / fragments->step;
  return (fragments->flags & OFFSET) * UNIT + total > 0xffff ? OFFLOAD_MISFIT : 0;
}

int ot_fragment_frame(const struct ot_nic *nic, const int32_t *tx, uint32_t most, struct ot_fragments *fragments) {
  struct ot_headers headers;
  const uint8_t *frame = nic->arena + tx[TX_OFFSET];
  int32_t operation = tx[TX_TAG] & TAG_REPLACE;
  if (!ot_parse(frame, (size_t)tx[TX_LENGTH], &headers) || headers.family != 4) return OFFLOAD_MISFIT;
  if ((operation == TAG_POP || operation == TAG_REPLACE) && !headers.tagged) return OFFLOAD_MISFIT;
  fragments->header_length = ot_copy_headers(tx, frame, headers.l4, fragments->headers);
  fragments->l3 = headers.l3 + (fragments->header_length - headers.l4);
  fragments->l4_length = 0;
  fragments->payload = frame + headers.l4;
  fragments->length = headers.end - headers.l4;
  return divide(fragments, most);
}

int ot_fragment_segment(const struct ot_split *split, const uint8_t *headers, const uint8_t *payload, uint32_t length,
                        uint32_t most, struct ot_fragments *fragments) {
  if (split->v6 || split->header_length > sizeof fragments->headers) return OFFLOAD_MISFIT;
  memcpy(fragments->headers, headers, split->header_length);
  fragments->header_length = split->l4;
  fragments->l3 = split->l3;
  fragments->l4_length = split->header_length - split->l4;
  fragments->payload = payload;
  fragments->length = length;
  return divide(fragments, most);
}

/* Options without the copy bit belong to the first fragment only; in their place the others have no operations. */
static void blank_options(uint8_t *options, uint32_t size) {
  for (uint32_t at = 0; at < size && options[at] != OPTION_END;) {
    if (options[at] == OPTION_NOP) {
      at++;
      continue;
    }
    if (at + 1 == size || options[at + 1] < 2 || at + options[at + 1] > size) return;
    uint32_t length = options[at + 1];
    if (!(options[at] & OPTION_COPIED)) memset(options + at, OPTION_NOP, length);
    at += length;
  }
}

struct ot_fragment ot_fragment_stamp(const struct ot_fragments *fragments, uint32_t i, uint8_t *headers) {
  uint32_t total = fragments->l4_length + fragments->length, from = i * fragments->step;
  uint32_t length = total - from < fragments->step ? total - from : fragments->step;
  /* The transport header, where it is not part of the payload, goes with the first. */
  uint32_t own = i ? 0 : fragments->l4_length;
  memcpy(headers, fragments->headers, fragments->header_length + own);
  uint8_t *ip = headers + fragments->l3;
  uint32_t size = fragments->header_length - fragments->l3;
  bool more = i + 1 < fragments->count || fragments->flags & MF;
  ot_put_word(ip + 2, size + length);
  ot_put_word(ip + 6, (fragments->flags & ~(uint32_t)(MF | OFFSET)) | (more ? MF : 0) |
                          ((fragments->flags & OFFSET) + from / UNIT));
  if (i) blank_options(ip + 20, size - 20);
  ot_put_word(ip + 10, 0);
  uint16_t checksum = (uint16_t)~ot_fold(ot_sum(ip, size));
  memcpy(ip + 10, &checksum, 2);
  return (struct ot_fragment){.header_length = fragments->header_length + own,
                              .payload = fragments->payload + from + own - fragments->l4_length,
                              .length = length - own};
}
