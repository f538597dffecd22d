/** When a failed message is tried again. Pure; `RETRY_DELAYS` is the whole policy. */
export interface RetryPolicy {
  /** The first attempt and one for each delay. */
  readonly mostAttempts: number;
  /** @returns the wait after this many failed attempts, milliseconds; undefined when there is none left */
  delayAfter(failedAttempts: number): number | undefined;
  /** For a message whose attempts could not be counted, milliseconds. */
  readonly lastDelay: number;
}

export function retryPolicy(delaysMs: readonly number[]): RetryPolicy {
  return {
    mostAttempts: delaysMs.length + 1,
    lastDelay: delaysMs[delaysMs.length - 1],
    delayAfter: (failedAttempts) => delaysMs[failedAttempts - 1],
  };
}
