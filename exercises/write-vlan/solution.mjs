export function classify({ pvid, vlans }, frame) {
  let vid = 0;
  if (frame[12] === 0x81 && frame[13] === 0x00) {
    if (frame.length < 18) return 'frame_too_short';
    vid = ((frame[14] << 8) | frame[15]) & 0x0fff;
  }
  if (vid === 0) {
    if (pvid === null) return 'no_pvid';
    vid = pvid;
  }
  return vlans.includes(vid) ? vid : 'vlan_not_allowed';
}
