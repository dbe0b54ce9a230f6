/**
 * Puts frames on a wire, by libpcap.
 *
 *   node inject.mjs IFNAME HEX...            sends each frame once, in this order, and ends
 */
import cap from 'cap';

const [ifname, ...frames] = process.argv.slice(2);
const capture = new cap.Cap();
capture.open(ifname, 'less 0', 1024 * 1024, Buffer.alloc(65536));
for (const hex of frames) {
  const frame = Buffer.from(hex, 'hex');
  capture.send(frame, frame.length);
}
capture.close();
