// @ts-check
/** The two ways of deploy/kubernetes to decide how many workers there are, behind one face. */
import hpa from './horizontal-pod-autoscaler.cjs';
import keda from './keda.cjs';
import { horizontalPodAutoscaler, scaledObject, syncPeriod } from './manifests.mjs';

/** @typedef {{ ready: number, unacked: number }} QueueLength */

/**
 * @typedef {object} Autoscaler
 * @property {number} minReplicas
 * @property {number} maxReplicas
 * @property {string} queue whose length counts
 * @property {number} messagesPerReplica
 * @property {(now: number, seen: { current: number, queue: QueueLength | undefined, pods: { ready: boolean, utilization: number | undefined }[] }) => number} decide
 *   to be asked often, `now` in milliseconds: it looks only when its own period is over, else the answer is `current`
 */

/** @returns {Autoscaler} */
function byHpa() {
  const { behaviour, utilization, queue, messagesPerReplica } = horizontalPodAutoscaler();
  const controller = new hpa.HorizontalPodAutoscaler(behaviour);
  const isDue = periodically(syncPeriod);
  return {
    ...behaviour,
    queue,
    messagesPerReplica,
    decide: (now, { current, queue: length, pods }) =>
      isDue(now)
        ? controller.sync(now, current, [
            hpa.desiredForUtilization(current, pods, utilization),
            length === undefined ? undefined : hpa.desiredForAverage(current, length.ready, messagesPerReplica),
          ])
        : current,
  };
}

/**
 * KEDA's operator polls, for the way from and to none; its metrics server is asked by the HPA at each sync.
 * @returns {Autoscaler}
 */
function byKeda() {
  const { behaviour, pollingInterval, queue, object } = scaledObject();
  const controller = new hpa.HorizontalPodAutoscaler(behaviour);
  const trigger = new keda.KedaTrigger(object);
  const isPollDue = periodically(pollingInterval);
  const isSyncDue = periodically(syncPeriod);
  return {
    ...behaviour,
    minReplicas: object.minReplicas,
    queue,
    messagesPerReplica: object.value,
    decide: (now, { current, queue: length }) => {
      if (isPollDue(now)) {
        const polled = trigger.poll(now, current, length && trigger.count(length));
        if (polled !== current) return polled;
      }
      if (current === 0 || !isSyncDue(now)) return current;
      const metric = trigger.metric(length);
      return controller.sync(now, current, [
        metric === undefined ? undefined : hpa.desiredForAverage(current, metric, object.value),
      ]);
    },
  };
}

/** @param {number} period milliseconds @returns {(now: number) => boolean} true once in each period */
function periodically(period) {
  let due = -Infinity;
  return (now) => {
    if (now < due) return false;
    // Without drift, as a ticker's.
    due = due === -Infinity || now > due + period ? now + period : due + period;
    return true;
  };
}

export const AUTOSCALERS = { hpa: byHpa, keda: byKeda };
