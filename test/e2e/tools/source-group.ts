/**
 * Joins one source of a multicast group, by a socket of the host, whose kernel then speaks IGMPv3 or MLDv2.
 *
 *   node source-group.js GROUP ADDRESS IFNAME SOURCE   prints {"joined": true}, then a line {"text"} for each datagram; SIGTERM leaves
 */
import { createSocket } from 'node:dgram';

const PORT = 5007;

const print = (value: object): unknown => process.stdout.write(`${JSON.stringify(value)}\n`);
const [group, address, ifname, source] = process.argv.slice(2);
const is6 = group.includes(':');
const nic = is6 ? `::%${ifname}` : address;
const socket = createSocket({ type: is6 ? 'udp6' : 'udp4', reuseAddr: true });

socket.on('message', (message) => print({ text: message.toString() }));
socket.bind(PORT, () => {
  socket.addSourceSpecificMembership(source, group, nic);
  print({ joined: true });
});
process.once('SIGTERM', () => {
  socket.dropSourceSpecificMembership(source, group, nic);
  socket.close();
});
