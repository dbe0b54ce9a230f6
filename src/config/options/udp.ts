/** Ports over datagram sockets, and the options that only they have. */
import { value } from '../../values/value.js';
import { frameMtuOptions, socketFileOptions } from './frame-socket.js';
import { kind } from './kind.js';
import { required } from './option.js';
import { text } from './word.js';

export const udpOptions = {
  local: required({
    value: value.frameAddress,
    change: 'new port',
    word: text('ADDRESS:PORT|PATH'),
    doc: 'Where the port receives: an address of this host with a UDP port, or the absolute path of a unix socket, which it makes. The port waits, DOWN, for an address that no device has, and for a directory.',
  }),
  remote: required({
    value: value.frameAddress,
    change: 'new port',
    word: text('ADDRESS:PORT|PATH'),
    doc: 'Where frames go, of the same kind. Only its datagrams are taken; those of other unix sockets are dropped as `remote_unknown`, those of other UDP sockets are refused by the kernel.',
  }),
  ...socketFileOptions,
  ...frameMtuOptions,
};

/** What an address is; undefined: it was not given, or is invalid. */
function kindOf(address: unknown): string | undefined {
  if (typeof address !== 'string') return undefined;
  if (address.startsWith('/')) return 'a unix socket';
  return address.startsWith('[') ? 'an IPv6 address' : 'an IPv4 address';
}

export const UDP = kind({
  options: udpOptions,
  lists: {},
  nic: 'none',
  tunnels: false,
  check(_name, { given: { local, remote, socket_group, socket_mode } }, _portOf, report) {
    const [here, there] = [kindOf(local), kindOf(remote)];
    if (here === undefined) return;
    if (there !== undefined && here !== there)
      report.fault('remote', `is ${there}, and "local" is ${here}; give two of one kind`);
    else if (local === remote) report.fault('remote', 'is "local" itself; give the address of the other side');
    if (here !== 'a unix socket' && (socket_group !== undefined || socket_mode !== undefined))
      report.fault(
        socket_group === undefined ? 'socket_mode' : 'socket_group',
        'a UDP port has no socket file; remove it',
      );
  },
  doc:
    '`type: udp`, one Ethernet frame a datagram, over UDP or between unix sockets: QEMU (`-netdev dgram`), GNS3 (ubridge), Dynamips (NIO ' +
    'UDP), VirtualBox (UDPTunnel). Either side may go and come back. There is no tag for a virtual network and no protection: who can ' +
    'forge the address of the remote is in the bridge. Frames have no offloads: superframes are segmented and checksums completed by ' +
    'the switch. Datagrams longer than the path are fragmented. Between unix sockets few datagrams may be under way ' +
    '(`net.unix.max_dgram_qlen`, often 10; the value when the receiver opens its socket counts): raise it for TCP. With several workers one of them receives ' +
    'the frames of the port, and all of them send.',
  example: 'r1: { type: udp, local: "127.0.0.1:10001", remote: "127.0.0.1:10000" }',
  command: 'link add r1 master br0 type udp local 127.0.0.1:10001 remote 127.0.0.1:10000',
});
