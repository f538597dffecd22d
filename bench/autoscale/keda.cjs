// @ts-check
/**
 * What KEDA adds to the HorizontalPodAutoscaler that it creates (https://keda.sh/docs/latest/concepts/scaling-deployments/ and
 * https://keda.sh/docs/latest/reference/scaledobject-spec/): the queue as a metric, a fallback while it cannot be asked, and the step between
 * none and some replicas, for which KEDA polls by itself. From one replica on, the HPA decides.
 */

/**
 * @typedef {object} ScaledObject
 * @property {number} minReplicas
 * @property {number} cooldown milliseconds without activity until the last replicas go, where minReplicas is 0
 * @property {number} value messages for one replica
 * @property {number} activationValue above it the trigger is active
 * @property {boolean} excludeUnacknowledged
 * @property {{ failureThreshold: number, replicas: number } | undefined} fallback
 */

class KedaTrigger {
  #object;
  #failures = 0;
  #lastActive = -Infinity;

  /** @param {ScaledObject} object */
  constructor(object) {
    this.#object = object;
  }

  /** @param {{ ready: number, unacked: number }} queue */
  count({ ready, unacked }) {
    return this.#object.excludeUnacknowledged ? ready : ready + unacked;
  }

  /**
   * QueueLength for the HPA, which shares it out by `value`.
   * @param {{ ready: number, unacked: number } | undefined} queue undefined: it cannot be asked
   * @returns {number | undefined} undefined: the HPA gets an error and does nothing
   */
  metric(queue) {
    const { fallback, value } = this.#object;
    if (queue !== undefined) {
      this.#failures = 0;
      return this.count(queue);
    }
    this.#failures++;
    return fallback !== undefined && this.#failures > fallback.failureThreshold ? fallback.replicas * value : undefined;
  }

  /**
   * One poll: from none to some and back.
   * @param {number} now milliseconds
   * @param {number} current replicas
   * @param {number | undefined} metric
   * @returns {number} replicas from now on
   */
  poll(now, current, metric) {
    const { minReplicas, cooldown, activationValue } = this.#object;
    const active = metric !== undefined && metric > activationValue;
    if (active) this.#lastActive = now;
    if (current === 0) return active ? Math.max(1, minReplicas) : minReplicas;
    // The cooldown is about the way to none; between some and some the HPA's own windows rule.
    const idle = metric !== undefined && !active && now - this.#lastActive > cooldown;
    return minReplicas === 0 && idle ? 0 : current;
  }
}

module.exports = { KedaTrigger };
