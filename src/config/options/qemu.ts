/** Ports over QEMU's stream sockets, and the options that only they have. */
import { value } from '../../values/value.js';
import { frameMtuOptions, socketFileOptions } from './frame-socket.js';
import { kind } from './kind.js';
import { option } from './option.js';
import { text } from './word.js';

export const qemuOptions = {
  connect: option({
    value: value.absolutePath,
    otherwise: '`listen` is given',
    change: 'new port',
    word: text('PATH'),
    doc: 'Socket on which QEMU listens (`server=on`): the port connects to it, and again when QEMU is back. It waits, DOWN, while nothing listens there.',
  }),
  listen: option({
    value: value.absolutePath,
    otherwise: '`connect` is given',
    change: 'new port',
    word: text('PATH'),
    doc: 'Socket that the port makes, for a QEMU that connects (`server=off`): one at a time, further ones are sent away. A dead socket of that path is replaced, any other file is left as it is.',
  }),
  ...socketFileOptions,
  ...frameMtuOptions,
};

export const QEMU = kind({
  options: qemuOptions,
  lists: {},
  nic: 'none',
  tunnels: false,
  check(_name, { given, rejected }, _portOf, report) {
    if (rejected.has('connect') || rejected.has('listen')) return;
    const { connect, listen, socket_group, socket_mode } = given;
    if (connect === undefined && listen === undefined)
      report.fault('connect', 'is missing; give the path of the socket on which QEMU listens, or "listen" with a path');
    else if (connect !== undefined && listen !== undefined)
      report.fault('listen', 'a port either connects or listens; remove "connect" or "listen"');
    else if (connect !== undefined && (socket_group !== undefined || socket_mode !== undefined))
      report.fault(
        socket_group === undefined ? 'socket_mode' : 'socket_group',
        'the socket is made by QEMU and not by the port; remove it, or give "listen" in place of "connect"',
      );
  },
  doc:
    "`type: qemu`, a virtual machine's NIC by a unix stream socket: QEMU's `-netdev stream` and `-netdev socket`, and what else sends " +
    'each frame behind its length (32 bits, big-endian). No rights on the host are needed, and no TAP. Frames have no offloads: ' +
    'superframes are segmented and checksums completed by the switch. A length outside of 14 to 65,550 ends the connection ' +
    '(`framing_errors` of `link show`), and so does its peer; frames meanwhile are dropped as `port_down`. A peer that stops reading ' +
    'is sent what its socket holds, about 4 MB, and further frames are dropped as `tx_backpressure`. With several workers one of them ' +
    'receives the frames of the port, and all of them send.',
  example: 'vm1: { type: qemu, connect: /run/vm1/net0.sock }',
  command: 'link add vm1 master br0 type qemu connect /run/vm1/net0.sock',
});
