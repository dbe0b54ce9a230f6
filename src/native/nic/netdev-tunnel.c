/*
 * Superframes of the kernel's tunnels (vxlan, geneve, GRE, IP in IP) that an attached interface delivers: headers
 * around an inner TCP or UDP packet that is to be segmented. The virtio-net header of a packet socket has no place for
 * that: it describes the inner packet, and neither another interface nor a TAP would take it. So they are segmented
 * here, into the free part of the arena, as the kernel would (skb_udp_tunnel_segment, gre_gso_segment,
 * tcp_gso_segment): all checksums are complete afterwards.
 */
#include <arpa/inet.h>
#include <string.h>

#include "../frames/offload.h"
#include "receive.h"

#define FIN 0x01
#define PSH 0x08
#define CWR 0x80
#define IP_IN_IP 4
#define IPV6_IN_IP 41
#define GRE 47
/* GRE flags of headers that differ in each segment: checksum, routing, sequence number; and the version. */
#define GRE_UNEQUAL 0xd007

struct tunnel {
  const uint8_t *frame;
  uint32_t length;          /* of the superframe */
  struct ot_headers outer;  /* l3, l4 */
  uint32_t l3, l4, payload; /* offsets of the inner packet's parts */
  bool v6, tcp;             /* the inner packet */
  uint32_t segment;         /* bytes of payload */
};

static uint32_t word_at(const uint8_t *bytes) { return (uint32_t)bytes[0] << 8 | bytes[1]; }

/* The inner IP header lies directly before the checksum's start, without options. */
static bool find_inner(struct tunnel *tunnel, uint32_t type, uint32_t start) {
  const uint8_t *frame = tunnel->frame;
  if (start >= tunnel->length) return false;
  tunnel->tcp = type != VNET_GSO_UDP_L4;
  uint8_t protocol = tunnel->tcp ? OT_TCP : OT_UDP_PROTOCOL;
  bool v4 = start >= OT_ETHERNET + 20 && frame[start - 20] == 0x45 && frame[start - 11] == protocol &&
            word_at(frame + start - 18) == tunnel->length - start + 20;
  bool v6 = start >= OT_ETHERNET + 40 && frame[start - 40] >> 4 == 6 && frame[start - 34] == protocol &&
            word_at(frame + start - 36) == tunnel->length - start;
  if (type == VNET_GSO_TCPV4) v6 = false;
  if (type == VNET_GSO_TCPV6) v4 = false;
  if (!v4 && !v6) return false;
  uint32_t size = tunnel->tcp ? ot_tcp_length(frame, start, tunnel->length) : start + 8 <= tunnel->length ? 8 : 0;
  tunnel->v6 = !v4;
  tunnel->l3 = start - (v4 ? 20 : 40);
  tunnel->l4 = start;
  tunnel->payload = start + size;
  return size && tunnel->payload < tunnel->length;
}

/* Whether the headers around the inner packet are those of a tunnel that each segment can have. */
static bool fits_outer(const struct tunnel *tunnel) {
  const struct ot_headers *outer = &tunnel->outer;
  if (!outer->plain || outer->fragment || outer->end != tunnel->length || tunnel->l3 < outer->l4) return false;
  uint32_t between = tunnel->l3 - outer->l4;
  if (outer->protocol == OT_UDP_PROTOCOL) return between >= 8;
  if (outer->protocol == GRE) return between >= 4 && !(word_at(tunnel->frame + outer->l4) & GRE_UNEQUAL);
  return (outer->protocol == IP_IN_IP || outer->protocol == IPV6_IN_IP) && between == 0;
}

static void stamp_ip(uint8_t *ip, bool v6, uint32_t length, uint32_t i) {
  if (v6) {
    ot_put_word(ip + 4, length - 40);
    return;
  }
  ot_put_word(ip + 2, length);
  ot_put_word(ip + 4, word_at(ip + 4) + i);
  ot_put_word(ip + 10, 0);
  uint16_t checksum = (uint16_t)~ot_sum(ip, 20);
  memcpy(ip + 10, &checksum, 2);
}

/* Completes the checksum of a TCP or UDP packet at `l4`, behind the IP header at `ip`. */
static void complete(uint8_t *segment, const uint8_t *ip, bool v6, uint8_t protocol, uint32_t l4, uint32_t length) {
  uint32_t field = protocol == OT_TCP ? 16 : 6;
  uint16_t open = ot_fold(ot_pseudo_sum(ip, v6 ? 6 : 4, protocol) + htons((uint16_t)(length - l4)));
  memcpy(segment + l4 + field, &open, 2);
  ot_complete(segment, length, l4, field);
}

static void stamp_tcp(const struct tunnel *tunnel, uint8_t *tcp, uint32_t at) {
  uint32_t sequence;
  memcpy(&sequence, tcp + 4, 4);
  sequence = htonl(ntohl(sequence) + at);
  memcpy(tcp + 4, &sequence, 4);
  bool last = tunnel->payload + at + tunnel->segment >= tunnel->length;
  if (!last) tcp[13] &= (uint8_t)~(FIN | PSH);
  if (at > 0) tcp[13] &= (uint8_t)~CWR;
}

/* Writes segment `i`. Returns its length. */
static uint32_t write_segment(const struct tunnel *tunnel, uint32_t i, uint8_t *segment) {
  const struct ot_headers *outer = &tunnel->outer;
  uint32_t at = i * tunnel->segment, left = tunnel->length - tunnel->payload - at;
  uint32_t bytes = left < tunnel->segment ? left : tunnel->segment, length = tunnel->payload + bytes;
  memcpy(segment, tunnel->frame, tunnel->payload);
  memcpy(segment + tunnel->payload, tunnel->frame + tunnel->payload + at, bytes);
  stamp_ip(segment + tunnel->l3, tunnel->v6, length - tunnel->l3, i);
  if (tunnel->tcp) stamp_tcp(tunnel, segment + tunnel->l4, at);
  else ot_put_word(segment + tunnel->l4 + 4, length - tunnel->l4);
  complete(segment, segment + tunnel->l3, tunnel->v6, tunnel->tcp ? OT_TCP : OT_UDP_PROTOCOL, tunnel->l4, length);
  stamp_ip(segment + outer->l3, outer->family == 6, length - outer->l3, i);
  if (outer->protocol != OT_UDP_PROTOCOL) return length;
  ot_put_word(segment + outer->l4 + 4, length - outer->l4);
  if (word_at(segment + outer->l4 + 6))
    complete(segment, segment + outer->l3, outer->family == 6, OT_UDP_PROTOCOL, outer->l4, length);
  return length;
}

bool ot_tunnel_superframe(const struct ot_vnet *header, const uint8_t *frame, size_t length, uint32_t start) {
  uint32_t type = header->gso_type & ~(uint32_t)VNET_GSO_ECN;
  struct ot_headers headers;
  if (type == VNET_GSO_NONE || !(header->flags & VNET_NEEDS_CSUM)) return false;
  return ot_parse(frame, length, &headers) && headers.family && headers.l4 != start;
}

bool ot_tunnel_split(struct ot_nic *nic, int32_t index, const struct ot_vnet *header, size_t offset, size_t length,
                     uint32_t start) {
  struct tunnel tunnel = {.frame = nic->arena + offset, .length = (uint32_t)length, .segment = header->gso_size};
  uint32_t type = header->gso_type & ~(uint32_t)VNET_GSO_ECN;
  if (!tunnel.segment || !ot_parse(tunnel.frame, length, &tunnel.outer) || !find_inner(&tunnel, type, start) ||
      !fits_outer(&tunnel))
    return false;
  uint32_t count = (tunnel.length - tunnel.payload + tunnel.segment - 1) / tunnel.segment;
  size_t room = tunnel.payload + tunnel.segment + HEADROOM + 2 * 64;
  if (count > OT_TRAIN_IN || count + nic->owed > nic->max_frames - nic->frames ||
      nic->spill + count * room > nic->arena_bytes)
    return false;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t bytes = write_segment(&tunnel, i, nic->arena + nic->spill);
    describe(nic, KIND_FRAME, index, nic->spill, bytes);
    nic->spill = after(nic->spill + bytes);
  }
  return true;
}
