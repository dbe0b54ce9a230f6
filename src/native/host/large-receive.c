/*
 * Large receive offload of a NIC, by ethtool's ioctl. Frames that a NIC has put together cannot be passed on as they
 * came: their headers no longer tell how they were cut, and acknowledgements are lost. The kernel therefore turns the
 * offload off for every member of a bridge (dev_disable_lro), and so does this for an attached interface.
 */
#include "../overtap.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Returns 0 or an errno. */
static int ask(int fd, const char *ifname, struct ethtool_value *value) {
  struct ifreq request = {.ifr_data = (void *)value};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", ifname);
  return ioctl(fd, SIOCETHTOOL, &request) < 0 ? errno : 0;
}

int ot_link_receive_plain(const char *ifname) {
  struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int number = ask(fd, ifname, &flags);
  if (!number && flags.data & ETH_FLAG_LRO) {
    flags = (struct ethtool_value){.cmd = ETHTOOL_SFLAGS, .data = flags.data & ~(uint32_t)ETH_FLAG_LRO};
    number = ask(fd, ifname, &flags);
  }
  close(fd);
  return number;
}
