// @ts-check
/**
 * Installs what is missing from Debian's or Ubuntu's own packages, so that nothing of it runs afterwards:
 * no cluster is created, no service is started now, none at the next boot.
 */
import { run, lastLines } from '../processes.mjs';
import { isOnPath } from './find-binaries.mjs';

/**
 * @typedef {'postgresql' | 'rabbitmq-server' | 'prometheus' | 'kubernetes-client' | 'chromium' | `python3-${string}` | DockerPackage} Package
 * @typedef {'docker.io' | 'containerd' | 'runc' | 'tini' | 'iptables' | 'debootstrap'} DockerPackage
 */

/**
 * One script, because its clean-up must happen even when this process is killed halfway.
 * An administrator's own policy-rc.d is respected and stays.
 */
const INSTALL_SCRIPT = `
set -eu
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/friendship-service-no-cluster.conf
restore() {
  if [ "\${own_policy:-}" = 1 ]; then rm -f "$policy"; fi
  if [ "\${own_cluster:-}" = 1 ]; then rm -f "$cluster"; fi
  if [ "\${own_folder:-}" = 1 ]; then rmdir --ignore-fail-on-non-empty "\${cluster%/*}" || true; fi
}
trap restore EXIT
trap '' INT HUP
if ! [ -e "$policy" ]; then
  own_policy=1
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
case " $* " in *" postgresql "*)
  if ! [ -d "\${cluster%/*}" ]; then own_folder=1; mkdir -p "\${cluster%/*}"; fi
  own_cluster=1
  printf 'create_main_cluster = false\\n' > "$cluster" ;;
esac
if ! [ -e /usr/bin/epmd ]; then own_epmd=1; fi
if ! [ -e /usr/sbin/dockerd ]; then own_docker=1; fi
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get -o DPkg::Lock::Timeout=120 update
apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@"
for service in rabbitmq-server prometheus; do
  case " $* " in *" $service "*) update-rc.d "$service" disable || true ;; esac
done
if [ "\${own_epmd:-}" = 1 ] && command -v systemctl > /dev/null; then systemctl disable epmd.service epmd.socket || true; fi
if [ "\${own_docker:-}" = 1 ] && [ -e /usr/sbin/dockerd ]; then
  update-rc.d docker disable || true
  if command -v systemctl > /dev/null; then systemctl disable docker.service docker.socket containerd.service || true; fi
fi
`;

/**
 * How this process becomes root, or undefined when it cannot.
 * @returns {Promise<{ prefix: string[], asks: boolean } | undefined>} asks: a password may be asked for on the terminal
 */
async function rootAccess() {
  if (process.getuid?.() === 0) return { prefix: [], asks: false };
  if (!isOnPath('sudo')) return undefined;
  const { code } = await run('sudo', ['-n', 'true'], { timeoutMs: 5_000 });
  if (code === 0) return { prefix: ['sudo', '-n'], asks: false };
  return process.stdin.isTTY ? { prefix: ['sudo'], asks: true } : undefined;
}

/**
 * @param {Package[]} packages
 * @param {{ progress: import('../progress.mjs').Progress }} options
 * @returns {Promise<string | undefined>} why it could not be done; undefined when it was
 */
export async function installDebianPackages(packages, { progress }) {
  if (!isOnPath('apt-get')) return 'there is no apt-get here';
  const root = await rootAccess();
  if (root === undefined) return 'installing needs root, and sudo is missing or asks for a password without a terminal';
  const [command = '', ...args] = [...root.prefix, 'sh', '-c', INSTALL_SCRIPT, 'install', ...packages];
  try {
    await progress.step(`installing ${packages.join(' and ')} with apt-get`, async () => {
      if (root.asks) progress.note('sudo may ask for your password');
      // In a process group of its own, and not ended by Ctrl-C: a package half configured is worse than a wait.
      const { code, output } = await run(command, args, {
        stdin: root.asks ? 'inherit' : 'pipe',
        ownGroup: !root.asks,
        env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
      });
      if (code !== 0) throw new Error(`apt-get ended with code ${code}:\n${lastLines(output, 12)}`);
    });
    return undefined;
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}
