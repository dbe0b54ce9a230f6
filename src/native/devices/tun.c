/* Queues of TUN/TAP devices: opens /dev/net/tun for one (Documentation/networking/tuntap.rst). */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../overtap.h"

#ifndef IFF_MULTI_QUEUE
#define IFF_MULTI_QUEUE 0x0100
#endif

/* Returns 0 or an errno. `flags`: IFF_TAP or IFF_TUN, and others. */
static int attach(int fd, const char *ifname, int flags) {
  struct ifreq request;
  memset(&request, 0, sizeof request);
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", ifname);
  request.ifr_flags = (short)(IFF_NO_PI | flags);
  return ioctl(fd, TUNSETIFF, &request) == 0 ? 0 : errno;
}

int ot_tun_flags(int fd, char ifname[OT_NAME], int *flags) {
  struct ifreq request;
  memset(&request, 0, sizeof request);
  if (ioctl(fd, TUNGETIFF, &request) < 0) return errno;
  memcpy(ifname, request.ifr_name, OT_NAME);
  ifname[OT_NAME - 1] = 0;
  *flags = (unsigned short)request.ifr_flags;
  return 0;
}

int ot_tun_attach(const char *ifname, bool layer3, bool multi_queue, bool *vnet_header, struct ot_fault *fault) {
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ot_fail(fault, errno, "open", "opening /dev/net/tun");
  int number = EINVAL, kind = layer3 ? IFF_TUN : IFF_TAP, queues = multi_queue ? IFF_MULTI_QUEUE : 0;
  /* EINVAL: the existing TAP has the other IFF_MULTI_QUEUE setting, or the kernel lacks a flag (gVisor lacks both). */
  for (int with_header = *vnet_header; number == EINVAL && with_header >= 0; with_header--) {
    int header = kind | (with_header ? IFF_VNET_HDR : 0);
    number = attach(fd, ifname, header | queues);
    if (number == EINVAL) number = attach(fd, ifname, header | (queues ^ IFF_MULTI_QUEUE));
    if (number == 0) *vnet_header = with_header;
  }
  if (number == 0) return fd;
  close(fd);
  return ot_fail(fault, number, "TUNSETIFF", "opening the %s %s", ot_tun_kind(layer3), ifname);
}
