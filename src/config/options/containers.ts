/** The drivers for container engines: where they are found, and where their networks are. */
import { value } from '../../values/value.js';
import { option, required } from './option.js';

export const dockerOptions = {
  bridge: required({
    value: value.linkText,
    doc: 'The bridge that containers join. With `vlan_filtering` each network of containers has a VLAN of its own, and a VNI where the bridge has a `vlan_tunnel` port; without, there is one network at most.',
  }),
  socket: option({
    value: value.absolutePath,
    default: '/run/docker/plugins/overtap.sock',
    doc: 'Socket of the driver, for its owner only. The name of a file in `/run/docker/plugins` is the name of the driver; for another folder write a spec file ([containers.md](containers.md)).',
  }),
  state: option({
    value: value.absolutePath,
    default: '/var/lib/overtap',
    doc: 'Folder in which networks and endpoints are kept, so that containers stay connected across a restart of the switch: one file for each path of a socket.',
  }),
};

export const cniOptions = {
  bridge: dockerOptions.bridge,
  socket: option({
    value: value.absolutePath,
    default: '/run/overtap/cni.sock',
    doc: 'Socket that the plugin `overtap-cni` speaks to, for its owner only.',
  }),
  state: option({
    value: value.absolutePath,
    default: '/var/lib/overtap',
    doc: 'Folder in which networks and endpoints are kept, as of `docker`.',
  }),
};
