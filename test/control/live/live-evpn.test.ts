/** `apply` of a file whose speaker is another one: no command does that, so it is said. */
import { expect, it } from 'vitest';
import { LiveSwitch } from './live-switch.js';

it('says that the speaker follows the file, once, and tries it without effect', async () => {
  const document = { name: 'live', bridges: {} };
  const live = await LiveSwitch.start(document);
  const evpn = { asn: 65000, router_id: '192.0.2.1' };
  const said = { commands: [], warnings: ['evpn: the BGP speaker follows the file; no command does that'] };
  const config = { ...document, evpn };
  expect(await live.controls.apply({ config, dry_run: true })).toEqual(said);
  expect(await live.controls.apply({ config })).toEqual(said);
  expect(await live.controls.apply({ config })).toEqual({ commands: [] });
  expect(await live.controls.stated()).toMatchObject({ evpn });
  expect(await live.controls.apply({ config: document })).toEqual(said);
  live.stop();
});
