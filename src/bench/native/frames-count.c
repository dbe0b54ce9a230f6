/*
 * Counts the frames of a trial exactly, and almost for free: the kernel runs the socket's filter for each frame and
 * counts those that it accepts, also those for which the socket, whose buffer is as small as can be, has no room
 * (PACKET_STATISTICS, packet(7)).
 */
#include "frames.h"

#include <err.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <arpa/inet.h>
#include <sys/socket.h>

static void filter_trial(int fd, const struct order *order) {
  const uint8_t *mac = order->destination_mac;
  uint32_t high = (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 5),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(mac[4] << 8 | mac[5]), 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 18), /* IP identification */
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)order->trial, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 64),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0) err(1, "SO_ATTACH_FILTER");
}

int open_counter(const struct order *order) {
  /* Protocol 0: it hears nothing until it is bound. */
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), least = 1;
  if (fd < 0) err(1, "packet socket");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least) < 0) err(1, "SO_RCVBUF");
  filter_trial(fd, order);
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_IP), .sll_ifindex = (int)if_nametoindex(order->ifname)};
  if (address.sll_ifindex == 0) err(1, "%s in %s", order->ifname, order->to);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) err(1, "bind to %s", order->ifname);
  return fd;
}

uint64_t count_frames(int counter) {
  struct tpacket_stats stats;
  socklen_t length = sizeof stats;
  /* tp_packets includes the frames for which there was no room; reading sets both to zero. */
  if (getsockopt(counter, SOL_PACKET, PACKET_STATISTICS, &stats, &length) < 0) err(1, "PACKET_STATISTICS");
  return stats.tp_packets;
}
