/*
 * Superframes that a NIC has put together itself (LRO), as an attached interface delivers them. The NIC has verified
 * their checksums, which no longer fit, and the virtio-net header neither asks for another one nor says where it
 * belongs. The kernel takes such a frame in as it is, but none is passed on like that: it becomes what the kernel's own
 * GRO would have left, with a partial checksum (tcp_gro_complete; virtio 1.2 section 5.1.6.2 demands one with any
 * segmentation type).
 */
#include <arpa/inet.h>
#include <string.h>

#include "../frames/offload.h"

#define TCP_CHECKSUM 16

void ot_lro_complete(struct ot_vnet *header, uint8_t *frame, size_t length, uint32_t shift) {
  uint8_t type = header->gso_type & (uint8_t)~VNET_GSO_ECN;
  struct ot_headers found;
  if (header->flags & VNET_NEEDS_CSUM || (type != VNET_GSO_TCPV4 && type != VNET_GSO_TCPV6)) return;
  if (!ot_parse(frame, length, &found) || found.family != (type == VNET_GSO_TCPV4 ? 4 : 6)) return;
  if (found.protocol != OT_TCP || found.fragment || found.routed || !ot_tcp_length(frame, found.l4, found.end)) return;
  uint64_t sum = ot_pseudo_sum(frame + found.l3, found.family, OT_TCP);
  uint16_t partial = ot_fold(sum + htons((uint16_t)(found.end - found.l4)));
  memcpy(frame + found.l4 + TCP_CHECKSUM, &partial, sizeof partial);
  header->flags |= VNET_NEEDS_CSUM;
  header->csum_start = (uint16_t)(found.l4 - shift);
  header->csum_offset = TCP_CHECKSUM;
}
