/*
 * A TAP or TUN that another program has opened, and of which this process has the descriptor: from the program that
 * started it, or from the service manager. Owns the check of such a descriptor.
 */
#include "../overtap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef IFF_MULTI_QUEUE
#define IFF_MULTI_QUEUE 0x0100
#endif

static int refuse_kind(int number, int fd, struct ot_fault *fault) {
  if (number == EBADF) return ot_fail(fault, number, "TUNGETIFF", "descriptor %d is not open", fd);
  if (number == EBADFD)
    return ot_fail(fault, number, "TUNGETIFF", "descriptor %d has no device: it was not created, or is gone", fd);
  return ot_fail(fault, number, "TUNGETIFF", "descriptor %d is no TAP and no TUN", fd);
}

/*
 * Whether packet information precedes each frame. TUNGETIFF shows IFF_NO_PI in the bit that also says that the device
 * has no filter (IFF_NOFILTER): so one that passes all is attached for a moment, which a TUN does not allow.
 */
static bool has_packet_information(int fd, int flags) {
  struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
  struct sock_fprog filter = {.len = 1, .filter = &pass};
  char ifname[OT_NAME];
  if (!(flags & IFF_NO_PI)) return true;
  if (ioctl(fd, TUNATTACHFILTER, &filter) < 0) return false;
  bool has = ot_tun_flags(fd, ifname, &flags) == 0 && !(flags & IFF_NO_PI);
  (void)!ioctl(fd, TUNDETACHFILTER, &filter);
  return has;
}

/* Whether the device is one that the port can use: of its kind, without another header, with queues enough. */
static int check(int fd, int flags, const struct ot_tap_options *options, struct ot_fault *fault) {
  bool layer3 = flags & IFF_TUN;
  if (layer3 != options->layer3)
    return ot_fail(fault, EINVAL, "TUNGETIFF", "descriptor %d is a %s", fd, ot_tun_kind(layer3));
  if (has_packet_information(fd, flags))
    return ot_fail(fault, EINVAL, "TUNGETIFF", "descriptor %d was opened without IFF_NO_PI", fd);
  if (options->queues > 1 && !(flags & IFF_MULTI_QUEUE))
    return ot_fail(fault, EINVAL, "TUNGETIFF", "descriptor %d was opened without IFF_MULTI_QUEUE", fd);
  return 0;
}

/* Frames are read until there are none, and no other program inherits the device. */
static int set_flags(int fd, struct ot_fault *fault) {
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) return 0;
  return ot_fail(fault, errno, "fcntl", "setting the flags of descriptor %d", fd);
}

/*
 * Whether a change failed for want of a right, that of knowing where the NIC is (EAGAIN) among them: it then stays as
 * its owner has set it.
 */
static bool may_stay(int number) {
  return number == EPERM || number == EACCES || number == EOPNOTSUPP || number == EAGAIN;
}

static int set_nic(int fd, const struct ot_tap_options *options, struct ot_fault *fault) {
  struct ot_tap_changes changes = {.mtu = options->mtu, .gso_segments = options->gso_segments, .up = options->up};
  if (options->has_mac && !options->mac_if_new && !options->layer3) {
    changes.has_mac = true;
    memcpy(changes.mac, options->mac, 6);
  }
  changes.address_count = options->address_count;
  memcpy(changes.addresses, options->addresses, (size_t)options->address_count * sizeof *options->addresses);
  return ot_tap_change(fd, "", &changes, fault) == 0 || may_stay(fault->number) ? 0 : -1;
}

/* What the NIC is now. The descriptor itself tells the MAC, where its namespace may not be entered. */
static int read_nic(int fd, const struct ot_tap_options *options, struct ot_tap *tap, struct ot_fault *fault) {
  struct ot_tap_state state;
  struct ifreq request;
  memset(&state, 0, sizeof state);
  int found = ot_tap_state(fd, "", &state, fault);
  if (found < 0) return -1;
  if (!found) return refuse_kind(EBADFD, fd, fault);
  memcpy(tap->ifname, state.ifname, OT_NAME);
  tap->mtu = state.link.mtu ? state.link.mtu : options->mtu;
  memcpy(tap->mac, state.link.mac, 6);
  memset(&request, 0, sizeof request);
  if (!state.link.mtu && ioctl(fd, SIOCGIFHWADDR, &request) == 0) memcpy(tap->mac, request.ifr_hwaddr.sa_data, 6);
  return 0;
}

static int open_queues(int fd, const struct ot_tap_options *options, struct ot_tap *tap, struct ot_fault *fault) {
  while (tap->more_count < options->queues - 1) {
    int queue = ot_tap_open_queue(fd, "", tap->has_header, fault);
    if (queue < 0) return -1;
    tap->more[tap->more_count++] = queue;
  }
  return 0;
}

int ot_tap_adopt(int fd, const struct ot_tap_options *options, struct ot_tap *tap, struct ot_fault *fault) {
  char ifname[OT_NAME];
  int flags, number = ot_tun_flags(fd, ifname, &flags);
  memset(tap, 0, sizeof *tap);
  if (number) return refuse_kind(number, fd, fault);
  if (check(fd, flags, options, fault) < 0 || set_flags(fd, fault) < 0) return -1;
  tap->fd = fd;
  tap->taken_over = tap->is_foreign = true;
  tap->has_header = flags & IFF_VNET_HDR;
  if (ioctl(fd, TUNGETVNETHDRSZ, &tap->found_vnet_size) < 0) tap->found_vnet_size = VNET_HEADER_SIZE;
  if (ot_tap_set_offloads(tap, options->vnet_header ? options->offload : 0, fault) == 0 &&
      set_nic(fd, options, fault) == 0 && read_nic(fd, options, tap, fault) == 0 &&
      open_queues(fd, options, tap, fault) == 0) {
    ot_tap_steer(options, tap);
    return 0;
  }
  for (int i = 0; i < tap->more_count; i++) close(tap->more[i]);
  return -1;
}
