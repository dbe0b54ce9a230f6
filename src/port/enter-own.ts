/**
 * Replaces the process by one in user, network and mount namespaces of its own. There an ordinary user is root (uid 0 is theirs),
 * /run is a copy in which network namespaces can be named, and the host's devices and routes are not there.
 */
import { execute } from './process.js';
import { nsenter, OWN_FOLDER, UNSHARE } from './rootless.js';

/**
 * A copy of /run in which root may write: everything that is there, and own folders for namespaces and sockets. `ip netns exec`
 * needs a /sys that it may mount; the loopback is up as on any host. Nothing is left in /tmp where it fails.
 */
const SETUP = `set -e
new=$(mktemp -d /tmp/overtap.XXXXXX)
say='overtap: its own /run cannot be made; run it as root'
trap 'umount -n -l "$new" 2>/dev/null; rmdir "$new"; [ -z "$say" ] || echo "$say" >&2' EXIT
trap 'say=; exit 130' INT TERM HUP
mount -n -t tmpfs -o mode=755 tmpfs "$new"
mkdir "$new/overtap" "$new/netns"
for old in /run/* /run/.[!.]*; do
  name=\${old##*/}
  case $name in overtap|netns) continue;; esac
  if [ -L "$old" ]; then cp -P "$old" "$new/$name"
  elif [ -d "$old" ]; then mkdir "$new/$name"; mount -n -o rbind "$old" "$new/$name"
  elif [ -e "$old" ]; then : >"$new/$name"; mount -n -o bind "$old" "$new/$name"
  fi
done
mount -n -o bind "$0" "$new/overtap"
mount -n -o move "$new" /run
rmdir "$new"
trap - EXIT INT TERM HUP
ip link set lo up 2>/dev/null || :
exec "$@"`;

/**
 * Replaces this process by another one in namespaces of its own.
 * @param folder the user's, which is /run/overtap there @param command program and words
 * @param descriptors that it inherits besides 0 to 2
 * @throws NativeError
 */
export function enterOwn(folder: string, command: readonly string[], descriptors: readonly number[] = []): never {
  return replace([...UNSHARE, 'sh', '-c', SETUP, folder, ...command], folder, descriptors);
}

/** Replaces this process by another one in the namespaces of a process of the same user. @throws NativeError */
export function joinOwn(pid: number, folder: string, command: readonly string[]): never {
  return replace([...nsenter(pid), ...command], folder, []);
}

/** By env(1), which finds the program. */
function replace(command: readonly string[], folder: string, descriptors: readonly number[]): never {
  return execute('/usr/bin/env', ['env', ...command], { ...process.env, [OWN_FOLDER]: folder }, descriptors);
}

/** This process's own command line, to be run again. @param first words before those of the user */
export function ownCommand(first: readonly string[] = []): string[] {
  const [, program = '', ...words] = process.argv;
  return [process.execPath, ...process.execArgv, program, ...first, ...words];
}
