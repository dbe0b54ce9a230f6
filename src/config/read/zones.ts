/**
 * The link of a vxlan port's link-local addresses: `dev`, or the zone of one of them. A port has one link; after this step
 * addresses have no zones and the port has a `dev`.
 */

import { canonicalIp, isMulticastIp, splitZone } from '../../values/address.js';
import { isLinkLocal } from '../../wire/ip-address.js';
import type { DecodedVxlan, Item } from './decoded.js';
import type { FaultList } from './faults.js';

/** Moves the zone of a port's addresses to its `dev`. */
export function takeZones(port: DecodedVxlan, faults: FaultList): void {
  const { given } = port;
  const places = placesOf(port);
  const zones = places.flatMap(({ value }) => splitZone(value).zone ?? []);
  const link = given.dev ?? zones[0];
  if (given.dev === undefined && link !== undefined && !port.rejected.has('dev')) given.dev = link;
  for (const place of places) {
    const { address, zone } = splitZone(place.value);
    place.become(address);
    if (zone !== undefined && zone !== link) {
      const message = `${place.value} is on another link than ${link}; a vxlan port has one: use a port for each`;
      faults.at(place.path, message);
    } else if (isLinkLocal(address) && link === undefined && !port.rejected.has('dev')) {
      const message = `${address} is link-local, and means something on one link only; give dev, or write ${address}%DEVICE`;
      faults.at(place.path, message);
    }
  }
  if (given.group !== undefined) checkWiderGroup(port, places, faults);
}

interface Place extends Item<string> {
  become(address: string): void;
}

/** Every VTEP address named by the port, including its own. */
function placesOf({ given, path, remoteList, vlanList, peerList, entryList }: DecodedVxlan): Place[] {
  const { local } = given;
  const lists = [...remoteList, ...(vlanList ?? []).flatMap((vlan) => vlan.remoteList), ...peerList];
  const own = local === undefined ? [] : [{ path: [...path, 'local'], value: local, become: setLocal }];
  function setLocal(address: string): void {
    given.local = address;
  }
  return [
    ...own,
    ...lists.map((item) => ({
      path: item.path,
      value: item.value,
      become(address: string): void {
        item.value = address;
      },
    })),
    ...entryList.flatMap((entry) =>
      entry.given.dst === undefined
        ? []
        : [
            {
              path: [...entry.path, 'dst'],
              value: entry.given.dst,
              become(address: string): void {
                entry.given.dst = address;
              },
            },
          ],
    ),
  ];
}

/** With a group of wider scope VTEPs are reached by routes, and no route identifies the link of a link-local address. */
function checkWiderGroup({ given }: DecodedVxlan, places: readonly Place[], faults: FaultList): void {
  if (isOnLink(given)) return;
  for (const { path, value } of places) {
    if (!isLinkLocal(splitZone(value).address)) continue;
    faults.at(
      path,
      `${value} is link-local, and the group ${given.group} is not; give a group such as ff02::15c, or a local of that link`,
    );
  }
}

/** Whether a port sends by its `dev` regardless of routes: its own address or its group is link-local. */
export function isOnLink({ local, group }: { local?: string | undefined; group?: string | undefined }): boolean {
  if (local !== undefined && isLinkLocal(local)) return true;
  const text = group === undefined ? undefined : canonicalIp(group)?.text;
  return text !== undefined && isMulticastIp(text) && /^ff[0-9a-f]2:/.test(text);
}
