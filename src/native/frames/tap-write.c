/*
 * Writes one frame to a TAP, or its packet to a TUN. Owns the virtio-net header before it; for a device without that
 * header, completes checksums and segments superframes.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "offload.h"

int ot_write(int fd, const struct iovec *vectors, int count) {
  ssize_t written;
  do written = writev(fd, vectors, count);
  while (written < 0 && errno == EINTR);
  return written < 0 ? errno : 0;
}

int ot_fill_vnet(struct ot_nic *nic, const struct ot_port *port, const int32_t *tx, struct ot_vnet *vnet) {
  int32_t shift = ot_tag_shift(tx) - (int32_t)port->lacks, least = OT_ETHERNET - (int32_t)port->lacks;
  memset(vnet, 0, sizeof *vnet);
  vnet->flags = (uint8_t)tx[TX_VNET];
  vnet->gso_type = (uint8_t)(tx[TX_VNET] >> 8);
  vnet->gso_size = (uint16_t)tx[TX_GSO];
  int32_t header = (int32_t)((uint32_t)tx[TX_GSO] >> 16);
  if (header) {
    header += shift;
    if (header < least || header > 0xffff) return OFFLOAD_MISFIT;
    vnet->hdr_len = (uint16_t)header;
  }
  if (!(vnet->flags & VNET_NEEDS_CSUM)) return 0;
  if (vnet->gso_type == VNET_GSO_NONE && ot_is_finished(nic, tx)) {
    vnet->flags &= (uint8_t)~VNET_NEEDS_CSUM;
    return 0;
  }
  int32_t start = (int32_t)ot_csum_start(tx) + shift;
  if (start < least || start > 0xffff) return OFFLOAD_MISFIT;
  vnet->csum_start = (uint16_t)start;
  vnet->csum_offset = (uint16_t)ot_csum_offset(tx);
  return 0;
}

static int write_segments(struct ot_nic *nic, const struct ot_port *port, const int32_t *tx) {
  struct ot_split split;
  uint8_t headers[OT_MAX_HEADERS];
  int result = ot_split_begin(nic, tx, &split);
  for (uint32_t i = 0; result == 0 && i < split.count; i++) {
    uint32_t length = ot_split_stamp(&split, i, headers);
    struct iovec vectors[2] = {{.iov_base = headers + port->lacks, .iov_len = split.header_length - port->lacks},
                               {.iov_base = (uint8_t *)split.payload + (size_t)i * split.segment, .iov_len = length}};
    result = ot_write(port->fd, vectors, 2);
  }
  return result;
}

/* Bytes of the link header of a frame to a TUN, its tag included. */
static uint32_t link_header(const int32_t *tx) { return OT_ETHERNET + (tx[TX_TAG] & TAG_POP ? 4 : 0); }

/* The packet in a frame to a TUN, as one vector; 0: the command is invalid. A TUN has no place for a tag. */
static int gather_packet(const struct ot_nic *nic, const int32_t *tx, struct iovec *vectors) {
  int32_t operation = tx[TX_TAG] & TAG_REPLACE, length = tx[TX_LENGTH], header = (int32_t)link_header(tx);
  if ((operation != TAG_KEEP && operation != TAG_POP) || !ot_inside(nic, tx[TX_OFFSET], length) || length <= header)
    return 0;
  vectors[0] =
      (struct iovec){.iov_base = nic->arena + tx[TX_OFFSET] + header, .iov_len = (size_t)length - (size_t)header};
  return 1;
}

uint32_t ot_tap_prefix(const struct ot_port *port, const int32_t *tx, const uint8_t *frame, const struct ot_vnet *vnet,
                       uint8_t prefix[OT_TAP_PREFIX], uint32_t *rest) {
  *rest = port->lacks ? link_header(tx) : tx[TX_TAG] & TAG_POP ? 16 : 12;
  memcpy(prefix, vnet, port->vnet_size);
  return port->vnet_size + (port->lacks ? 0 : ot_copy_headers(tx, frame, *rest, prefix + port->vnet_size));
}

/*
 * One buffer is cheaper for the kernel than several: 64-byte frames are 10 % faster. So the bytes that precede the rest
 * of the frame are written in front of it in the arena, over headroom or another frame, and the overwritten bytes are
 * restored afterwards. Returns -1 when there is no room.
 */
static int write_in_one(struct ot_nic *nic, const struct ot_port *port, const int32_t *tx, const struct ot_vnet *vnet) {
  uint8_t prefix[OT_TAP_PREFIX], covered[OT_TAP_PREFIX];
  uint8_t *frame = nic->arena + tx[TX_OFFSET];
  uint32_t rest, size = ot_tap_prefix(port, tx, frame, vnet, prefix, &rest);
  if ((size_t)tx[TX_OFFSET] + rest < size) return -1;
  uint8_t *start = frame + rest - size;
  size_t length = size + (size_t)tx[TX_LENGTH] - rest;
  memcpy(covered, start, size);
  memcpy(start, prefix, size);
  ssize_t written;
  do written = syscall(SYS_write, port->fd, start, length); /* a bare system call, as in nic/tap-read.c */
  while (written < 0 && errno == EINTR);
  int number = written < 0 ? errno : 0;
  memcpy(start, covered, size);
  return number;
}

int ot_tap_gather(const struct ot_nic *nic, const struct ot_port *port, const int32_t *tx, struct iovec *vectors,
                  uint8_t tag[4]) {
  return port->lacks ? gather_packet(nic, tx, vectors) : ot_gather(nic, tx, vectors, tag);
}

int ot_tap_write(struct ot_nic *nic, const struct ot_port *port, const int32_t *tx) {
  struct ot_vnet vnet;
  struct iovec vectors[4];
  uint8_t tag[4];
  int count = ot_tap_gather(nic, port, tx, vectors + 1, tag), number = 0;
  if (!count) return EINVAL;
  if (!port->vnet_size) {
    if (ot_gso_type(tx) != VNET_GSO_NONE) return write_segments(nic, port, tx);
    if (tx[TX_VNET] & VNET_NEEDS_CSUM) number = ot_finish(nic, tx);
    return number ? number : ot_write(port->fd, vectors + 1, count);
  }
  number = ot_fill_vnet(nic, port, tx, &vnet);
  if (number == 0) number = write_in_one(nic, port, tx, &vnet);
  if (number >= 0) return number;
  vectors[0] = (struct iovec){.iov_base = &vnet, .iov_len = port->vnet_size};
  return ot_write(port->fd, vectors, count + 1);
}
