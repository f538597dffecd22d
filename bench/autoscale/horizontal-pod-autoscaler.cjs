// @ts-check
/**
 * The arithmetic of Kubernetes' HorizontalPodAutoscaler (autoscaling/v2), as
 * https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/ documents it. No clocks and no processes here:
 * time is an argument, in milliseconds.
 */

/** `--horizontal-pod-autoscaler-tolerance` of the controller manager, its default. */
const TOLERANCE = 0.1;

/** @typedef {{ type: 'Pods' | 'Percent', value: number, period: number }} Policy at most so much within `period` milliseconds */
/** @typedef {{ window: number, policies: Policy[], select: 'Max' | 'Min' | 'Disabled' }} Rules window: of stabilisation, milliseconds */
/** @typedef {{ minReplicas: number, maxReplicas: number, up: Rules, down: Rules }} Behaviour */

/**
 * desired = ceil(current × metric / target), and `current` while the ratio is within the tolerance.
 * @param {number} current replicas
 * @param {number} ratio metric / target
 */
function desiredReplicas(current, ratio) {
  return withinTolerance(ratio) ? current : Math.ceil(round(current * ratio));
}

/**
 * An external or object metric with `averageValue`: the metric is shared out among the replicas, ready or not.
 * @param {number} current replicas
 * @param {number} value of the metric
 * @param {number} target for one replica
 */
function desiredForAverage(current, value, target) {
  return desiredReplicas(current, value / (target * current));
}

/**
 * A resource metric with `averageUtilization`. Pods that are not ready, or whose usage is not known yet, count as unused where the
 * rest asks for more, and those that are ready without a known usage as fully used where the rest asks for less; if that turns the
 * answer round, nothing is done.
 * @param {number} current replicas
 * @param {{ ready: boolean, utilization: number | undefined }[]} pods utilization: usage / request
 * @param {number} target utilization
 */
function desiredForUtilization(current, pods, target) {
  const known = pods.flatMap(({ ready, utilization }) => (ready && utilization !== undefined ? [utilization] : []));
  if (known.length === 0) return current;
  const ratio = mean(known) / target;
  const missing = pods.filter(({ ready, utilization }) => ready && utilization === undefined).length;
  const unready = pods.filter(({ ready }) => !ready).length;
  if (missing === 0 && (unready === 0 || ratio <= 1)) {
    return withinTolerance(ratio) ? current : Math.ceil(round(known.length * ratio));
  }
  const assumed =
    ratio > 1 ? [...known, ...new Array(missing + unready).fill(0)] : [...known, ...new Array(missing).fill(target)];
  const careful = mean(assumed) / target;
  if (withinTolerance(careful) || careful > 1 !== ratio > 1) return current;
  const replicas = Math.ceil(round(assumed.length * careful));
  const turned = ratio > 1 ? replicas < current : replicas > current;
  return turned ? current : replicas;
}

/** What the controller remembers: its recommendations, for the stabilisation windows, and what it changed, for the policies. */
class HorizontalPodAutoscaler {
  /** @type {{ at: number, replicas: number }[]} */
  #recommendations = [];
  /** @type {{ at: number, change: number }[]} */
  #changes = [];
  #behaviour;

  /** @param {Behaviour} behaviour */
  constructor(behaviour) {
    this.#behaviour = behaviour;
  }

  /**
   * One sync. The largest of what the metrics ask for, stabilised, then limited by the policies and by min and max.
   * @param {number} now
   * @param {number} current replicas
   * @param {(number | undefined)[]} proposals desired replicas by each metric; undefined: it cannot be read
   * @returns {number} replicas from now on
   */
  sync(now, current, proposals) {
    const known = proposals.filter((proposal) => proposal !== undefined);
    const wanted = Math.max(...known);
    // While a metric cannot be read nobody is taken away: it might be the one that needs them.
    if (known.length === 0 || (known.length < proposals.length && wanted < current)) return current;
    const replicas = this.#limited(now, current, this.#stabilised(now, current, wanted));
    if (replicas !== current) this.#changes.push({ at: now, change: replicas - current });
    return replicas;
  }

  /** @param {number} now @param {number} current @param {number} wanted */
  #stabilised(now, current, wanted) {
    const { up, down } = this.#behaviour;
    const longest = Math.max(up.window, down.window);
    const within = (/** @type {number} */ window) =>
      this.#recommendations.filter(({ at }) => at > now - window).map(({ replicas }) => replicas);
    const least = Math.min(wanted, ...within(up.window));
    const most = Math.max(wanted, ...within(down.window));
    this.#recommendations = [
      ...this.#recommendations.filter(({ at }) => at > now - longest),
      { at: now, replicas: wanted },
    ];
    return Math.min(Math.max(current, least), most);
  }

  /** @param {number} now @param {number} current @param {number} wanted */
  #limited(now, current, wanted) {
    const { minReplicas, maxReplicas, up, down } = this.#behaviour;
    let allowed = wanted;
    // A limit below what is there already takes nobody away, nor does one above it start anybody.
    if (wanted > current) allowed = Math.min(wanted, Math.max(current, this.#limit(now, current, up, 1)));
    if (wanted < current) allowed = Math.max(wanted, Math.min(current, this.#limit(now, current, down, -1)));
    return Math.min(Math.max(allowed, minReplicas), maxReplicas);
  }

  /**
   * How far the policies let it go: each counts from what there was when its period began. `Max` takes the one that allows the largest
   * change, `Min` the smallest.
   * @param {number} now @param {number} current @param {Rules} rules @param {1 | -1} direction
   */
  #limit(now, current, { policies, select }, direction) {
    if (select === 'Disabled') return current;
    const changes = policies.map(({ type, value, period }) => {
      const recent = this.#changes.filter(({ at }) => at > now - period);
      const start = current - recent.reduce((sum, { change }) => sum + change, 0);
      // Rounded away from the start: 10 % of 72 are 8.
      const step = type === 'Pods' ? value : Math.ceil(round((start * value) / 100));
      return (start - current) * direction + step;
    });
    return current + direction * (select === 'Max' ? Math.max(...changes) : Math.min(...changes));
  }
}

/** @param {number} ratio */
function withinTolerance(ratio) {
  return Math.abs(round(ratio - 1)) <= TOLERANCE;
}

/** 1.1 × 10 is 11, also where it is 11.000000000000002. @param {number} value */
function round(value) {
  return Math.round(value * 1e9) / 1e9;
}

/** @param {number[]} values */
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

module.exports = { HorizontalPodAutoscaler, desiredForAverage, desiredForUtilization, desiredReplicas };
