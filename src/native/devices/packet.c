/*
 * Packet sockets, packet(7): one frame in or out at a time, for labs and tests that observe the wire. Not used by the
 * data path.
 */
#include "../overtap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#ifndef TP_STATUS_VLAN_VALID
#define TP_STATUS_VLAN_VALID 0x10
#endif
#ifndef TP_STATUS_VLAN_TPID_VALID
#define TP_STATUS_VLAN_TPID_VALID 0x40
#endif

static int bind_to(int fd, const char *ifname, bool promiscuous, struct ot_fault *fault) {
  unsigned index = if_nametoindex(ifname);
  if (!index) return ot_fail(fault, errno, "if_nametoindex", "looking for %s", ifname);
  int on = 1;
  if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) < 0)
    return ot_fail(fault, errno, "setsockopt", "asking for the tags of frames");
  if (promiscuous) {
    struct packet_mreq request = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
    if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) < 0)
      return ot_fail(fault, errno, "setsockopt", "setting %s promiscuous", ifname);
  }
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
    return ot_fail(fault, errno, "bind", "binding a packet socket to %s", ifname);
  return 0;
}

int ot_packet_open(const char *netns, const char *ifname, bool promiscuous, struct ot_fault *fault) {
  int home;
  if (ot_netns_enter(netns, &home, fault) < 0) return -1;
  /* Protocol 0 until it is bound: otherwise it would first receive frames of all other interfaces. */
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    ot_fail(fault, errno, "socket", "opening a packet socket");
  } else if (bind_to(fd, ifname, promiscuous, fault) < 0) {
    close(fd);
    fd = -1;
  }
  ot_netns_leave(home);
  return fd;
}

/* The kernel strips the outer tag into auxiliary data; this puts it back. */
static size_t put_tag_back(struct msghdr *message, uint8_t *buffer, size_t have, size_t room) {
  for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
    struct tpacket_auxdata data;
    if (at->cmsg_level != SOL_PACKET || at->cmsg_type != PACKET_AUXDATA || at->cmsg_len < CMSG_LEN(sizeof data))
      continue;
    memcpy(&data, CMSG_DATA(at), sizeof data);
    if (!(data.tp_status & TP_STATUS_VLAN_VALID) || have < 12 || room < 16) continue;
    uint16_t tpid = htons(data.tp_status & TP_STATUS_VLAN_TPID_VALID ? data.tp_vlan_tpid : ETH_P_8021Q);
    uint16_t tci = htons(data.tp_vlan_tci);
    size_t rest = have - 12;
    if (rest > room - 16) rest = room - 16;
    memmove(buffer + 16, buffer + 12, rest);
    memcpy(buffer + 12, &tpid, 2);
    memcpy(buffer + 14, &tci, 2);
    return rest + 16;
  }
  return have;
}

int ot_packet_read(int fd, uint8_t *buffer, size_t length, struct ot_fault *fault) {
  _Alignas(struct cmsghdr) uint8_t control[256];
  struct iovec vector = {.iov_base = buffer, .iov_len = length};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t got;
  do got = recvmsg(fd, &message, MSG_DONTWAIT);
  while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return 0;
  if (got < 0) return ot_fail(fault, errno, "recvmsg", "reading a frame");
  return (int)put_tag_back(&message, buffer, (size_t)got, length);
}

int ot_packet_write(int fd, const uint8_t *frame, size_t length, struct ot_fault *fault) {
  ssize_t sent;
  do sent = send(fd, frame, length, MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) return ot_fail(fault, errno, "send", "writing a frame of %zu bytes", length);
  return 0;
}

int ot_wait_readable(int fd, int timeout_ms, struct ot_fault *fault) {
  struct pollfd waiting = {.fd = fd, .events = POLLIN};
  int result = poll(&waiting, 1, timeout_ms);
  if (result < 0 && errno == EINTR) return 0;
  if (result < 0) return ot_fail(fault, errno, "poll", "waiting for a descriptor");
  if (result > 0 && (waiting.revents & POLLNVAL)) return ot_fail(fault, EBADF, "poll", "waiting for a descriptor");
  return result > 0;
}
