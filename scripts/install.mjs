/**
 * What `npm install` runs: builds the addon, unless the package carries one that loads here. Without either it ends with one line
 * that says what to install. In plain JavaScript, without any library: nothing else is there yet.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// As of src/native/binding.ts.
const libc = readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-') ? 'musl' : 'glibc';
const carried = `../prebuilds/linux-${process.arch}/overtap.${libc}.node`;

function loads() {
  try {
    createRequire(import.meta.url)(carried);
    return true;
  } catch {
    return false;
  }
}

function build() {
  const { status, stdout, stderr, error } = spawnSync('node-gyp', ['rebuild'], { encoding: 'utf8' });
  if (status === 0) return;
  if (process.env.OVERTAP_BUILD_LOG !== undefined) process.stderr.write(`${stdout}${stderr}${error ?? ''}\n`);
  const why = existsSync(new URL(carried, import.meta.url))
    ? 'the addon that the package carries does not load on this system'
    : `the package carries no addon for linux-${process.arch}, ${libc}`;
  process.stderr.write(
    `overtap: ${why}, and building it failed: that takes gcc, make and Python 3 (on Debian: apt-get install build-essential python3); OVERTAP_BUILD_LOG=1 shows the output of node-gyp\n`,
  );
  process.exit(1);
}

if (!loads()) build();
