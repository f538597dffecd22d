// @ts-check
/**
 * What every way to provide the services can do. The state is what it needs to find them again from another process.
 * @typedef {{ source: 'private' | 'compose', databaseUrl: string, rabbitmqUrl: string } & Record<string, any>} ServicesState
 *
 * @typedef {object} StartOptions
 * @property {import('../progress.mjs').Progress} progress
 * @property {AbortSignal} signal
 * @property {ServicesState | undefined} current what an earlier start left, running or not
 *
 * @typedef {object} Provider
 * @property {'private' | 'compose'} source
 * @property {(options: StartOptions) => Promise<{ state: ServicesState } | { unavailable: string }>} start unavailable: why it cannot be used here
 * @property {(state: ServicesState) => Promise<boolean>} isHealthy
 * @property {(state: ServicesState) => Promise<void>} stop its data stay
 * @property {() => Promise<void>} wipe deletes its data; nothing runs
 */

export {};
