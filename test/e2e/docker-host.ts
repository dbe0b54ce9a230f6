/**
 * A host with a Docker daemon of its own: a network namespace, with process and mount namespaces in which the daemon, its
 * containers and the switch are, so that all of them end with the first process.
 *
 * The cgroups are a tree of version 2, as the container runtime wants; no limit of a container is raised, and no rule of the
 * firewall is made.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ended, must, type Program, run } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import type { World } from './host-testbed.js';
import { RunningSwitch, switchCommand } from './switch.js';

/** What the host has to itself: cgroups, the folders of Docker and of containers' namespaces. */
const MOUNTS = [
  '{ umount -l /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup; }',
  'mkdir -p /run/docker /etc/docker/plugins',
  'mount -t tmpfs none /run/docker',
  'mount -t tmpfs none /etc/docker/plugins',
].join(' && ');
const PATH = 'PATH=/usr/sbin:/usr/bin:/sbin:/bin';
const STARTS = 3;
const UP_MS = 15_000;
const CALL_MS = 60_000;
export const IMAGE = 'bb:1';

/** Why no container can run here; null: it can. Says so aloud, since tests depend on it. */
export function dockerLack(): string | null {
  const tried = spawnSync('unshare', ['-n', '-m', '-p', '--fork', '--mount-proc', 'sh', '-c', MOUNTS], {
    encoding: 'utf8',
  });
  const lack = ['dockerd', 'containerd', 'runc'].find((name) => spawnSync('which', [name]).status !== 0);
  const reason = lack === undefined ? tried.stderr : `there is no ${lack}`;
  if (lack === undefined && tried.status === 0) return null;
  console.warn(`DOCKER CANNOT RUN HERE, so that its tests are left out: ${reason.trim()}`);
  return reason;
}

/** A file system with busybox. @returns path of its archive */
export function makeImage(world: World): string {
  const [root, tar] = [world.path('image'), world.path('image.tar')];
  const script = `mkdir -p ${root}/bin && cp /bin/busybox ${root}/bin/ && for a in sh ip ping sleep cat wget nc; do ln -sf busybox ${root}/bin/$a; done && tar -C ${root} -cf ${tar} .`;
  const made = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  return tar;
}

export class DockerHost {
  private first = 0;
  private readonly folder: string;
  private daemon: Program | null = null;

  private constructor(
    private readonly world: World,
    readonly netns: string,
    private readonly label: string,
  ) {
    this.folder = world.path(`docker-${label}`);
  }

  /** Makes the host of a namespace. Nothing runs in it. */
  static async make(world: World, netns: string, label: string): Promise<DockerHost> {
    const host = new DockerHost(world, netns, label);
    mkdirSync(host.folder, { recursive: true });
    const script = `${MOUNTS} && echo up && while :; do sleep 1; done`;
    const namespaces = ['-m', '-p', '--fork', '--kill-child', '--mount-proc', '--propagation', 'slave'];
    const program = world.spawn(netns, ['unshare', ...namespaces, 'sh', '-c', script]);
    await program.line('the host is up', (line) => line === 'up');
    host.first = Number(readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, 'utf8').trim());
    return host;
  }

  /** The command line that runs a program in the host. */
  inside(...command: string[]): string[] {
    return ['nsenter', '-t', String(this.first), '-m', '-n', '-p', '--', ...command];
  }

  /** Kills a process by its number in the host, at once. */
  async kill(pid: number): Promise<void> {
    await must(this.inside('kill', '-9', String(pid)));
  }

  get state(): string {
    return join(this.folder, 'state');
  }

  /** Of the CNI plugin. */
  get socket(): string {
    return join(this.folder, 'cni.sock');
  }

  /** What the driver has recorded. */
  records(): { networks: Record<string, unknown>; endpoints: Record<string, unknown> } {
    const file = readdirSync(this.state).find((name) => name.endsWith('.json')) ?? '';
    return JSON.parse(readFileSync(join(this.state, file), 'utf8'));
  }

  /** Starts a switch in the host, and waits until it forwards. @param rest YAML: bridges, indented by two */
  async startSwitch(rest: string, kind: 'docker' | 'cni' = 'docker'): Promise<RunningSwitch> {
    const name = `switch-${this.label}`;
    const head = `name: ${name}\ncontrol: ${this.world.control(name)}\n`;
    const own = kind === 'cni' ? `, socket: ${this.socket}` : '';
    const driver = `${kind}: { bridge: br1, state: ${this.state}${own} }\n`;
    const config = this.world.file(`${name}.yaml`, `${head}${driver}bridges:\n${rest}`);
    const program = this.world.spawn(this.netns, this.inside(...switchCommand(config)));
    const started = new RunningSwitch(program, this.world.control(name));
    await started.ready();
    return started;
  }

  /** Kills a switch, and waits for its end. */
  async killSwitch(running: RunningSwitch): Promise<void> {
    await this.kill(Number(running.log()[0]?.pid));
    await running.program.ended;
  }

  /** Starts the daemon, and waits until it answers: on a busy machine its containerd may be too slow at first. */
  async startDocker(): Promise<void> {
    for (let start = 1; ; start++) {
      this.daemon = this.world.spawn(this.netns, this.inside('env', PATH, 'dockerd', ...this.options()));
      try {
        await until(
          'the docker daemon answers',
          async () => {
            if (this.daemon?.running === false) throw new Error(`dockerd: ${this.daemon.errors.slice(-500)}`);
            return (await run(this.cli('version'))).status === 0 || undefined;
          },
          UP_MS,
        );
        return;
      } catch (error) {
        if (start === STARTS) throw error;
      }
    }
  }

  /** Kills the daemon, at once; what it has started ends with it, or is taken up by the next one. */
  async killDocker(): Promise<void> {
    await this.kill(Number(readFileSync(join(this.folder, 'pid'), 'utf8')));
    await this.daemon?.ended;
  }

  /** Runs a command of docker that has to succeed. @returns its output */
  docker(...words: string[]): Promise<string> {
    return must(this.cli(...words), { limitMs: CALL_MS });
  }

  /** The same, with any end. */
  tryDocker(...words: string[]): Promise<Ended> {
    return run(this.cli(...words), { limitMs: CALL_MS });
  }

  /** Starts a container that sleeps. @param words more options of `docker run` */
  start(name: string, network: string, ...words: string[]): Promise<string> {
    return this.docker('run', '-d', '--name', name, '--network', network, ...words, IMAGE, '/bin/sleep', '10000');
  }

  /** NICs of the driver in the host. */
  async strays(): Promise<string[]> {
    return (await this.world.nics(this.netns)).filter((name) => name.startsWith('dk'));
  }

  private cli(...words: string[]): string[] {
    return ['env', PATH, `DOCKER_HOST=unix://${this.folder}/docker.sock`, 'docker', ...words];
  }

  private options(): string[] {
    const own = ['data-root=data', 'exec-root=exec', 'pidfile=pid'].map((pair) => {
      const [key, name = ''] = pair.split('=');
      return `--${key}=${join(this.folder, name)}`;
    });
    const none = ['iptables', 'ip6tables', 'ip-forward', 'ip-masq'].map((key) => `--${key}=false`);
    return [
      `--host=unix://${this.folder}/docker.sock`,
      ...own,
      ...none,
      ...['--bridge=none', '--storage-driver=vfs', '--default-ulimit=nofile=1024:1024'],
      '--exec-opt=native.cgroupdriver=cgroupfs',
    ];
  }
}
