/* The buffers of one recvmmsg. */
#include "receive.h"

/*
 * The virtio-net header of a packet socket goes into the headroom. Its frames need no source: to leave it out saves 7 %
 * of the call's time per frame.
 */
void ot_inbox_prepare(struct ot_nic *nic, const struct ot_port *port, uint32_t i, size_t offset) {
  struct ot_inbox *inbox = &nic->inbox;
  bool named = !port->packets;
  inbox->vectors[i] =
      (struct iovec){.iov_base = nic->arena + offset - port->vnet_size, .iov_len = port->vnet_size + OT_ROOM};
  inbox->messages[i].msg_hdr = (struct msghdr){.msg_name = named ? &inbox->sources[i] : NULL,
                                               .msg_namelen = named ? sizeof inbox->sources[i] : 0,
                                               .msg_iov = &inbox->vectors[i],
                                               .msg_iovlen = 1,
                                               .msg_control = inbox->control[i],
                                               .msg_controllen = sizeof inbox->control[i]};
}
