/*
 * The Nic as its bindings use it: creation and attachments (nic.c), receiving a batch (receive.c), executing a list of
 * commands (transmit.c).
 */
#ifndef OVERTAP_NIC_H
#define OVERTAP_NIC_H

#include "../frames/device.h"

struct ot_nic_options {
  uint8_t *arena;
  size_t arena_bytes, header_bytes;
  int32_t *rx, *tx, *status;
  size_t rx_words, tx_words, status_words;
  size_t batch_bytes, max_frames, vnet_size;
  bool udp_segment, merge, tunnel_gso, tunnel_guard, io_uring;
  uint32_t spin_us;
  bool spin_adapts;
};

/* ---- nic.c ---- */

struct ot_nic *ot_nic_create(const struct ot_nic_options *options, struct ot_fault *fault);
/* Closes the epoll descriptor and keeps the memory, which an open handle still uses. */
void ot_nic_close(struct ot_nic *nic);
void ot_nic_free(struct ot_nic *nic);
int ot_nic_attach_tap(struct ot_nic *nic, uint32_t index, int fd, uint32_t vnet_size, bool layer3,
                      struct ot_fault *fault);
/*
 * Local ports over sockets (device.h, OT_STREAM and OT_DATAGRAMS); `reads`: frames are received here. `tail`: of
 * ot_tail_open. `peer`: path of the unix socket that frames go to, empty: the socket is connected.
 */
int ot_nic_attach_stream(struct ot_nic *nic, uint32_t index, int fd, int tail, bool reads, struct ot_fault *fault);
int ot_nic_attach_datagrams(struct ot_nic *nic, uint32_t index, int fd, bool reads, const char *peer,
                            struct ot_fault *fault);
int ot_nic_attach_socket(struct ot_nic *nic, uint32_t index, int fd, struct ot_fault *fault);
/* `label`: the flow label of datagrams over IPv6 (RFC 6437), 0: none. */
int ot_nic_attach_sender(struct ot_nic *nic, uint32_t index, int fd, uint32_t label, struct ot_fault *fault);
int ot_nic_attach_event(struct ot_nic *nic, int fd, struct ot_fault *fault);
void ot_nic_detach(struct ot_nic *nic, struct ot_table *table, uint32_t index);
int ot_nic_set_remote(struct ot_nic *nic, uint32_t index, const uint32_t address[4], int port, struct ot_fault *fault);
int ot_event_open(struct ot_fault *fault);
int ot_event_ring(int fd, struct ot_fault *fault);

/* ---- receive.c ---- */

/* Returns the number of frames, or -1 when the Nic is closed or epoll fails. */
int ot_nic_receive(struct ot_nic *nic, int timeout_ms, struct ot_fault *fault);

/* ---- transmit.c ---- */

/*
 * Returns the number of failed commands. `count` is within the Nic's capacity: the caller has checked it. `more`:
 * commands on the same frames follow in another call, which must not complete a checksum a second time.
 */
uint32_t ot_nic_transmit(struct ot_nic *nic, uint32_t count, bool more);

#endif
