/** Injection token of the {@link Topology}. */
export const TOPOLOGY = Symbol('TOPOLOGY');
