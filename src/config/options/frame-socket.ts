/** Options of ports whose frames go over a socket, without a NIC of the switch. */
import { value } from '../../values/value.js';
import { option } from './option.js';
import { number, text } from './word.js';

export const socketFileOptions = {
  socket_group: option({
    value: value.group,
    otherwise: 'that of the process',
    change: 'new port',
    word: text('GROUP'),
    doc: 'Group of the socket file that the port makes, such as `libvirt-qemu` or `kvm`. With a group `socket_mode` defaults to `0660`.',
  }),
  socket_mode: option({
    value: value.socketMode,
    otherwise: '`0600`; `0660` with `socket_group`',
    change: 'new port',
    word: text('MODE'),
    doc: 'Mode of the socket file: `0600` for its owner only, `0660` for the group too, `0666` for every user of the host.',
  }),
};

export const frameMtuOptions = {
  mtu: option({
    value: value.mtuNumber,
    default: 1500,
    word: number(),
    doc: 'Largest payload of a frame that is sent to the guest, in bytes. It is not told of it: set the MTU of its NIC as well (`host_mtu` of virtio-net-pci).',
  }),
};
