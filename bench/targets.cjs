// @ts-check
/** Targets are data; this is the rule by which a run meets them or not. */
const { geometricMean, pairedRatio } = require('./statistics.cjs');

/**
 * @typedef {object} Measurement one run of one contender
 * @property {string} series the contender, with its settings where a question varies them
 * @property {number} round runs of the same round took place next to each other
 * @property {Record<string, number>} figures by name; the report knows their units (bench/figures.mjs)
 * @property {string[]} wrong what the check found; anything voids the figures
 *
 * @typedef {object} Target
 * @property {string} name
 * @property {string} of the series that must reach it
 * @property {string} figure
 * @property {string} [against] the series that it is divided by, pair by pair; without it the figure itself counts
 * @property {string} [againstFigure] where it has another name there
 * @property {number} [atLeast] one of the two is given
 * @property {number} [atMost]
 * @property {'quick' | 'full'} [only] judged in such runs alone
 * @property {number} [aim] what would be better still; judged by nobody
 *
 * @typedef {object} Verdict
 * @property {string} name
 * @property {number | null} value a ratio, or the figure; null: nothing to go by
 * @property {number | null} low of the 95 % interval
 * @property {number | null} high
 * @property {number} target
 * @property {'at least' | 'at most'} bound
 * @property {boolean} pass
 * @property {string} [reason] why there is no value, or why it does not count
 */

/**
 * A target is missed when the whole 95 % interval lies on the wrong side of it: identical runs differ, and a figure that only might be
 * worse is not called worse. Without a valid pair there is nothing that could pass; a single wrong result of ours fails it whatever the speed.
 * @param {Target} target
 * @param {readonly Measurement[]} measurements
 * @returns {Verdict}
 */
function judge(target, measurements) {
  const { name, of, against, figure, againstFigure = figure } = target;
  /** @type {Verdict['bound']} */
  const bound = target.atLeast === undefined ? 'at most' : 'at least';
  const limit = target.atLeast ?? target.atMost;
  if (limit === undefined || (target.atLeast !== undefined && target.atMost !== undefined))
    throw new Error(
      `Target "${name}": expected one of atLeast and atMost, got ${limit === undefined ? 'none' : 'both'}.`,
    );
  const failed = (/** @type {string} */ reason) => {
    return { name, value: null, low: null, high: null, target: limit, bound, pass: false, reason };
  };
  const ours = measurements.filter(({ series }) => series === of);
  const wrong = ours.filter((run) => run.wrong.length > 0);
  if (wrong.length > 0)
    return failed(`${wrong.length} of ${ours.length} runs of ${of} were wrong: ${wrong[0]?.wrong[0]}`);

  const valid = (/** @type {string} */ series) =>
    measurements.filter((run) => run.series === series && run.wrong.length === 0);
  /** @type {import('./statistics.cjs').Estimate} */
  let estimate;
  if (against === undefined) {
    const values = ours.map(({ figures }) => figures[figure]).filter((value) => value !== undefined);
    if (values.length === 0) return failed(`no run of ${of} has the figure "${figure}"`);
    estimate = geometricMean(values);
  } else {
    const pairs = valid(against).flatMap(({ round, figures }) => {
      const value = ours.find((run) => run.round === round)?.figures[figure];
      const other = figures[againstFigure];
      return value === undefined || other === undefined ? [] : [/** @type {const} */ ([value, other])];
    });
    if (pairs.length === 0) return failed(`no valid pair of ${of} and ${against}`);
    estimate = pairedRatio(pairs);
  }
  const { value, low, high } = estimate;
  return { name, value, low, high, target: limit, bound, pass: bound === 'at least' ? high >= limit : low <= limit };
}

module.exports = { judge };
