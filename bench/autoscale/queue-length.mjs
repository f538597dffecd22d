// @ts-check
/** A queue's length as the broker tells monitoring, from its plugin rabbitmq_prometheus: what prometheus-adapter and KEDA go by. */

/** @param {number} port of the endpoint, on the loopback address @returns {string[]} lines of rabbitmq.conf */
export function endpointSettings(port) {
  return ['prometheus.tcp.ip = 127.0.0.1', `prometheus.tcp.port = ${port}`];
}

/**
 * A quorum queue tells its length at every tick; 5 s by default, which divided by the simulation's factor must be set before it is declared.
 * @param {number} milliseconds @returns {string[]} arguments of rabbitmqctl
 */
export function tickEvery(milliseconds) {
  return ['eval', `application:set_env(rabbit, quorum_tick_interval, ${Math.round(milliseconds)}).`];
}

/**
 * @param {number} port @param {string} queue
 * @returns {Promise<import('./autoscalers.mjs').QueueLength | undefined>} undefined when the broker cannot say
 */
export async function queueLength(port, queue) {
  try {
    const url = `http://127.0.0.1:${port}/metrics/detailed?family=queue_coarse_metrics`;
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const text = await response.text();
    const value = (/** @type {string} */ name) => {
      const line = text.split('\n').find((one) => one.startsWith(`${name}{`) && one.includes(`queue="${queue}"`));
      return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')));
    };
    const ready = value('rabbitmq_detailed_queue_messages_ready');
    const unacked = value('rabbitmq_detailed_queue_messages_unacked');
    return ready === undefined || unacked === undefined ? undefined : { ready, unacked };
  } catch {
    return undefined;
  }
}
