/**
 * The first process of a guest: loads modules, sets up its NIC, and carries out commands that come over its second serial port, as
 * `console.ts` sends them. The first serial port has a shell for people.
 */

/** The line on the first serial port when the guest can be used. */
export const READY = 'GUEST-READY';

/**
 * A command is a line: a number, a blank, and the command. The answer is BEGIN and the number, the output, END with the number
 * and the exit status. `ip4=A/P` on the kernel's command line is the address of eth0.
 */
export const GUEST_INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules/order
for word in $(cat /proc/cmdline); do case $word in ip4=*) address=\${word#ip4=};; esac; done
turn=0
while [ ! -e /sys/class/net/eth0 ] && [ $turn -lt 100 ]; do usleep 50000; turn=$((turn + 1)); done
ip link set lo up
ip link set eth0 up
[ -n "$address" ] && ip addr add "$address" dev eth0
serve() {
  stty raw -echo
  while read -r number command; do
    (eval "$command") > /tmp/output 2>&1 < /dev/null
    status=$?
    echo "BEGIN $number"; cat /tmp/output; echo; echo "END $number $status"
  done
}
serve < /dev/ttyS1 > /dev/ttyS1 2> /dev/null &
echo "${READY} up=$(cut -d' ' -f1 /proc/uptime) $(ip -4 -o addr show dev eth0 | tr -s ' ')"
# The first process stays: it has to wait for the processes whose parents have ended.
while true; do setsid cttyhack sh; done
`;
