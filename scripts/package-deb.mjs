/**
 * `npm run package:deb [-- --revision N] [--arch amd64|arm64]`: Debian packages, overtap_VERSION-N_ARCH.deb in the project's folder, from
 * the bundle and the prebuilt addons (scripts/prebuild.mjs), which it builds first, for each architecture whose addon is there. It needs
 * dpkg-deb alone. Times in the package are those of the newest commit (or SOURCE_DATE_EPOCH), so that the same source makes the same file.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAINTAINER = `${process.env.DEBFULLNAME ?? 'overtap authors'} <${process.env.DEBEMAIL ?? 'overtap@localhost'}>`;
/** Debian's name of an architecture, and Node's. */
const ARCHITECTURES = { amd64: 'x64', arm64: 'arm64' };
const LIB = 'usr/lib/overtap';
const DOC = 'usr/share/doc/overtap';

const { values: options } = parseArgs({
  options: { revision: { type: 'string', default: '1' }, arch: { type: 'string' } },
});
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const version = `${manifest.version}-${options.revision}`;
const epoch =
  process.env.SOURCE_DATE_EPOCH ??
  execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: ROOT, encoding: 'utf8' }).trim();

const text = (path) => readFileSync(join(ROOT, path), 'utf8');
const prebuilt = (arch, name) => `prebuilds/linux-${ARCHITECTURES[arch]}/${name}`;
const addonOf = (arch) => prebuilt(arch, 'overtap.glibc.node');
const libraryOf = (arch) => prebuilt(arch, 'overtap-exec.glibc.so');
const pluginOf = (arch) => prebuilt(arch, 'overtap-cni');
/** Where Debian's podman and containerd look for CNI plugins. */
const CNI = 'usr/lib/cni';

/** Copies a file of the project to a path in the package. */
function put(stage, from, to, mode = 0o644) {
  mkdirSync(dirname(join(stage, to)), { recursive: true });
  cpSync(join(ROOT, from), join(stage, to));
  chmodSync(join(stage, to), mode);
}

function write(stage, to, content, mode = 0o644) {
  mkdirSync(dirname(join(stage, to)), { recursive: true });
  writeFileSync(join(stage, to), content, { mode });
}

function link(stage, target, to) {
  mkdirSync(dirname(join(stage, to)), { recursive: true });
  symlinkSync(target, join(stage, to));
}

/** Debian asks for compressed man pages and changelogs, without a time in them. */
const zip = (content) => gzipSync(content, { level: 9 });

function putProgram(stage, arch) {
  put(stage, 'bin/overtap', `${LIB}/bin/overtap`, 0o755);
  put(stage, addonOf(arch), `${LIB}/${addonOf(arch)}`);
  put(stage, libraryOf(arch), `${LIB}/${libraryOf(arch)}`);
  put(stage, pluginOf(arch), `${LIB}/${pluginOf(arch)}`, 0o755);
  link(stage, `../overtap/${pluginOf(arch)}`, `${CNI}/overtap-cni`);
  // Of package.json, the program reads the version; "type" has Node read it as modules.
  const { name, type } = manifest;
  write(stage, `${LIB}/package.json`, `${JSON.stringify({ name, version: manifest.version, type }, null, 2)}\n`);
  for (const file of readdirSync(join(ROOT, 'dist/bundle'))) {
    if (file.endsWith('.js')) put(stage, `dist/bundle/${file}`, `${LIB}/dist/bundle/${file}`);
  }
  for (const file of readdirSync(join(ROOT, 'labs'))) put(stage, `labs/${file}`, `${LIB}/labs/${file}`);
  for (const file of readdirSync(join(ROOT, 'dist/bundle/page'))) {
    put(stage, `dist/bundle/page/${file}`, `${LIB}/dist/bundle/page/${file}`);
  }
  for (const file of readdirSync(join(ROOT, 'exercises'), { recursive: true, encoding: 'utf8' })) {
    if (/\.[a-z]+$/.test(file)) put(stage, `exercises/${file}`, `${LIB}/exercises/${file}`);
  }
  link(stage, '../lib/overtap/bin/overtap', 'usr/bin/overtap');
}

function putSystemFiles(stage) {
  mkdirSync(join(stage, 'etc/overtap'), { recursive: true });
  put(stage, 'packaging/systemd/overtap@.service', 'lib/systemd/system/overtap@.service');
  put(stage, 'packaging/systemd/overtap.sysusers', 'usr/lib/sysusers.d/overtap.conf');
  put(stage, 'packaging/completion/overtap', 'usr/share/bash-completion/completions/overtap');
  put(stage, 'packaging/completion/_overtap', 'usr/share/zsh/vendor-completions/_overtap');
  put(stage, 'packaging/completion/overtap.fish', 'usr/share/fish/vendor_completions.d/overtap.fish');
  for (const path of manifest.man) {
    const section = path.slice(-1);
    write(stage, `usr/share/man/man${section}/${basename(path)}.gz`, zip(text(path)));
  }
}

/** The newest release's section stands for all: the whole text is in changelog.gz. */
function debianChangelog() {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  return `overtap (${version}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- ${MAINTAINER}  ${date}\n`;
}

function copyright(arch) {
  return [
    'overtap\n',
    text('LICENSE'),
    `\nThe program contains these packages of npm, each with its licence:\n`,
    text('dist/bundle/LICENSES.txt'),
    `\novertap-cni contains parts of musl:\n`,
    text(prebuilt(arch, 'overtap-cni.copyright')),
  ].join('\n');
}

function putDocuments(stage, arch) {
  write(stage, `${DOC}/copyright`, copyright(arch));
  write(stage, `${DOC}/changelog.gz`, zip(text('CHANGELOG.md')));
  write(stage, `${DOC}/changelog.Debian.gz`, zip(debianChangelog()));
  put(stage, 'README.md', `${DOC}/README.md`);
  for (const file of readdirSync(join(ROOT, 'docs'))) put(stage, `docs/${file}`, `${DOC}/docs/${file}`);
  for (const file of ['containers.conf', 'namespaces.conf', 'netdev.conf', 'tunnel-gso.conf']) {
    put(stage, `packaging/systemd/${file}`, `${DOC}/examples/${file}`);
  }
  put(stage, 'packaging/prometheus/overtap.rules.yml', `${DOC}/examples/overtap.rules.yml`);
  put(stage, 'packaging/grafana/overtap.json', `${DOC}/examples/grafana/overtap.json`);
  const overrides = text('packaging/debian/lintian-overrides');
  write(stage, 'usr/share/lintian/overrides/overtap', overrides);
}

/** The newest symbols of glibc that the addon and the library use: `2.34` of `memcpy@GLIBC_2.34`. */
function glibcOf(arch) {
  const files = [addonOf(arch), libraryOf(arch)].map((path) => readFileSync(join(ROOT, path), 'latin1'));
  const names = files.join('').match(/GLIBC_2\.\d+/g) ?? [];
  return `2.${Math.max(...names.map((name) => Number(name.split('.')[1])))}`;
}

function filesOf(folder, under = '') {
  return readdirSync(join(folder, under), { withFileTypes: true }).flatMap((entry) => {
    const path = join(under, entry.name);
    return entry.isDirectory() ? filesOf(folder, path) : [path];
  });
}

function control(stage, arch) {
  const files = filesOf(stage).filter((file) => !file.startsWith('DEBIAN/'));
  const bytes = files.reduce((sum, file) => sum + statSync(join(stage, file)).size, 0);
  return `Package: overtap
Version: ${version}
Architecture: ${arch}
Maintainer: ${MAINTAINER}
Installed-Size: ${Math.ceil(bytes / 1024)}
Depends: nodejs (>= ${manifest.engines.node.replace('>=', '')}), libc6 (>= ${glibcOf(arch)})
Recommends: iproute2, procps
Section: net
Priority: optional
Description: userspace VXLAN switch
 TAP devices on one side, VXLAN over UDP on the other, and between them a bridge
 that learns MACs, filters VLANs and keeps a forwarding database. It needs
 /dev/net/tun, and no vxlan, bridge or 8021q module in the kernel.
 .
 systemctl enable --now overtap@NAME runs the switch of /etc/overtap/NAME.yaml.
`;
}

function putControl(stage, arch) {
  write(stage, 'DEBIAN/control', control(stage, arch));
  for (const script of ['postinst', 'prerm', 'postrm']) {
    put(stage, `packaging/debian/${script}`, `DEBIAN/${script}`, 0o755);
  }
  const isLink = (file) => lstatSync(join(stage, file)).isSymbolicLink();
  const files = filesOf(stage).filter((file) => !file.startsWith('DEBIAN/') && !isLink(file));
  const sums = execFileSync('md5sum', files.sort(), { cwd: stage, encoding: 'utf8' });
  write(stage, 'DEBIAN/md5sums', sums);
}

function build(arch) {
  const stage = mkdtempSync(join(tmpdir(), 'overtap-deb-'));
  const out = join(ROOT, `overtap_${version}_${arch}.deb`);
  try {
    for (const step of [putProgram, putSystemFiles, putDocuments, putControl]) step(stage, arch);
    execFileSync('chmod', ['-R', 'u=rwX,go=rX', stage]);
    execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', stage, out], {
      env: { ...process.env, SOURCE_DATE_EPOCH: epoch },
    });
    console.log(basename(out));
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

const wanted = options.arch === undefined ? Object.keys(ARCHITECTURES) : [options.arch];
const isComplete = (arch) => [addonOf, libraryOf, pluginOf].every((path) => existsSync(join(ROOT, path(arch))));
const there = wanted.filter((arch) => arch in ARCHITECTURES && isComplete(arch));
if (there.length === 0 || !existsSync(join(ROOT, 'dist/bundle/main.js'))) {
  console.error(
    'package:deb: no bundle, or no addon with its programs for this architecture: "npm run package:deb" builds both',
  );
  process.exit(1);
}
for (const arch of there) build(arch);
