/** A name server: ADDRESS PORT FILE; the file has the zone as JSON, and is read for each question. `silent` in it: no answer. */
import { readFileSync } from 'node:fs';
import { DnsServer, type Zone } from './dns-server.js';

const [address = '', port = '', file = ''] = process.argv.slice(2);
const server = await DnsServer.start(address, Number(port));
server.ask = () => {
  const { silent, ...zone } = JSON.parse(readFileSync(file, 'utf8')) as Zone & { silent?: boolean };
  server.silent = silent === true;
  server.zone = zone as Zone;
};
console.log('ready');
